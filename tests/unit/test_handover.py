"""What a run's later steps have of the environment that it was submitted from."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from jobq_magic import handover
from jobq_magic.handover import Handover


def test_whoever_advances_a_run_has_the_settings_of_who_submitted_it_and_none_of_another():
    follower = {"HOME": "/home/ada", "EDITOR": "vi", "AWS_PROFILE": "first", "AWS_SESSION_TOKEN": "of the first"}
    handover.leave("pi-1", Handover(handover.settings_in({"AWS_PROFILE": "second", "EDITOR": "ed"}), {"TOKEN": "x"}))
    assert handover.environment("pi-1", follower) == {"HOME": "/home/ada", "EDITOR": "vi", "AWS_PROFILE": "second"}


def test_where_nothing_was_handed_over_the_environment_is_as_it_is():
    assert handover.environment("pi-2", {"AWS_PROFILE": "first"}) == {"AWS_PROFILE": "first"}


def test_what_is_handed_over_is_its_owners_alone_and_is_forgotten():
    handover.leave("pi-3", Handover({}, {"TOKEN": "x"}))
    path = handover._path("pi-3")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    handover.remove("pi-3")
    assert handover.take("pi-3") is None


def test_nobody_goes_on_as_somebody_else_since_a_file_could_not_be_read(monkeypatch):
    handover.leave("pi-4", Handover({"AWS_PROFILE": "ada"}, {}))

    def away(self: Path, *args: object, **options: object) -> str:
        raise OSError(errno.EMFILE, "Too many open files", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", away)
        with pytest.raises(OSError, match="Too many open files"):
            handover.environment("pi-4", {"AWS_PROFILE": "follower"})
    assert handover.environment("pi-4", {}) == {"AWS_PROFILE": "ada"}
