"""What the judge of faults finds wrong: each thing that must not happen is seen when it does."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from tests.cluster.kueue.judge import Heard, judge, untold

ROAD = ("capturing", "building", "submitting", "queued", "starting", "running", "collecting", "succeeded")
KEY = b"k" * 32


class Made:
    """A run's folder, as it is where all went well."""

    def __init__(self, folder):
        self.folder = folder
        self.heard = [Heard("jobq-a", 0, 1.0, 2.0, 40, 2, 40)]
        (folder / "key").write_bytes(KEY)
        self.record(*ROAD)
        self.pods({"jobq-a": (1, 0)})
        self.print("jobq-a", range(40))
        self.result()

    def record(self, *phases, reason="", **more):
        events = [{"gen": 1, "phase": phase} for phase in phases]
        events[-1] |= {"reason": reason, **more}
        (self.folder / "record.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))

    def note(self, text):
        with (self.folder / "record.jsonl").open("a") as file:
            file.write(json.dumps({"gen": 1, "note": text}) + "\n")

    def pods(self, places):
        known = [{"name": name, "attempt": attempt, "rank": rank} for name, (attempt, rank) in places.items()]
        (self.folder / "pods.json").write_text(json.dumps({"pods": known}))

    def print(self, pod, numbers, attempt=1, complaints=range(2), more="", rank=0):
        where = self.folder / f"attempts/{attempt}" / (f"workers/{rank}" if rank else "")
        where.mkdir(parents=True, exist_ok=True)
        with (where / "stdout").open("a" if rank else "w") as file:
            file.write("".join(f"{pod} line {number} \n" for number in numbers))
        said = "".join(f"{pod} complaint {number}\n" for number in complaints)
        (where / "stderr").write_text(said + more)

    def tasks(self, *counts):
        """Executions of a task of the cell, one after the other in one pod, of which the last came to its end."""
        self.pods({"jobq-a": (1, 0), "jobq-w": (1, 1)})
        for number, count in enumerate(counts):
            who, value = f"jobq-w/{number}", count if number == len(counts) - 1 else None
            self.heard.append(Heard("jobq-w", -1, 1.0 + number, 2.0 + number, count, 0, value, who))
            self.print(who, range(count), complaints=(), rank=1)

    def result(self, attempt=1, key=KEY, folder=1):
        told = {"run": self.folder.name, "attempt": attempt, "status": "ok", "names": {}}
        line = json.dumps(told).encode()
        mac = hmac.new(key, line, hashlib.sha256).hexdigest().encode()
        path = self.folder / f"attempts/{folder}/result.json"
        path.write_bytes(line + b"\n" + mac + b"\n")

    def problems(self, *ends, attempts=1):
        return judge(self.folder, self.heard, ends or ("succeeded",), attempts=attempts).problems


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def test_a_run_of_which_all_is_there_is_found_right(made):
    found = judge(made.folder, made.heard, ("succeeded",))
    assert (found.problems, found.end, found.lines, found.result) == ([], "succeeded", 42, "ok")


def lost(made):
    made.print("jobq-a", [*range(10), *range(13, 40)])


def twice(made):
    made.print("jobq-a", [*range(10), 9, *range(10, 40)])


def short(made):
    made.print("jobq-a", range(30))


def another(made):
    made.pods({"jobq-a": (1, 0), "jobq-b": (1, 0)})
    made.print("jobq-b", range(40))


def too_many(made):
    made.print("jobq-a", range(50))


def at_once(made):
    made.heard.append(Heard("jobq-b", 0, 1.5, 3.0))


def forged(made):
    made.result(key=b"x" * 32)


def of_another_attempt(made):
    made.result(attempt=2)


def no_way(made):
    made.record("capturing", "queued", "succeeded")


def no_end(made):
    made.record(*ROAD[:-1])


def other_end(made):
    made.record(*ROAD[:-1], "lost", reason="job-deleted")


def no_reason(made):
    made.record(*ROAD[:-1], "failed")


def not_finished(made):
    made.heard[0].value = None


def twice_in_an_attempt(made):
    made.heard.append(Heard("jobq-b", 0, 3.0, 4.0))
    made.pods({"jobq-a": (1, 0), "jobq-b": (1, 0)})


def task_cut(made):
    made.tasks(10, 20)
    path = made.folder / "attempts/1/workers/1/stdout"
    path.write_text(path.read_text().replace("jobq-w/0 line 9 \n", ""))


def task_taken_for_the_cell(made):
    made.tasks(10)
    made.pods({"jobq-a": (1, 0), "jobq-w": (1, 0)})


def task_unknown(made):
    made.tasks(10)
    made.pods({"jobq-a": (1, 0)})


def never(made):
    made.record("capturing", "lost", reason="never-started")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lost, "3 lines of jobq-a are missing, and 0 are said to be"),
        (twice, "has line 9 after 9"),
        (short, "the last 10 lines of stdout of jobq-a are missing, and nobody says so"),
        (another, "has a line of b'jobq-b'"),
        (too_many, "goes to 49, and it printed 40"),
        (at_once, "executed it at the same time"),
        (forged, "the signature of its result is wrong"),
        (of_another_attempt, "its result is that of attempt 2"),
        (twice_in_an_attempt, "2 pods executed it as worker 0 of attempt 1"),
        (task_cut, "the last 1 lines of stdout of jobq-w/0 are missing, and nobody says so"),
        (task_taken_for_the_cell, "jobq-w is worker of Ray, and taken for 0"),
        (task_unknown, "nothing is known of jobq-w, which printed 10 lines"),
        (no_way, "queued is said to follow capturing"),
        (no_end, "it has no end"),
        (other_end, "that is no end for it"),
        (no_reason, "no reason is given"),
        (not_finished, "without having come to its end"),
        (never, "never to have started, and it did"),
    ],
)
def test_what_must_not_happen_is_found(made, break_it, said):
    break_it(made)
    assert any(said in problem for problem in made.problems())


def test_a_task_may_be_executed_again_in_the_pod_of_the_one_that_was_killed(made):
    made.tasks(10, 20)
    assert made.problems() == []
    made.pods({"jobq-a": (1, 0), "jobq-w": (1, 2)})
    assert made.problems() != []


def test_a_cause_must_be_named():
    assert untold("gcs_server|raylet", ("The cell is running", "Ray has ended: gcs_server [exit code=-9]")) == ""
    assert untold("gcs_server|raylet", ("The cell is running", "Failed")) == "nobody was told of 'gcs_server|raylet'"


def test_a_loss_that_is_told_is_none_where_it_is_just_as_large(made):
    made.print("jobq-a", [*range(10), *range(13, 40)], more="[3 lines lost by the cluster]\n")
    assert made.problems() == []
    made.print("jobq-a", [*range(10), *range(13, 40)], more="[2 lines lost by the cluster]\n")
    assert made.problems() != []


def test_an_end_that_nobody_could_read_may_be_missing_where_that_is_told(made):
    made.heard[0].value = None
    made.record(*ROAD[:-2], "lost", reason="job-deleted")
    made.note("What jobq-a printed last may be missing: it was gone before all of it was read")
    (made.folder / "attempts/1/result.json").unlink()
    short(made)
    assert made.problems("lost:job-deleted") == []


def test_a_second_attempt_must_be_allowed_and_have_a_folder_of_its_own(made):
    made.heard = [Heard("jobq-a", 0, 1.0, 2.0, 40, 2), Heard("jobq-b", 0, 3.0, 4.0, 20, 1, 20)]
    made.record(*ROAD, attempt=2)
    made.pods({"jobq-a": (1, 0), "jobq-b": (2, 0)})
    made.print("jobq-b", range(20), attempt=2, complaints=range(1))
    made.result(attempt=2, folder=2)
    assert made.problems(attempts=2) == []
    assert made.problems() == ["it took 2 attempts"]
