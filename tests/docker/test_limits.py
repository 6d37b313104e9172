"""What a container is given of this machine: users, volumes, secrets, CPUs, memory; and what is refused before."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from jobq_magic import container
from jobq_magic.backends import dockerrun
from jobq_magic.backends.docker import DockerBackend
from jobq_magic.engine import containers
from jobq_magic.engine.containers import Mount
from jobq_magic.errors import BackendError
from jobq_magic.images import layout
from jobq_magic.places import runtime_dir
from jobq_magic.runtime import contained
from jobq_magic.words import say

CANARY = "canary-7f3a91"


def test_the_job_is_who_submits_and_its_files_are_theirs(place):
    cell = place.run("import os, getpass\nopen('mine', 'w').close()\n(os.getuid(), os.getgid(), getpass.getuser())")
    assert cell.value[:2] == (os.getuid(), os.getgid())
    out = cell.run.paths.attempt(1)
    assert {path.stat().st_uid for path in out.folder.iterdir()} == {os.getuid()}


def test_an_image_with_a_user_of_its_own_runs_as_that_user_and_its_results_can_be_read(place, as_user):
    cell = place.run(
        "import os\nprint('hello')\nback = bytes(2 << 20)\nopen('mine', 'w').close()\n(os.getuid(), os.getgid())",
        recipe=as_user,
        outs=("back",),
    )
    assert cell.value == (1234, 1234)
    assert cell.stdout == "hello\n"
    assert cell.outcome.names["back"] == bytes(2 << 20)
    others = [path for path in (place.store.root, *place.store.root.parents) if not path.stat().st_mode & 0o001]
    assert others, "nobody else may come as far as the run's folder"


def test_an_image_with_a_user_is_refused_where_others_could_write_into_the_store(place, as_user, monkeypatch):
    monkeypatch.setattr(dockerrun.stat, "S_IXOTH", 0o777)  # as if all folders above were open
    cell = place.start("1", recipe=as_user)
    assert cell.end().reason == "refused"
    assert "others could write" in cell.snapshot.facts["error"]


def test_a_volume_can_be_read_and_written_and_one_that_is_read_only_cannot(place, tmp_path):
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "there").write_text(name)
    cell = place.run(
        "read = [open(f'/{name}/there').read() for name in ('o', 's')]\n"
        "open('/o/new', 'w').write('from the job')\n"
        "try: open('/s/new', 'w')\n"
        "except OSError as error: read.append(error.strerror)\n"
        "read",
        volume=(f"{tmp_path}/open:/o", f"{tmp_path}/shut:/s:ro"),
    )
    assert cell.value == ["open", "shut", "Read-only file system"]
    assert (tmp_path / "open/new").read_text() == "from the job"


def test_a_volume_of_the_engine_outlives_the_container(place):
    name = "jobq-test-volume"
    place.engine.api.create_volume(name)
    try:
        place.run("open('/v/x', 'w').write('kept')", volume=(f"{name}:/v",))
        assert place.run("open('/v/x').read()", volume=(f"{name}:/v",)).value == "kept"
        DockerBackend().check({"volume": (f"{name}:/v",)}, {})
    finally:
        for cell, _, _ in containers.labelled(place.engine, dockerrun.LABEL):
            place.engine.api.remove_container(cell, force=True)
        place.engine.api.remove_volume(name)


def test_secrets_reach_the_job_and_nothing_that_can_be_inspected(place):
    cell = place.start(
        "import os, time\nprint('up')\nwhile not os.path.exists('/tmp/go'): time.sleep(0.02)\nlen(os.environ['TOKEN'])",
        secret={"TOKEN": None},
        secrets={"TOKEN": CANARY},
    )
    cell.until("up")
    assert CANARY not in json.dumps(place.engine.api.inspect_container(cell.container))
    command = place.engine.api.exec_create(cell.container, ["sh", "-c", "env; cat /proc/1/environ; : > /tmp/go"])
    assert CANARY.encode() not in place.engine.api.exec_start(command)
    assert cell.end().phase == "succeeded"
    assert cell.value == len(CANARY)
    for path in cell.run.folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


def test_a_run_whose_secrets_are_gone_is_not_started_without_them(place):
    cell = place.start("1", secret={"TOKEN": None})
    assert (cell.end().phase, cell.snapshot.reason) == ("failed", "refused")
    assert "secrets of this run are gone" in cell.snapshot.facts["error"]


def test_no_secret_is_left_on_the_disk_of_a_run_that_has_ended(place):
    place.run("1", secret={"TOKEN": None}, secrets={"TOKEN": CANARY})
    assert [path for path in runtime_dir().rglob("*") if path.is_file() and CANARY in path.read_text()] == []


def test_cpus_are_a_share_that_libraries_know_of(place):
    cell = place.run(
        "import os, time\n"
        "spent, began = time.process_time(), time.monotonic()\n"
        "while time.monotonic() < began + 1: pass\n"
        "(os.environ['OMP_NUM_THREADS'], (time.process_time() - spent) / (time.monotonic() - began))",
        cpus=0.2,
    )
    threads, share = cell.value
    assert threads == "1"
    assert share < 0.5


def test_shared_memory_is_half_of_the_memory_where_nothing_was_asked_for(place):
    size = "import os\nseen = os.statvfs('/dev/shm')\nseen.f_blocks * seen.f_frsize"
    assert place.run(size, memory="512Mi").value == 256 << 20
    assert place.run(size, shm="100Mi").value == 100 << 20
    assert place.run(size).value > 64 << 20


def test_no_swap_comes_on_top_of_the_memory(place):
    cell = place.start("1", memory="100Mi")
    host = place.engine.api.inspect_container(cell.container)["HostConfig"] if place.state(cell) else None
    cell.end()
    wanted = dockerrun.wanted(place.engine, cell.run, 1, "x").told()["HostConfig"]
    assert (wanted["Memory"], wanted["MemorySwap"]) == (100 << 20, 100 << 20)
    assert host is None or host["Memory"] == 100 << 20


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"cpus": 10_000}, "--cpus 10000 is more than Docker has here"),
        ({"cpus": 0.001}, "--cpus 0.001 is less than a container needs"),
        ({"volume": ("/tmp:/",)}, "--volume /tmp:/: a volume at / would hide what runs the cell"),
        ({"volume": ("/tmp:/opt/jobq/x",)}, "--volume /tmp:/opt/jobq/x: a volume at /opt/jobq/x would hide"),
        ({"volume": ("/tmp:/x", "/usr:/x/")}, "--volume /usr:/x/: there is another one at /x"),
        ({"memory": "1Mi"}, "--memory 1Mi is less than a container needs"),
        ({"gpus": 1}, "--gpus 1: this Docker Engine cannot give GPUs to containers"),
        ({"volume": ("/not/there:/x",)}, "--volume /not/there:/x: there is no /not/there"),
        ({"volume": ("never-made:/x",)}, "--volume never-made:/x: Docker has no volume never-made"),
        ({"secret": {"NOT_SET_HERE": None}}, "--secret NOT_SET_HERE: NOT_SET_HERE is not set in this environment"),
    ],
    ids=str,
)
def test_what_the_engine_cannot_give_is_refused_before_anything_is_done(engine, asked, sentence):
    backend = DockerBackend()
    with pytest.raises(BackendError) as refused:
        backend.check(asked, {})
    assert refused.value.what.startswith(sentence)
    assert refused.value.do
    backend.close()


def test_what_can_be_given_is_not_refused(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("SET", "1")
    backend = DockerBackend()
    asked = {"cpus": 1, "memory": "1Gi", "volume": (f"{tmp_path}:/x:ro",), "secret": {"T": "SET"}, "gpus": None}
    backend.check(asked, {})
    backend.close()


def test_the_folder_of_a_run_that_the_engine_does_not_see_is_told(place, monkeypatch):
    run = place.open("1")
    monkeypatch.setattr(dockerrun, "Mount", elsewhere(run))
    cell = place.follow(run)
    assert cell.end().phase == "failed"
    assert "does not see" in cell.snapshot.facts["error"]
    assert place.state(cell) is None


def elsewhere(run):
    """Mounts as an engine has them that does not see this machine's disk."""

    def mount(source, *rest, **more):
        return Mount(source.replace(str(run.folder), f"{run.folder}-of-another-machine"), *rest, **more)

    return mount


def test_another_folder_in_the_place_of_the_runs_is_told(place, tmp_path, monkeypatch):
    run = place.open("1")
    monkeypatch.setattr(dockerrun, "Mount", lambda _, *rest, **more: Mount(str(tmp_path), *rest, **more))
    cell = place.follow(run)
    assert (cell.end().reason, say(cell.snapshot).sentence) == (
        "folder-unseen",
        "The Docker Engine does not see the folder of the run",
    )


def test_the_paths_in_the_command_are_those_of_images():
    assert (dockerrun._BUNDLE, container.PATH) == (layout.BUNDLE, layout.PATH)
    assert contained._HOME == layout.HOME


def test_who_is_unknown_in_an_image_with_a_user_of_its_own_has_a_home_that_can_be_written(place, monkeypatch):
    settings = {**place.base.config["config"], "User": "daemon"}
    base = replace(place.base, key=f"{place.base.key}-daemon", config={**place.base.config, "config": settings})
    monkeypatch.setattr(dockerrun, "_submitter", lambda _: "4711:4711")
    run = place.open("import os\nopen(os.path.expanduser('~/here'), 'w').close()\nos.environ['HOME']", base=base)
    run.paths.attempt(1).folder.mkdir(parents=True)
    dockerrun._open_to_others(run, 1)
    cell = place.follow(run)
    cell.end()
    assert cell.value == layout.HOME
