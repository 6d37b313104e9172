"""docs/doctor.md names each finding that there is, in the order in which they are told."""

from __future__ import annotations

import re

from jobq_magic.cluster.preflight import CODES
from jobq_magic.doctor import BESIDE
from tests.docs.conftest import ROOT

PATH = ROOT / "docs/doctor.md"


def test_each_finding_is_named_once_and_no_other():
    named = re.findall(r"^\| `([a-z-]+)` \|", PATH.read_text(encoding="utf-8"), re.MULTILINE)
    assert len({*named}) == len(named)
    assert {*named} == {code for code in CODES if not code.startswith("rbac/")} | {*BESIDE}


def test_those_of_rights_are_written_by_the_code_itself():
    assert ":::{generated} rights\n" in PATH.read_text(encoding="utf-8")
