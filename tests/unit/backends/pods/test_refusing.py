"""A cluster that does not tell of Jobs any more: it is said, it is waited for, and whoever asks for the end gets it."""

from __future__ import annotations

import pytest

from jobq_magic.backends.pods.refusing import Refusing
from jobq_magic.cluster.client import Forbidden, Refused

RIGHTS = Forbidden("cluster-forbidden", "We may not list jobs.batch in the namespace team-blue")
LOGIN = Refused("cluster-credentials", "The cluster lab does not accept our credentials")


class Watches:
    """Refused, or not."""

    def __init__(self):
        self.error = None

    def refused(self, kind):
        return self.error if isinstance(self.error, Forbidden) else None

    def trouble(self):
        return self.error


@pytest.fixture
def watches():
    return Watches()


@pytest.fixture
def after(watches):
    """What is told so many seconds later."""
    now = [0.0]
    refusing = Refusing(watches, clock=lambda: now[0])

    def told(seconds, asked=""):
        now[0] += seconds
        return refusing.told(asked, 1)

    return told


def test_a_cluster_that_answers_is_not_told_of(after):
    assert after(0) is None
    assert after(1000, "stopped") is None


@pytest.mark.parametrize("error", [RIGHTS, LOGIN], ids=["rights", "credentials"])
def test_a_refusal_that_lasts_is_told_and_a_stop_ends_the_run(watches, after, error):
    watches.error = error
    assert after(0) is None
    assert after(5, "stopped") is None
    seen = after(6)
    assert (seen.phase, seen.notes) == (None, (f"The cluster does not tell of its Job any more: {error.what}",))
    seen = after(1, "stopped")
    assert (seen.phase, seen.reason) == ("cancelled", "stopped")
    assert "Its Job may still be there" in seen.notes[1]


def test_rights_that_do_not_come_back_end_the_run_and_credentials_are_waited_for(watches, after):
    watches.error = RIGHTS
    after(0)
    seen = after(301)
    assert (seen.phase, seen.reason, seen.facts) == ("lost", "out-of-reach", {"error": RIGHTS.what})
    watches.error = LOGIN
    assert after(100000).phase is None


def test_who_may_again_is_followed_as_if_nothing_had_been(watches, after):
    watches.error = RIGHTS
    after(0)
    after(200)
    watches.error = None
    assert after(1) is None
    watches.error = RIGHTS
    assert after(1) is None
    assert after(200).phase is None
