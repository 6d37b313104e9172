"""`jobq serve`: the runs in a browser, and for other programs, without Jupyter."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from typing import Any

from jobq_magic import commands
from jobq_magic.errors import OptionError
from jobq_magic.runs.store import Store

__all__ = ["serve"]


def serve(parser: commands.Parser) -> Callable[[Namespace], int]:
    """Adds the arguments of `serve`, and gives what performs it."""
    parser.add_argument("--port", type=int, default=0, metavar="N", help="where to listen; by default, a free port")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")

    def perform(args: Namespace) -> int:
        if not 0 <= args.port <= 65535:
            raise OptionError("bad-command", f"--port {args.port} is no port", do="Ports are numbers up to 65535")
        # Another face: found by its name, like a place to run, and not built upon.
        server = import_module("jobq_magic.server.serve")
        browser = not (args.no_browser or args.json) and sys.stdout.isatty()
        server.serve(Store(), port=args.port, browser=browser, told=_json if args.json else _told)
        return 0

    return perform


def _told(serving: Any) -> None:
    print(
        f"The runs in {serving.store} are shown at\n\n  {serving.address}\n\nCtrl-C ends this; jobs go on.", flush=True
    )


def _json(serving: Any) -> None:
    known = {"address": serving.address, "port": serving.port, "token": serving.token, "store": str(serving.store)}
    print(json.dumps(known), flush=True)
