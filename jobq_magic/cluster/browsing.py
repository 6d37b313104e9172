"""How a browser reaches a port of this machine, which depends on who serves the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

__all__ = ["address", "shares_origin"]


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
