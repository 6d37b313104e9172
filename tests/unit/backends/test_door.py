"""The door: who has the key is handed on to the dashboard with the token; nobody else learns anything."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from jobq_magic.backends.ray.door import open_door

TOKEN = "the-token"


@pytest.fixture(scope="module")
def door():
    return urlsplit(open_door("http://127.0.0.1:8265", TOKEN))


def asked(door, path: str, host: str | None = None):
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{door.port}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_with_the_key_the_browser_gets_the_cookie_and_the_page(door):
    answer = asked(door, f"{door.path}/jobs/jobq-pi-1")
    assert (answer.status, answer.headers["Location"]) == (303, "http://127.0.0.1:8265/#/jobs/jobq-pi-1")
    assert answer.headers["Set-Cookie"] == f"ray-authentication-token={TOKEN}; Path=/; HttpOnly; SameSite=Lax"
    assert TOKEN not in door.path


@pytest.mark.parametrize("path", ["/", "/jobs/x", "/wrong/jobs/x", "//evil"])
def test_without_the_key_there_is_nothing(door, path):
    answer = asked(door, path)
    assert (answer.status, answer.headers["Set-Cookie"]) == (404, None)


def test_by_another_name_of_this_machine_there_is_nothing(door):
    assert asked(door, door.path, host=f"evil.example:{door.port}").status == 404


@pytest.mark.parametrize("page", ["//evil.example", "%0d%0aSet-Cookie:x=1", "a b", "jobs?x=1"])
def test_only_pages_of_the_dashboard_are_opened(door, page):
    answer = asked(door, f"{door.path}/{page.replace(' ', '%20')}")
    assert answer.headers["Location"].startswith("http://127.0.0.1:8265/#/")
    assert "evil" not in answer.headers["Location"] or page.startswith("//")
