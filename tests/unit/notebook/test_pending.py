"""Claims on names: whose a name is in the end, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jobq_magic.notebook.pending import Pending


def test_a_claimed_name_leaves_the_namespace_and_comes_back_bound():
    namespace = {"x": "old"}
    pending = Pending(namespace)
    pending.claim("a", ["x", "y"])
    assert namespace == {}
    assert (pending.owner("x"), pending.owner("y"), pending.owner("z")) == ("a", "a", None)
    assert pending.bind("a", {"x": 1, "y": 2}) == ("x", "y")
    assert namespace == {"x": 1, "y": 2}
    assert not pending


def test_what_a_run_does_not_bind_holds_what_it_held():
    namespace = {"x": "old"}
    pending = Pending(namespace)
    pending.claim("a", ["x", "new"])
    assert pending.bind("a", {}) == ()
    assert namespace == {"x": "old"}


def test_what_the_user_binds_meanwhile_stays():
    namespace = {"x": "old"}
    pending = Pending(namespace)
    pending.claim("a", ["x"])
    namespace["x"] = "the user's"
    assert pending.owner("x") is None
    pending.settle()
    del namespace["x"]
    assert pending.bind("a", {"x": "the run's"}) == ()
    assert namespace == {}


def test_of_two_runs_the_one_submitted_later_wins_whichever_ends_first():
    for first, second in ("ab", "ba"):
        namespace = {"x": "old"}
        pending = Pending(namespace)
        pending.claim("a", ["x"])
        pending.claim("b", ["x"])
        pending.bind(first, {"x": first})
        pending.bind(second, {"x": second})
        assert namespace == {"x": "b"}


def test_where_the_later_run_is_released_the_name_holds_what_the_earlier_one_brought():
    namespace = {"x": "old"}
    pending = Pending(namespace)
    pending.claim("a", ["x"])
    pending.claim("b", ["x"])
    pending.bind("a", {"x": "of a"})
    assert (namespace, pending.owner("x")) == ({}, "b")
    assert pending.release("b") == ("x",)
    assert namespace == {"x": "of a"}


def test_where_the_later_run_is_released_first_the_earlier_one_still_binds():
    namespace = {"x": "old"}
    pending = Pending(namespace)
    pending.claim("a", ["x"])
    pending.claim("b", ["x"])
    assert pending.release("b") == ()
    assert pending.owner("x") == "a"
    pending.bind("a", {"x": "of a"})
    assert namespace == {"x": "of a"}


def test_a_run_that_does_the_same_again_takes_over_the_claims():
    namespace = {"x": "old"}
    pending = Pending(namespace)
    pending.claim("a", ["x"])
    assert pending.pass_on("a", "b") == {"x"}
    assert pending.bind("a", {"x": 1}) == ()
    assert pending.bind("b", {"x": 2}) == ("x",)
    assert namespace == {"x": 2}


def test_a_part_may_be_bound_while_the_rest_stays_pending():
    namespace = {}
    pending = Pending(namespace)
    pending.claim("a", ["small", "large"])
    pending.bind_some("a", {"small": 1})
    assert namespace == {"small": 1}
    assert pending.owner("large") == "a"
    pending.bind("a", {"small": 1, "large": 2})
    assert namespace == {"small": 1, "large": 2}


NAMES, RUNS = "xyz", "abcd"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("end well"), st.sampled_from(RUNS), st.frozensets(st.sampled_from(NAMES))),
        st.tuples(st.just("release"), st.sampled_from(RUNS), st.none()),
        st.tuples(st.just("assign"), st.sampled_from(NAMES), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(claims=st.lists(st.frozensets(st.sampled_from(NAMES)), min_size=4, max_size=4), steps=STEPS, old=st.booleans())
def test_in_the_end_each_name_holds_what_the_last_to_bind_it_in_order_of_submission_left(claims, steps, old):
    """Against the plain meaning: run the cells one after the other; a released run did not happen."""
    namespace = dict.fromkeys(NAMES, "old") if old else {}
    pending = Pending(namespace)
    for run, names in zip(RUNS, claims, strict=True):
        pending.claim(run, names)
        assert not names & namespace.keys()
    left: dict[str, frozenset[str] | None] = {}
    assigned = set()
    for what, who, brought in steps:
        if what == "assign":
            if pending.owner(who) is not None:
                assigned.add(who)
                namespace[who] = "the user's"
                pending.settle()
        elif who not in left:
            claimed = claims[RUNS.index(who)]
            left[who] = brought & claimed if what == "end well" else None
            if what == "end well":
                pending.bind(who, dict.fromkeys(brought & claimed, who))
            else:
                pending.release(who)
    for run in RUNS:
        if run not in left:
            left[run] = None
            pending.release(run)
    assert not pending
    for name in set(NAMES) - assigned:
        binders = [run for run in RUNS if left[run] is not None and name in left[run]]
        expected = binders[-1] if binders else ("old" if old else None)
        assert namespace.get(name) == expected
