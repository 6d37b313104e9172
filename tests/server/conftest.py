"""A Jupyter server with the extension, and runs in its store."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

# As fixtures of this folder alone: as a plugin, it would make an event loop and a server for each test of the project.
from pytest_jupyter.jupyter_core import *  # noqa: F403
from pytest_jupyter.jupyter_server import *  # noqa: F403
from pytest_jupyter.pytest_tornasync import *  # noqa: F403
from tornado.httpclient import HTTPClientError

from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"jobq_magic": True}}}


@pytest.fixture
def store() -> Store:
    """The store of the server."""
    return Store()


@pytest.fixture
def made(store) -> Callable[..., Run]:
    """Makes a run that nobody looks after, with the phases that it went through; their times are a second apart."""

    def make(name="fit", *phases, mode="kueue", spec=None, cell=None, created=None, **last) -> Run:
        run = store.open(
            spec={"mode": mode, "workers": None, "label": {}, **(spec or {})},
            target={"backend": mode, "where": "queue team-a"},
            name=name,
            cell=cell,
        )
        begun = created or run.created
        if created is not None:
            known = json.loads(run.paths.identity.read_text())
            run.paths.identity.write_text(json.dumps({**known, "created": created}))
            run = Run.load(run.folder)
            run.paths.record.write_text("")
            store.append(run, phase=Phase.CAPTURING, at=created)
        for number, phase in enumerate(phases, 1):
            more = last if number == len(phases) else {}
            store.append(run, phase=phase, at=begun + number, **more)
        return run

    return make


@pytest.fixture(autouse=True)
def untended(monkeypatch) -> None:
    """Runs that were made by hand have no place to look after them; tests of acts start real ones."""
    monkeypatch.setattr("jobq_magic.follower.ensure", lambda *_: None)


@pytest.fixture
def asked(jp_fetch):
    """Asks the server: status and JSON of its answer."""

    async def ask(path: str, method: str = "GET", **more: Any) -> tuple[int, Any]:
        if method in ("POST", "PUT", "PATCH") and "body" not in more:
            more["body"] = ""
        try:
            answer = await jp_fetch("jobq-magic", *path.split("/"), method=method, **more)
        except HTTPClientError as error:
            return error.code, json.loads(error.response.body) if error.response and error.response.body else None
        return answer.code, json.loads(answer.body) if answer.body else None

    return ask


@pytest.fixture
def asked_raw(http_server_client, jp_auth_header, jp_serverapp, jp_base_url):
    """Asks with an address as it is: status and JSON of its answer."""

    async def ask(path: str, **more: Any) -> tuple[int, Any]:
        answer = await http_server_client.fetch(
            f"{jp_base_url}jobq-magic/{path}", headers=jp_auth_header, raise_error=False, **more
        )
        return answer.code, json.loads(answer.body) if answer.body else None

    return ask
