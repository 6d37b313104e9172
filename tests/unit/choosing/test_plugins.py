import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobq_magic import plugins
from jobq_magic.errors import BackendError
from jobq_magic.protocols import Backend

ROOT = Path(__file__).parents[3]


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """An installed distribution that announces a place to run named `attic`, and one that cannot be imported."""
    (tmp_path / "attic.py").write_text("class Attic:\n    honours = frozenset({'cpus'})\n    supervised = True\n")
    info = tmp_path / "attic-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: attic\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[jobq_magic.backends]\nattic = attic:Attic\ncellar = no_such_thing:Cellar\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    plugins.backend.cache_clear()


def test_our_modes_are_announced_by_entry_points_too():
    announced = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][plugins.GROUP]
    assert announced == dict(plugins.OURS)
    assert {point.name: point.value for point in importlib.metadata.entry_points(group=plugins.GROUP)} == announced


def test_an_unknown_mode_is_answered_with_the_closest_or_the_known_ones():
    with pytest.raises(BackendError, match=r"Did you mean local\?"):
        plugins.backend("locall")
    with pytest.raises(BackendError, match="Known: docker, kueue, local, ray"):
        plugins.backend("zzz")


def test_another_distribution_adds_a_mode(third_party):
    assert plugins.modes() == ("attic", "cellar", "docker", "kueue", "local", "ray", "rayjob")
    assert plugins.backend("attic").honours == {"cpus"}
    assert plugins.backend("attic") is plugins.backend("attic")


def test_a_place_that_cannot_be_imported_is_answered_with_what_is_missing(third_party):
    with pytest.raises(BackendError, match="No module named 'no_such_thing'") as error:
        plugins.backend("cellar")
    assert error.value.code == "backend-missing"


def test_ours_is_loaded_without_reading_the_metadata_of_other_distributions():
    code = """
import importlib.metadata, sys
def refuse(**known): raise AssertionError("entry points were searched")
importlib.metadata.entry_points = refuse
from jobq_magic import plugins
backend = plugins.backend("local")
assert "ray" not in sys.modules and "pydantic" not in sys.modules
print(type(backend).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("LocalBackend", "")


@pytest.mark.parametrize("mode", sorted(plugins.OURS))
def test_every_place_of_ours_is_a_backend(mode):
    assert isinstance(plugins.backend(mode), Backend)
