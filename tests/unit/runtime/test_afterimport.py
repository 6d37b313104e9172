"""after_import: a word to a module as soon as it is there."""

from __future__ import annotations

import importlib
import inspect
import json
import sys

from jobq_magic.runtime.afterimport import after_import


def test_calls_at_once_where_the_module_is_imported():
    seen = []
    after_import("json", seen.append)
    assert seen == [json]


def test_calls_when_the_module_is_imported_and_not_before(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "to_come.py").write_text("there = 1\n")
    seen = []
    after_import("to_come", lambda module: seen.append(module.there))
    after_import("to_come", lambda module: seen.append(module.__name__))
    assert "to_come" not in sys.modules
    module = importlib.import_module("to_come")
    monkeypatch.delitem(sys.modules, "to_come")
    assert seen == [1, "to_come"]
    assert inspect.getsource(module) == "there = 1\n"
