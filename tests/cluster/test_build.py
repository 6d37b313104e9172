import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster import build, golang, layout, versions
from tests.cluster.steps import Failed
from tests.support import eventually


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """The modules of this checkout, to be changed at will, and nothing built yet."""
    folders = tmp_path / "go"
    shutil.copytree(golang.FOLDERS, folders)
    monkeypatch.setattr(golang, "FOLDERS", folders)
    monkeypatch.setattr(layout, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("JOBQ_CLUSTER_BINARIES", raising=False)
    golang._settings.cache_clear()
    yield folders
    golang._settings.cache_clear()


@pytest.fixture
def said():
    return []


@pytest.fixture
def pause(folders):
    """What `pause` is made of."""
    return folders / "kubernetes/pause/main.go"


def built():
    return sorted(path.name for path in (layout.CACHE / "pause").iterdir())


def program(name):
    return next(program for program in build.PROGRAMS if program.name == name)


def runs(pause):
    """Whether it is a program of this machine, which ends when it is asked to."""
    process = subprocess.Popen([pause])
    try:
        eventually(lambda: "SigCgt:\t0000000000000000" not in Path(f"/proc/{process.pid}/status").read_text())
        process.terminate()
        return process.wait(10) in (0, -signal.SIGTERM)  # the latter where it had not yet got so far as to listen
    finally:
        process.kill()


def without_go(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    golang._settings.cache_clear()


def test_a_program_is_built_once_and_found_again(said):
    build.ensure(["pause"], said.append)
    assert said[0].startswith("building pause with go1.")
    assert re.fullmatch(r"pause built in \d+\.\d s, \d MB", said[-1])
    assert runs(build.binary("pause"))
    said.clear()
    build.ensure(["pause"], said.append)
    assert said == []


def test_a_program_that_is_not_built_is_asked_for_by_name():
    with pytest.raises(Failed, match=r"`pause` is not built .*`make cluster-build` builds it"):
        build.binary("pause")
    assert build.missing(build.NEEDED) == list(build.NEEDED)


def test_a_name_that_nobody_knows_is_answered_with_the_known_ones(said):
    with pytest.raises(Failed, match="how to build paws; known are pause, etcd, kube"):
        build.ensure(["paws"], said.append)


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "pause/main.go"])
def test_another_content_is_another_key(folders, changed):
    before = build.key(program("pause"))
    path = folders / "kubernetes" / changed
    path.write_text(path.read_text() + "\n")
    assert build.key(program("pause")) != before


def test_a_program_does_not_hang_on_the_source_of_another(folders):
    before = build.key(program("pause"))
    (folders / "kubernetes/etcd/main.go").write_text("package main\n")
    assert build.key(program("pause")) == before


def test_of_one_program_the_two_builds_are_kept_that_were_used_last(pause, said):
    source, places = pause.read_text(), []
    for number in (1, 2, 1, 3):
        pause.write_text(f"{source}\n// {number}\n")
        build.ensure(["pause"], said.append)
        places.append(build.binary("pause").parent.name)
    first, second, again, third = places
    assert again == first
    assert built() == sorted({first, third})
    assert second not in built()


def test_a_source_that_does_not_compile_is_told_in_one_sentence(pause, said):
    pause.write_text(pause.read_text().replace("os.Exit(0)", "os.Leave(0)"))
    with pytest.raises(Failed) as told:
        build.ensure(["pause"], said.append)
    assert re.match(r"pause could not be built: `go build \./pause` in \S+/kubernetes said: ", str(told.value))
    assert re.search(r"pause/main\.go:\d+:\d+: undefined: os\.Leave", str(told.value))
    assert "\n" not in str(told.value)
    assert built() == []


def test_what_go_sum_does_not_name_is_neither_built_nor_added(folders, said):
    (folders / "kubernetes/go.sum").write_text("")
    go_mod = (folders / "kubernetes/go.mod").read_text()
    with pytest.raises(Failed, match=r"etcd could not be built: .*missing go\.sum entry"):
        build.ensure(["etcd"], said.append)
    assert (folders / "kubernetes/go.sum").read_text() == ""
    assert (folders / "kubernetes/go.mod").read_text() == go_mod


@pytest.mark.slow  # needs the sources of all modules, which nobody else does once the programs are built
@pytest.mark.parametrize("folder", sorted(path.parent.name for path in golang.FOLDERS.glob("*/go.mod")))
def test_each_go_mod_is_complete(folders, folder):
    packages = [program.package for program in build.PROGRAMS if program.folder == folder]
    before = {path: path.read_bytes() for path in folders.rglob("go.*")}
    asked = ["go", "list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", *packages]
    done = subprocess.run(asked, cwd=folders / folder, env=golang._environ(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in folders.rglob("go.*")} == before


def test_what_go_has_compiled_is_found_from_any_home(hostile_environment):
    assert not any(place.is_relative_to(hostile_environment) for place in golang.caches())


def test_a_users_own_flags_and_workspace_do_not_count(folders, said, monkeypatch, tmp_path):
    (tmp_path / "go.work").write_text("go 1.26.0\n")
    monkeypatch.setenv("GOFLAGS", "-mod=vendor -tags=other")
    monkeypatch.setenv("GOARCH", "s390x")
    build.ensure(["pause"], said.append)
    assert runs(build.binary("pause"))


def test_two_at_once_build_once(said):
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(build.ensure, ["pause"], said.append) for _ in range(2)]:
            done.result()
    assert len([line for line in said if "built in" in line]) == 1
    assert len(built()) == 1


def test_a_build_that_takes_long_says_how_far_it_is(said, monkeypatch):
    monkeypatch.setattr(golang, "OFTEN", 0.01)
    build.ensure(["pause"], said.append)
    assert re.fullmatch(r"pause: \d+ s so far, .*(compiled|downloaded).*", said[1])


def test_a_build_that_is_interrupted_leaves_nothing(said, monkeypatch):
    monkeypatch.setattr(golang, "OFTEN", 0.01)

    def interrupt(text):
        if "so far" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.ensure(["pause"], interrupt)
    assert built() == []
    build.ensure(["pause"], said.append)
    assert len(built()) == 1


def test_what_is_to_be_downloaded_is_said_before(folders, monkeypatch, tmp_path, said):
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    golang._settings.cache_clear()
    named = len(golang.modules(folders / "coredns"))
    assert named > 40
    build._announce([program("coredns")], said.append)
    assert said[1] == f"of {named} Go modules {named} are to be downloaded: about {build.SIZES['coredns']} MB"
    (tmp_path / "modules/github.com/coredns/coredns@v1.14.7").mkdir(parents=True)
    build._announce([program("coredns")], said.append)
    assert said[3].startswith(f"of {named} Go modules {named - 1} are to be downloaded: ")


def test_what_two_programs_share_is_downloaded_once(folders, monkeypatch, tmp_path, said):
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    golang._settings.cache_clear()
    shutil.rmtree(folders / "kuberay")
    shutil.copytree(folders / "coredns", folders / "kuberay")
    build._announce([program("coredns"), program("kuberay")], said.append)
    assert said[1].endswith(f"about {build.SIZES['coredns']} MB")


def test_pause_needs_no_module(monkeypatch, tmp_path, said):
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    golang._settings.cache_clear()
    build._announce([program("pause")], said.append)
    assert len(said) == 1


def test_modules_are_found_however_go_spells_them():
    assert golang.escaped("github.com/NYTimes/gziphandler") == "github.com/!n!y!times/gziphandler"


def test_without_go_what_is_built_is_found(said, monkeypatch, tmp_path):
    build.ensure(["pause"], said.append)
    place = build.binary("pause")
    without_go(monkeypatch, tmp_path)
    assert build.binary("pause") == place


def test_without_go_nothing_is_built_and_the_ways_out_are_named(said, monkeypatch, tmp_path):
    without_go(monkeypatch, tmp_path)
    with pytest.raises(Failed, match=r"Go, which is not on PATH: install Go 1\.26\S* or newer, .*JOBQ_TEST_KUBECONFIG"):
        build.ensure(["pause"], said.append)


def test_a_go_that_is_too_old_is_told_what_is_needed(folders, said, monkeypatch):
    path = folders / "kubernetes/go.mod"
    path.write_text(path.read_text().replace("\ngo 1.26.0\n", "\ngo 1.999.0\n"))
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    with pytest.raises(Failed, match=r"Go 1\.999\.0 or newer, not go1\.\S+: install it, or name"):
        build.ensure(["pause"], said.append)


def test_programs_of_another_folder_are_taken_as_they_are(said, monkeypatch, tmp_path):
    for name in ("etcd", "pause"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("JOBQ_CLUSTER_BINARIES", str(tmp_path))
    build.ensure(["etcd", "pause"], said.append)
    assert said == []
    assert build.binary("etcd") == tmp_path / "etcd"
    with pytest.raises(Failed, match=f"JOBQ_CLUSTER_BINARIES names {tmp_path}, and there is no `kube` in it"):
        build.ensure(["kube"], said.append)


def test_what_describes_a_deployment_is_kept_beside_its_program(folders, said, monkeypatch, tmp_path):
    theirs, ours = tmp_path / "theirs", folders / "toy"
    for path, text in {
        theirs / "go.mod": "module example.test/theirs\n\ngo 1.26.0\n",
        theirs / "cmd/main.go": "package main\n\nfunc main() {}\n",
        theirs / "config/default/deployment.yaml": "kind: Deployment\n",
        ours / "go.mod": "module jobq.test/toy\n\ngo 1.26.0\n\nrequire example.test/theirs v0.0.0\n\n"
        "replace example.test/theirs => ../../theirs\n",
        ours / "go.sum": "",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (theirs / "config/default").chmod(0o555)  # as Go keeps them
    toy = build.Program("toy", "toy", "example.test/theirs/cmd", manifests="config")
    monkeypatch.setattr(build, "PROGRAMS", (toy,))
    assert build.module("toy") == theirs
    build.ensure(["toy"], said.append)
    shutil.rmtree(theirs)
    kept = build.module("toy") / "config/default"
    assert (kept / "deployment.yaml").read_text() == "kind: Deployment\n"
    assert os.access(kept, os.W_OK)
    assert kept.stat().st_mode & 0o200


def test_a_program_without_manifests_has_no_sources_to_show():
    with pytest.raises(Failed, match="`etcd` has no manifests of its own; those have: kueue, kuberay, kwok"):
        build.module("etcd")


def directly(text):
    """What a go.mod asks for by itself."""
    text = re.sub(r"^replace \(.*?^\)", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^(?:require )?\s*(\S+\.\S+) (v\S+)( // indirect)?$", text, re.MULTILINE)
    return {(module, version) for module, version, indirect in found if not indirect}


def test_the_table_of_versions_is_what_go_mod_says(folders):
    for folder in folders.iterdir():
        named = {(pinned.module, pinned.version) for pinned in versions.TABLE if pinned.folder == folder.name}
        assert directly((folder / "go.mod").read_text()) == named, folder.name
    assert all(pinned.reason.endswith(".") for pinned in versions.TABLE)


def test_all_libraries_of_kubernetes_are_of_one_release(folders):
    text = (folders / "kubernetes/go.mod").read_text()
    replaced = set(re.findall(r"^\s*k8s\.io/\S+ => k8s\.io/\S+ (v\S+)$", text, re.MULTILINE))
    assert replaced == {versions.version("k8s.io/component-base")}
    assert versions.version("k8s.io/kubernetes").replace("v1.", "v0.") in replaced
