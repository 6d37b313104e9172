import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jobq_magic.runtime import process
from tests.cluster import golang, layout, machine, processes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listens(monkeypatch):
    """A port of this process, which the cluster would want."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(machine, "PORTS", {port: ("etcd", "127.0.0.1")})
        yield port


def asked(check, *before):
    """What a check says in a process of its own, started by other words."""
    code = f"from tests.cluster import machine; print(machine.{check}())"
    done = subprocess.run([*before, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def says(told):
    """One sentence, that ends with how to do without."""
    assert told.endswith(machine.OTHER)
    assert "JOBQ_TEST_KUBECONFIG" in told
    assert "\n" not in told
    return told


def test_another_system_is_refused(monkeypatch):
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    assert "needs Linux, and this is Darwin" in says(machine.refusal("up"))
    for verb in ("down", "status"):
        assert machine.refusal(verb).endswith("use a virtual machine with Debian.")


def test_whoever_is_not_root_is_refused(monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    assert "needs root" in says(machine.refusal("up"))
    for verb in ("down", "status"):
        assert machine.refusal(verb).endswith('`sudo env "PATH=$PATH" make ...`, so that Go is still found.')


def test_programs_can_be_built_by_anybody(monkeypatch):
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine.build, "missing", lambda names: [])
    assert machine.refusal("build") is None


def test_somebody_elses_home_is_named(monkeypatch):
    def closed(names):
        raise PermissionError(13, "Permission denied", "/closed/cache")

    monkeypatch.setattr(machine.build, "missing", closed)
    assert machine.refusal("build").startswith("/closed/cache is closed to this user: ")


def test_packages_that_are_missing_are_named(monkeypatch, tmp_path):
    for name in ("sh", "uname"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {"containerd", "docker-registry"} <= set(machine.missing())
    assert "containernetworking-plugins" not in machine.missing()
    told = says(machine.refusal())
    assert "Debian's containerd docker-registry" in told
    assert "no apt-get" in told
    (tmp_path / "apt-get").symlink_to("/bin/true")
    assert "`sh tests/cluster/install.sh` installs them" in says(machine.refusal())


def test_root_without_its_rights_is_refused():
    less = ("setpriv", "--bounding-set", "-sys_admin,-net_admin")
    assert asked("_lacks_capabilities", *less).startswith("Root has no CAP_NET_ADMIN, CAP_SYS_ADMIN here")
    assert "gives root no network namespaces (" in asked("_lacks_kernel", *less)


def test_this_machine_has_what_a_node_needs():
    assert machine.missing() == []
    assert machine._lacks_kernel() is None
    assert machine._lacks_cgroups() is None
    assert machine._lacks_capabilities() is None


def test_trying_leaves_nothing_behind():
    before = subprocess.run(["ip", "link"], capture_output=True, text=True).stdout, os.listdir(layout.STATE.parent)
    machine._lacks_kernel()
    after = subprocess.run(["ip", "link"], capture_output=True, text=True).stdout, os.listdir(layout.STATE.parent)
    assert "jobq0" not in after[0]
    assert {name for name in after[1] if name.startswith(".jobq-")} == set()
    assert before[0].count("jobq1") == after[0].count("jobq1")


def test_a_port_of_somebody_else_is_named_with_its_holder(listens):
    told = says(f"{machine._ports_taken()} {machine.OTHER}")
    assert f"Port {listens}, of etcd, is taken by `" in told
    assert f"(pid {os.getpid()})" in told


def test_a_port_of_the_cluster_itself_is_no_hindrance(listens, monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "PIDS", tmp_path)
    processes._remember("etcd", process.identify(os.getpid()))
    assert machine._ports_taken() is None


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_the_same_port_at_another_address_is_no_hindrance(host, monkeypatch):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        monkeypatch.setattr(machine, "PORTS", {server.getsockname()[1]: ("etcd", "127.0.0.1")})
        assert machine._ports_taken() is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_port_that_is_taken_everywhere_is(host, monkeypatch):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        monkeypatch.setattr(machine, "PORTS", {server.getsockname()[1]: ("etcd", "127.0.0.1")})
        assert machine._ports_taken() is not None


def test_addresses_that_somebody_else_has_are_named_with_their_link():
    inside = ("unshare", "--net", "sh", "-c", 'ip addr add 198.18.7.7/32 dev lo && exec "$@"', "-")
    told = asked("_addresses_taken", *inside)
    assert told == "`lo` has 198.18.7.7, and 198.18.0.0/15 is for the cluster: take that link down."
    assert asked("_addresses_taken", "unshare", "--net") == "None"


def test_the_clusters_own_addresses_are_no_hindrance():
    make = f"ip link add {layout.BRIDGE} type bridge && ip addr add 198.18.0.1/24 dev {layout.BRIDGE}"
    assert asked("_addresses_taken", "unshare", "--net", "sh", "-c", f'{make} && exec "$@"', "-") == "None"


def test_a_disk_that_is_too_small_is_told_how_much_it_takes(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "STATE", tmp_path / "none" / "state")
    monkeypatch.setattr(machine, "ROOM", 1_000_000)
    assert f"GB free at {tmp_path}, and it takes 1000000 GB" in machine._lacks_room()
    (tmp_path / "none/state").mkdir(parents=True)
    assert machine._lacks_room() is None


def test_go_is_asked_for_only_where_something_is_to_be_built(monkeypatch, tmp_path):
    monkeypatch.delenv("JOBQ_CLUSTER_BINARIES", raising=False)
    monkeypatch.setattr(layout, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    golang._settings.cache_clear()
    told = machine.refusal("build")
    golang._settings.cache_clear()
    assert "Go, which is not on PATH" in told
    assert "JOBQ_TEST_KUBECONFIG" in told
    monkeypatch.setenv("JOBQ_CLUSTER_BINARIES", str(tmp_path))
    assert machine.refusal("build") is None
