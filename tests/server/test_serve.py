from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from jobq_magic.runs.store import Store
from jobq_magic.server.serve import application
from jobq_magic.server.view import View
from tests.support import eventually

XSS = "<script>alert(1)</script>"


class Served:
    """One `jobq serve`, and what a browser or a program asks of it."""

    def __init__(self, *words, **env):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.jobq", "serve", "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
            cwd=Path(__file__).parents[2],
        )
        self.known = json.loads(self.process.stdout.readline())
        self.base = f"http://127.0.0.1:{self.known['port']}/"
        self.token = self.known["token"]

    def ask(self, path="", method="GET", token=None, opener=None, **headers):
        """Status and text of an answer."""
        if token:
            headers["Authorization"] = f"token {token}"
        request = urllib.request.Request(self.base + path, method=method, headers=headers)
        try:
            with (opener or urllib.request.build_opener()).open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def browser(self):
        """A browser that came with the printed address: it has a cookie, and no token any more."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with opener.open(self.known["address"], timeout=20) as page:
            assert page.status == 200
            assert "token" not in page.url
        return opener

    def end(self, how=signal.SIGTERM):
        """Exit status, and what was said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@pytest.fixture
def served():
    every = []

    def start(*words, **env):
        every.append(Served(*words, **env))
        return every[-1]

    yield start
    for one in every:
        one.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for all who only ask."""
    with pytest.MonkeyPatch.context() as env:
        base = tmp_path_factory.mktemp("served")
        (base / "rt").mkdir(mode=0o700)
        env.setenv("JOBQ_HOME", str(base / "störe"))
        one = Served(JOBQ_RUNTIME_DIR=str(base / "rt"))
    yield one
    one.end()


def made(store, name="fit", *phases, **last):
    run = store.open(
        spec={"mode": "kueue", "workers": None, "labels": {}},
        target={"backend": "kueue", "where": "queue team-a"},
        name=name,
    )
    for number, phase in enumerate(phases, 1):
        store.append(run, phase=phase, at=run.created + number, **(last if number == len(phases) else {}))
    return run


@pytest.fixture
def there(shared):
    """The store of that server."""
    return Store(Path(shared.known["store"]))


def test_nobody_is_let_in_without_the_token(shared, there):
    run = made(there, "secret-name", "submitting", "failed")
    for path in ("", f"runs/{run.id}", "nothing", "jobq-magic/runs", "jobq-magic/about", f"jobq-magic/runs/{run.id}"):
        for token in (None, "", "wrong", shared.token[:-1]):
            status, said = shared.ask(path, token=token)
            assert status == 403, path
            assert "secret-name" not in said
    assert shared.ask(f"?token={'0' * 48}")[0] == 403


def test_a_browser_comes_with_the_token_once_and_then_has_a_cookie(shared, there):
    made(there, "from-a-browser", "submitting", "failed")
    browser = shared.browser()
    status, page = shared.ask(opener=browser)
    assert status == 200
    assert "from-a-browser" in page
    assert json.loads(shared.ask("jobq-magic/runs", opener=browser)[1])["rows"]


def test_a_program_sends_the_token_in_a_header(shared):
    status, said = shared.ask("jobq-magic/about", token=shared.token)
    assert (status, json.loads(said)["store"]) == (200, shared.known["store"])


def test_a_page_of_another_site_that_calls_us_by_its_own_name_is_let_in_nowhere(shared):
    for host in ("evil.example", f"evil.example:{shared.known['port']}", "127.0.0.1.evil.example", "10.0.0.1", "["):
        assert shared.ask("jobq-magic/runs", token=shared.token, Host=host)[0] in (400, 403), host
        assert shared.ask("", token=shared.token, Host=host)[0] in (400, 403), host
    assert shared.ask("jobq-magic/runs", token=shared.token, Host=f"localhost:{shared.known['port']}")[0] == 200


def test_a_browser_changes_nothing_without_xsrf_and_from_another_site(shared, there):
    run = made(there, "fit", "submitting", "queued")
    browser = shared.browser()
    assert shared.ask(f"jobq-magic/runs/{run.id}/stop", "POST", opener=browser)[0] == 403
    assert shared.ask(f"jobq-magic/runs/{run.id}", "DELETE", opener=browser)[0] == 403
    assert shared.ask("jobq-magic/runs", opener=browser, Origin="https://evil.example")[0] in (403, 404)
    assert run.stop == ""


def test_names_and_errors_of_strangers_are_shown_as_text(shared, there):
    run = made(there, f"{XSS}\u202e", "submitting", "failed", reason="exception", facts={"error": XSS})
    for path in ("", f"runs/{run.id}"):
        status, page = shared.ask(path, token=shared.token)
        assert status == 200
        assert "<script" not in page
        assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_pages_load_nothing_and_run_nothing(shared):
    request = urllib.request.Request(shared.base, headers={"Authorization": f"token {shared.token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy


def test_a_run_has_a_page_with_what_it_printed(shared, there):
    run = made(there, "prints", "submitting", "running")
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).stdout.write_text("one line\nanother <b>line</b>\n")
    there.append(run, phase="collecting")
    there.append(run, phase="failed", reason="exit", facts={"exit_code": 3})
    status, page = shared.ask(f"runs/{run.id}", token=shared.token)
    assert status == 200
    assert "one line" in page
    assert "another &lt;b&gt;line" in page
    assert "exit status 3" in page


@pytest.mark.parametrize("odd", ["no-such-run", "..%2f..%2fetc", "x%00", "%E2%80%AE", "A", "x" * 500])
def test_a_run_that_is_not_there_has_no_page(shared, odd):
    status, page = shared.ask(f"runs/{odd}", token=shared.token)
    assert status == 404
    assert "Traceback" not in page


def test_it_listens_on_the_loopback_address_alone(shared):
    port = f"{shared.known['port']:04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if f":{port} " in line]
    assert {address.partition(":")[0] for address in listening} == {"0100007F"}
    assert not [line for line in Path("/proc/net/tcp6").read_text().splitlines()[1:] if line.split()[1].endswith(port)]


def test_two_users_of_one_machine_do_not_see_each_others_runs(served, tmp_path):
    ones = {}
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir(mode=0o700)
        made(Store(tmp_path / name / "store"), f"of-{name}", "submitting", "failed")
        ones[name] = served(JOBQ_HOME=str(tmp_path / name / "store"), JOBQ_RUNTIME_DIR=str(tmp_path / name))
    ada, bob = ones["ada"], ones["bob"]
    assert ada.token != bob.token
    for one, other, name in ((ada, bob, "ada"), (bob, ada, "bob")):
        rows = json.loads(one.ask("jobq-magic/runs", token=one.token)[1])["rows"]
        assert [row["name"] for row in rows] == [f"of-{name}"]
        assert one.ask("jobq-magic/runs", token=other.token)[0] == 403
        cookies = next(each for each in one.browser().handlers if hasattr(each, "cookiejar")).cookiejar
        stolen = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)
        renamed = stolen.replace(str(one.known["port"]), str(other.known["port"]))
        assert other.ask("jobq-magic/runs", Cookie=stolen)[0] == 403
        assert other.ask("jobq-magic/runs", Cookie=renamed)[0] == 403


def test_each_server_signs_its_cookies_with_a_secret_of_its_own(hostile_environment):
    views = [View(Store()) for _ in range(2)]
    secrets = {application(view, "token").settings["cookie_secret"] for view in views}
    for view in views:
        view.close()
    assert len(secrets) == 2
    assert {len(secret) for secret in secrets} == {32}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_and_well_and_tells_pages_that_listen(served, how):
    one = served()
    page = _websocket(one)
    began = time.monotonic()
    status, said = one.end(how)
    assert (status, said) == (0, "")
    assert time.monotonic() - began < 5
    frames = b""
    with contextlib.suppress(ConnectionResetError):
        while more := page.recv(65536):
            frames += more
    page.close()
    assert b"\x88" in frames
    assert (1001).to_bytes(2, "big") in frames


def _websocket(one):
    page = socket.create_connection(("127.0.0.1", one.known["port"]), timeout=20)
    page.sendall(
        (
            f"GET /jobq-magic/changes HTTP/1.1\r\nHost: 127.0.0.1:{one.known['port']}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: token {one.token}\r\n\r\n"
        ).encode()
    )
    told = b""
    while b'"hello"' not in told:
        told += page.recv(65536)
    assert told.startswith(b"HTTP/1.1 101")
    return page


def test_a_port_that_is_taken_is_one_sentence(jobq):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = jobq("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert re.match("Port [0-9]+ of this machine is taken\\n", done.stderr)
    assert len(done.stderr.splitlines()) == 2
    assert "--port" in done.stderr


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_a_port_that_is_none_is_refused(jobq, port):
    done = jobq("serve", "--port", port)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_what_it_needs_it_says_what_to_install(jobq):
    done = jobq("serve", without="jupyter_server")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "jobq serve needs what is not installed: jupyter_server",
        "  pip install 'jobq-magic[server]'.",
    ]


@pytest.fixture
def jobq():
    """Runs a command to its end; without a distribution, if that is named."""

    def run(*words, without=""):
        env = {**os.environ, "WITHOUT": without}
        return subprocess.run(
            [sys.executable, "-m", "tests.server.jobq", *words],
            capture_output=True, text=True, timeout=30, env=env, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    return run


def test_a_person_is_told_the_address_and_a_browser_is_opened_without_the_token_on_its_command_line(tmp_path):
    """A terminal, and a browser that writes down what it was started with."""
    import pty

    notes, runtime = tmp_path / "notes", tmp_path / "rt"
    runtime.mkdir(mode=0o700)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" >{notes}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.server.jobq", "serve"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=Path(__file__).parents[2],
        env={**os.environ, "BROWSER": str(browser), "JOBQ_RUNTIME_DIR": str(runtime)},
    )  # fmt: skip
    os.close(theirs)
    try:
        opened = eventually(lambda: notes.exists() and notes.read_text().strip(), timeout=20)
        told = os.read(ours, 65536).decode()
        address = re.search(r"http://127\.0\.0\.1:[0-9]+/\?token=([0-9a-f]{48})", told)
        assert "Ctrl-C ends this; jobs go on" in told
        assert address[1] not in opened
        (file,) = runtime.glob("serve-*.html")
        assert file.as_uri() == opened
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert address[0] in file.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(20)
        os.close(ours)
    assert status == 0
    assert not list(runtime.glob("serve-*.html"))
