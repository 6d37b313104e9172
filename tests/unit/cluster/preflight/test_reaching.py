from __future__ import annotations

import pytest

from jobq_magic.cluster.preflight import reaching
from jobq_magic.cluster.preflight.answers import Answer

from .support import answers, forbidden, missing, named, there, told, wanted


@pytest.mark.parametrize(
    ("version", "level", "what"),
    [
        (there(gitVersion="v1.36.3"), "ok", "The cluster of blue answers: Kubernetes v1.36.3"),
        (forbidden(), "ok", "The cluster of blue answers"),
        (
            Answer("failed", why="It does not answer in time", do="Check the VPN"),
            "problem",
            "It does not answer in time",
        ),
    ],
)
def test_a_cluster_that_answers_tells_its_version(version, level, what):
    ((code, said, sentence, _),) = told(reaching.cluster(answers(version=version), wanted()))
    assert (code, said, sentence) == ("cluster", level, what)


@pytest.mark.parametrize(
    ("namespace", "level", "what"),
    [
        (there(named("team-blue")), "ok", "The namespace team-blue exists"),
        (missing(), "problem", "There is no namespace team-blue"),
        (there(named("x", status={"phase": "Terminating"})), "problem", "The namespace team-blue is being deleted"),
        (forbidden("We may not"), "unknown", "Whether the namespace team-blue exists cannot be read: We may not"),
    ],
)
def test_a_namespace_exists_and_stays(namespace, level, what):
    ((code, said, sentence, _),) = told(reaching.namespace(answers(namespace=namespace), wanted()))
    assert (code, said, sentence) == ("namespace", level, what)


@pytest.mark.parametrize(
    ("served", "level", "what"),
    [
        (["v1beta1", "v1beta2"], "ok", "Kueue is installed, and serves v1beta2"),
        (["v1beta1"], "ok", "Kueue is installed, and serves v1beta1"),
        (["v2"], "problem", "Kueue serves v2, and jobq-magic knows v1beta2 and v1beta1"),
    ],
)
def test_kueue_is_spoken_to_in_the_best_version_that_both_know(served, level, what):
    group = there(versions=[{"version": one} for one in served])
    ((_, said, sentence, _),) = told(reaching.kueue(answers(kueue=group), wanted()))
    assert (said, sentence) == (level, what)


def test_without_kueue_nothing_will_run():
    ((code, level, what, do),) = told(reaching.kueue(answers(kueue=missing()), wanted()))
    assert (code, level, what) == ("kueue", "problem", "Kueue is not installed on this cluster")
    assert "https://kueue.sigs.k8s.io" in do


def test_who_we_are_is_what_the_server_says():
    me = there(status={"userInfo": {"username": "ada"}})
    assert told(reaching.user(answers(self=me), wanted())) == [("user", "ok", "You are ada", "")]
    ((_, level, _, _),) = told(reaching.user(answers(self=missing()), wanted()))
    assert level == "unknown"


@pytest.mark.parametrize(
    ("answer", "levels"),
    [
        (there(), ["ok"]),
        (Answer("refused", why="Policy x says no."), ["problem"]),
        (Answer("failed", why="It fails"), ["unknown"]),
        (forbidden(), []),
    ],
)
def test_a_job_that_the_cluster_would_not_take_is_told_in_its_words(answer, levels):
    found = told(reaching.job(answers(job=answer), wanted()))
    assert [level for _, level, _, _ in found] == levels
    if levels == ["problem"]:
        assert found[0][2] == "The API server does not take the manifest of the Job: Policy x says no"


def test_a_namespace_in_which_nothing_may_be_done_is_told_of_once_among_the_rights():
    nothing = there(status={"resourceRules": []})
    assert told(reaching.namespace(answers(namespace=forbidden(), rules=nothing), wanted())) == []
