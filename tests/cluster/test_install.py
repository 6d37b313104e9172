"""What tests need of Debian is installed where it is missing, by either script, and nothing else happens."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
POLICY = "/usr/sbin/policy-rc.d"
APT = f"""#!/bin/sh
echo "$@"
[ "$1" != install ] || {{ {POLICY}; echo "a service may start: $?"; exit $APT_SAYS; }}
"""


@pytest.fixture(params=["cluster", "services"])
def script(request) -> Path:
    return TESTS / request.param / "install.sh"


@pytest.fixture
def alone(tmp_path) -> str:
    """A PATH with next to nothing."""
    for name in ("chmod", "id", "rm", "uname"):
        (tmp_path / name).symlink_to(shutil.which(name))
    return str(tmp_path)


@pytest.fixture
def bare(tmp_path, alone):
    """Runs a script where nothing of Debian is to be seen, with an apt-get that only says what it was asked for."""
    (tmp_path / "apt-get").write_text(APT)
    (tmp_path / "apt-get").chmod(0o755)

    def run(script: Path, says: int = 0) -> subprocess.CompletedProcess[str]:
        mount = shutil.which("mount")
        inside = (
            f"{mount} -t tmpfs tests /usr/sbin; /bin/sh {script}; said=$?; [ ! -e {POLICY} ] || exit 99; exit $said"
        )
        environ = {"PATH": alone, "APT_SAYS": str(says)}
        words = [shutil.which("unshare"), "--mount", "/bin/sh", "-c", inside]
        return subprocess.run(words, env=environ, capture_output=True, text=True)

    return run


def test_what_is_there_is_not_installed_again(script):
    done = subprocess.run(["sh", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_missing_is_installed_and_no_service_is_started(script, bare):
    done = bare(script)
    assert done.returncode == 0
    assert done.stdout == ""
    first, update, install, policy = done.stderr.splitlines()
    names = first.removeprefix("installing ").removesuffix(" (once)")
    assert "docker-registry" in names.split()
    assert update == "update -qq"
    assert install == f"install -qq -y --no-install-recommends --no-upgrade --no-remove {names}"
    assert policy == "a service may start: 101"


def test_what_apt_cannot_install_is_told_last_and_is_a_failure(script, bare):
    done = bare(script, says=100)
    assert done.returncode == 100
    assert "docker-registry" in done.stderr.splitlines()[-1]
    assert "apt could not install them (see above)." in done.stderr.splitlines()[-1]


def test_from_its_own_folder_it_is_the_same(script):
    done = subprocess.run(["sh", script.name], cwd=script.parent, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_apt_it_is_one_sentence_with_the_way_out(script, alone):
    done = subprocess.run(["/bin/sh", script], env={"PATH": alone}, capture_output=True, text=True)
    assert done.returncode == 1
    assert ", and only root can install them, with apt: apt-get install " in done.stderr
    assert "docker-registry" in done.stderr
    assert done.stderr.count("\n") == 1
    assert script.parent.name != "cluster" or done.stderr.endswith("JOBQ_TEST_KUBECONFIG.\n")


def test_for_another_cluster_no_node_is_installed(alone):
    environ = {"PATH": alone, "JOBQ_TEST_KUBECONFIG": "/some/where"}
    done = subprocess.run(["/bin/sh", TESTS / "cluster/install.sh"], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
