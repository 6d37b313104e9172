"""What is asked of places: nobody waits for one that is slow, and many who ask are one question."""

from __future__ import annotations

import threading

import pytest

from jobq_magic import doctor as doctors
from jobq_magic import queues
from jobq_magic.errors import BackendError, OptionError
from jobq_magic.findings import Finding
from jobq_magic.nearby import Allotment, Share
from jobq_magic.queues import Place
from jobq_magic.runs.store import Store
from jobq_magic.server import survey
from tests.server.asks import asked, of_shape
from tests.support import eventually

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e\ud800"
TEAM = Place("team", "queue main of blue", {"backend": "kueue", "site": {"namespace": "blue"}}, ("main",))
OTHER = Place("other", "queue gpus of red", {"backend": "kueue", "site": {"namespace": "red"}}, ("gpus", "main"))
SHARE = Share("cpu", "default", 6.0, 2.0, 8.0, 12.0, 4.0)


class Cluster:
    """Places that answer when the test lets them."""

    def __init__(self, monkeypatch):
        self.places = [TEAM, OTHER]
        self.asked, self.at_once, self.most = [], 0, 0
        self.answers = {}
        self.silent = {}
        self._lock = threading.Lock()
        monkeypatch.setattr(queues, "places", lambda cwd, environ: list(self.places))
        monkeypatch.setattr(queues, "ask", self.ask)

    def silence(self, profile):
        self.silent[profile] = threading.Event()
        return self.silent[profile]

    def ask(self, place, runs):
        with self._lock:
            self.asked.append(place.profile)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            if event := self.silent.get(place.profile):
                assert event.wait(30)
            answer = self.answers.get(place.profile, (Allotment("main", "blue", (SHARE,), 3),))
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def cluster(monkeypatch):
    return Cluster(monkeypatch)


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def look(clock):
    found, store = survey.Survey(lambda: clock[0]), Store()

    def look(patience=10.0):
        return of_shape("shapes_survey:Queues", found.look(store, patience=patience))

    return look


def test_what_queues_have_is_told_for_each_profile(cluster, look):
    told = look()
    assert [each["profile"] for each in told["queues"]] == ["team", "other"]
    team = told["queues"][0]
    assert team["resources"] == [
        {"resource": "cpu", "flavor": "default", "used": 6.0, "mine": 2.0, "total": 8.0, "most": 12.0, "free": 4.0}
    ]
    assert (team["queue"], team["cluster_queue"], team["waiting"]) == ("main", "blue", 3)
    assert (team["pending"], told["pending"]) == (False, False)
    assert team["at"] is not None


def test_a_place_that_is_slow_is_pending_and_holds_nobody_up(cluster, look):
    event = cluster.silence("team")
    told = look(0.05)
    team, *others = told["queues"]
    assert (team["pending"], team["queue"], team["resources"], told["pending"]) == (True, "main", [], True)
    event.set()
    eventually(lambda: not look(0.05)["pending"])
    assert cluster.asked.count("team") == 1
    assert len(others) == 2 or not others[0]["pending"]


def test_many_who_ask_are_one_question_until_the_answer_is_old(cluster, look, clock):
    for _ in range(50):
        look()
    assert sorted(cluster.asked) == ["other", "team"]
    clock[0] += 16
    look()
    eventually(lambda: len(cluster.asked) == 4)


def test_what_was_known_is_told_while_it_is_asked_anew(cluster, look, clock):
    look()
    event = cluster.silence("team")
    clock[0] += 16
    team = look(0.0)["queues"][0]
    assert (team["pending"], team["resources"][0]["used"]) == (False, 6.0)
    event.set()
    eventually(lambda: not cluster.at_once)


def test_one_place_is_asked_one_question_at_a_time(cluster, look):
    same = [Place(f"p{n}", "", TEAM.target, (f"q{n}",)) for n in range(4)]
    cluster.places = same
    look()
    assert sorted(cluster.asked) == ["p0", "p1", "p2", "p3"]
    assert cluster.most == 1


def test_two_profiles_that_mean_the_same_are_asked_once(cluster, look):
    cluster.places = [TEAM, Place("twin", TEAM.where, TEAM.target, TEAM.queues)]
    told = look()
    assert [each["profile"] for each in told["queues"]] == ["team", "twin"]
    assert cluster.asked == ["team"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BackendError("cluster-silent", "It does not answer", why=HOSTILE), "It does not answer: "),
        (RuntimeError(HOSTILE), "It could not be asked: RuntimeError: "),
    ],
)
def test_a_place_that_refuses_is_told_with_the_reason(cluster, look, error, said):
    cluster.answers["team"] = error
    team = look()["queues"][0]
    assert team["unknown"] == said + HOSTILE.replace("\ud800", "?")
    assert (team["pending"], team["queue"], team["at"]) == (False, "main", None)


def test_what_a_place_had_said_stays_when_it_falls_silent_and_is_told_as_old(cluster, look, clock):
    at = look()["queues"][0]["at"]
    cluster.answers["team"] = BackendError("cluster-silent", "It does not answer")
    clock[0] += 16
    look()
    eventually(lambda: look()["queues"][0]["unknown"] == "It does not answer")
    team = look()["queues"][0]
    assert (team["resources"][0]["used"], team["at"]) == (6.0, at)


def test_a_profile_that_cannot_be_is_told_of_and_not_asked(cluster, look):
    cluster.places = [Place("typo", unknown="cpus = many is no number")]
    (typo,) = look()["queues"]
    assert (typo["profile"], typo["unknown"], typo["pending"]) == ("typo", "cpus = many is no number", False)
    assert cluster.asked == []


def test_names_of_a_cluster_come_through_as_data(cluster, look):
    cluster.answers["team"] = (Allotment(HOSTILE, HOSTILE, (Share(HOSTILE, HOSTILE),), unknown=HOSTILE),)
    team = look()["queues"][0]
    assert team["queue"] == team["unknown"] == team["resources"][0]["flavor"] == HOSTILE.replace("\ud800", "?")


def test_where_there_are_no_places_nothing_is_told(cluster, look):
    cluster.places = []
    assert look() == {"queues": [], "pending": False}


@pytest.fixture
def findings(monkeypatch):
    """What an examination finds, one by one as the test lets it."""
    made = Findings()
    monkeypatch.setattr(doctors, "examine", made.examine)
    return made


class Findings:
    def __init__(self):
        self.found = [Finding("settings", "ok", "Cells go here"), Finding("queue", "problem", HOSTILE, "Name another")]
        self.gate = threading.Semaphore(100)
        self.begun = 0

    def examine(self, resolved):
        self.begun += 1
        for each in self.found:
            assert self.gate.acquire(timeout=30)
            if isinstance(each, Exception):
                raise each
            yield each


def examined(found, profile="", patience=10.0):
    return of_shape("shapes_survey:Diagnosis", found.look(profile, patience=patience))


def test_an_examination_tells_every_finding(findings):
    told = examined(survey.Doctors())
    assert (told["done"], told["ok"], told["where"]) == (True, False, "this machine")
    assert [each["code"] for each in told["findings"]] == ["settings", "queue"]
    assert told["findings"][1]["what"] == HOSTILE.replace("\ud800", "?")


def test_findings_are_told_as_they_are_made(findings):
    findings.gate = threading.Semaphore(1)
    found = survey.Doctors()
    eventually(lambda: len(examined(found, patience=0.0)["findings"]) == 1)
    told = examined(found, patience=0.0)
    assert (told["done"], told["ok"], told["ended"]) == (False, None, None)
    findings.gate.release()
    assert examined(found)["done"]
    assert findings.begun == 1


def test_an_examination_is_done_again_some_time_after_its_end(findings, monkeypatch):
    found = survey.Doctors()
    examined(found)
    examined(found)
    assert findings.begun == 1
    monkeypatch.setattr(survey, "_SEEN", -1.0)
    examined(found)
    assert findings.begun == 2


def test_what_breaks_an_examination_is_a_finding(findings):
    findings.found = [RuntimeError(HOSTILE)]
    told = examined(survey.Doctors())
    assert (told["ok"], told["unanswered"]) == (False, ["doctor"])
    assert "RuntimeError" in told["findings"][0]["what"]


def test_a_profile_that_is_not_there_is_refused(findings):
    with pytest.raises(OptionError, match="there is no such profile"):
        survey.Doctors().look("<b>--mode</b>")
    assert findings.begun == 0


def test_what_looks_like_an_option_is_no_profile(findings):
    with pytest.raises(OptionError):
        survey.Doctors().look("--mode=docker")


def test_the_routes_answer_as_they_are_described():
    told = of_shape("shapes_survey:Queues", survey.queues(asked(Store())))
    assert told == {"queues": [], "pending": False}
    doctor = survey.doctor(asked(Store(), profile=""))
    eventually(lambda: survey.doctor(asked(Store(), profile=""))["done"])
    assert of_shape("shapes_survey:Diagnosis", doctor)["where"] == "this machine"
