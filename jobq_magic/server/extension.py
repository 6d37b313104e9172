"""What Jupyter calls when it starts: routes below `<base_url>jobq-magic/`. Nothing heavy is imported here."""

from __future__ import annotations

import os
import re
from typing import Any

__all__ = ["load", "rules"]


def rules(base_url: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """The rules of the table for a tornado application, what matches nothing else last."""
    from jobq_magic.server.handlers import Endpoint, Missing
    from jobq_magic.server.route import PREFIX, Route, named
    from jobq_magic.server.routes import ROUTES

    paths: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = route
    start = re.escape(f"{base_url.rstrip('/')}/{PREFIX}/")
    made = []
    for path, routes in paths.items():
        classes = [named(route.handler) for route in routes.values() if route.kind != "data"]
        pattern = re.escape(path).replace(r"\{id\}", "([^/]*)").replace(r"\{path\}", "(.*)")
        made.append((start + pattern, classes[0] if classes else Endpoint, {"routes": routes}))
    return [*made, (f"{start}(.*)", Missing, {})]


def load(server: Any) -> None:
    """Adds the routes to a Jupyter server."""
    from jobq_magic.cluster.browsing import BASE, STORE
    from jobq_magic.runs.store import Store
    from jobq_magic.server.handlers import SETTING
    from jobq_magic.server.route import PREFIX
    from jobq_magic.server.view import View

    application = server.web_app
    application.settings[SETTING] = View(Store())
    application.add_handlers(".*$", rules(application.settings["base_url"]))
    # Of the kernels that it starts: links of their runs lead here.
    os.environ[BASE] = f"{application.settings['base_url'].rstrip('/')}/{PREFIX}/"
    os.environ[STORE] = str(application.settings[SETTING].store.root)
    server.log.info("jobq-magic: runs in %s", application.settings[SETTING].store.root)
