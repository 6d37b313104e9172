"""How a browser reaches a port of this machine, which depends on who serves the notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["BASE", "STORE", "address", "route", "shares_origin"]

BASE, STORE = "JOBQ_SERVER_BASE", "JOBQ_SERVER_STORE"
"""Variables of the kernels of a Jupyter server with our extension: below which path it has its routes, and of which
store."""
_PATH = re.compile(r"/(?!/)[A-Za-z0-9/@:._~%!$&'()*+,;=-]*")


def route(run: str, store: Path, environ: Mapping[str, str]) -> str:
    """Where the notebook's own server opens the dashboard of a run; "" where it has no such route.

    Whoever has the notebook open reaches it, through a JupyterHub, a tunnel or a proxy alike, with no port beside.

    Args:
        run: its id.
        store: where that is recorded: a server knows the runs of one.
        environ: JOBQ_SERVER_BASE and JOBQ_SERVER_STORE. Who names another way in JOBQ_PROXY_URL is believed.
    """
    base = environ.get(BASE, "")
    if not _PATH.fullmatch(base) or environ.get(STORE) != str(store) or environ.get("JOBQ_PROXY_URL"):
        return ""
    return f"{base.rstrip('/')}/runs/{run}/dashboard/"


def address(port: int, environ: Mapping[str, str]) -> str:
    """How a browser reaches a port of this machine.

    Args:
        port: on loopback.
        environ: JOBQ_PROXY_URL, with `{port}` in it, says so; VSCODE_PROXY_URI of code-server does. A server of a
            JupyterHub (JUPYTERHUB_SERVICE_PREFIX) hands on what is below `proxy/PORT` where jupyter-server-proxy is
            installed, and else nothing: then this is "".
    """
    for name, hole in (("JOBQ_PROXY_URL", "{port}"), ("VSCODE_PROXY_URI", "{{port}}")):
        if hole in (template := environ.get(name, "")):
            return template.replace(hole, str(port)).rstrip("/")
    if prefix := environ.get("JUPYTERHUB_SERVICE_PREFIX"):
        if find_spec("jupyter_server_proxy") is None:
            return ""
        base = environ.get("JUPYTERHUB_PUBLIC_URL") or prefix
        return f"{base.rstrip('/')}/proxy/{port}"
    return f"http://127.0.0.1:{port}"


def shares_origin(environ: Mapping[str, str]) -> bool:
    """Whether pages below `address` are of one origin with others, as with Jupyter: they may do all that those may."""
    one, other = address(1, environ), address(2, environ)
    return bool(one) and urlsplit(one).netloc == urlsplit(other).netloc
