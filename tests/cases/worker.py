"""What functions say on a worker that were made of the cells of a case; see `together.py`."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from .host import Words

MADE = re.compile(r"(\brun_q\d+q_\d+\.<locals>\.)|(_q\d+q)")
"""What names of a case have in addition where they stand beside those of others."""


class Plainly(Words):
    """Without what was added to names."""

    def clean(self, text: str) -> str:
        return super().clean(MADE.sub("", text))


def answer(functions: Sequence[Callable[[], Any]]) -> dict[str, Any]:
    """Calls them one after the other: what each wrote, its value and its exception, and what their names hold."""
    words, said = Plainly("no folder"), []
    for function in functions:
        told: dict[str, Any] = {"value": None, "error": None}
        with contextlib.redirect_stdout(io.StringIO()) as written:
            try:
                value = asyncio.run(function()) if inspect.iscoroutinefunction(function) else function()
                told["value"] = words.shown(value)
            except Exception as error:
                told["error"] = words.error(error)
        said.append({"wrote": MADE.sub("", written.getvalue()), **told})
    names = {name: value for name, value in functions[0].__globals__.items() if re.search(r"^[^_].*_q\d+q$", name)}
    return {"said": said, **words.held({MADE.sub("", name): names[name] for name in sorted(names)})}
