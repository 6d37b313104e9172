"""What the kernel says of memory that was out, as it says it in both versions of control groups."""

from __future__ import annotations

import pytest

from jobq_magic.runtime import shortage
from jobq_magic.runtime.ends import ending
from jobq_magic.runtime.main import Job


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes files of a control group, and lets them be those of this process."""

    def write(*lines, **files):
        known = tmp_path / "known"
        known.write_text("".join(f"{line}\n" for line in lines))
        for name, text in files.items():
            path = tmp_path / "fs" / name.replace("__", "/").replace("_of_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(shortage, "_ROOT", str(tmp_path / "fs"))
        monkeypatch.setattr(shortage, "_OWN", str(known))

    return write


def test_version_2_by_its_path(groups):
    groups(
        "0::/user/jobs",
        user__jobs__memory_of_events="low 0\noom 2\noom_kill 3\n",
        user__jobs__memory_of_max="536870912\n",
    )
    assert (shortage.killed(), shortage.limit()) == (3, 512 << 20)


def test_version_2_in_a_container_where_the_path_is_not_seen(groups):
    groups("0::/docker/4711", memory_of_events="oom_kill 1\n", memory_of_max="max\n")
    assert (shortage.killed(), shortage.limit()) == (1, None)


def test_version_1_in_a_container(groups):
    files = {"memory__memory_of_oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"}
    files["memory__memory_of_limit_in_bytes"] = "67108864\n"
    groups("7:cpu,cpuacct:/x", "5:memory:/docker/4711", "0::/", **files)
    assert (shortage.killed(), shortage.limit()) == (4, 64 << 20)


def test_version_1_without_a_limit(groups):
    groups("5:memory:/", memory__memory_of_limit_in_bytes="9223372036854771712\n")
    assert shortage.limit() is None


def test_nothing_is_known_where_nobody_counts(groups):
    groups("0::/", memory_of_events="low 0\n")
    assert (shortage.killed(), shortage.limit()) == (None, None)


def test_a_machine_without_control_groups_tells_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(shortage, "_OWN", str(tmp_path / "none"))
    assert (shortage.killed(), shortage.limit()) == (None, None)


def test_this_process_can_be_asked():
    assert shortage.killed() is None or shortage.killed() >= 0


@pytest.mark.parametrize(
    ("status", "short", "reason"),
    [
        (9, {"limit": 1 << 20}, "out-of-memory"),
        (9, {}, "machine-out-of-memory"),
        (9, None, "killed"),
        (None, {"limit": 1 << 20}, "out-of-memory"),
        (11, {"limit": 1 << 20}, "signal"),
        (256, {"limit": 1 << 20}, "exit"),
    ],
)
def test_a_job_that_the_kernel_ended_while_memory_was_out_ran_out_of_memory(tmp_path, status, short, reason):
    job = Job.at(str(tmp_path), 1)
    assert ending(job, status, "", short)["reason"] == reason
