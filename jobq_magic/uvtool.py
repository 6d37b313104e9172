"""uv, as a program: where it is, and what it says when it fails."""

from __future__ import annotations

import errno
import re

from jobq_magic.addresses import redacted

__all__ = ["program", "reason"]

_LONGEST = 400


def program() -> str:
    """The path of uv.

    Raises:
        FileNotFoundError: the package is there, and its program is not.
    """
    import uv  # 15 ms that only its use should cost

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError:  # it says so in many lines
        raise FileNotFoundError(errno.ENOENT, "the program uv is not there", "uv") from None


def reason(told: str, secrets: frozenset[str]) -> str:
    """What uv says, as one line without drawings and credentials."""
    lines = []
    for line in told.splitlines():
        plain = line.strip(" \t│├└╰─▶×").removeprefix("error: ")
        if plain.startswith("hint:"):
            break
        if plain and not plain.startswith(("warning:", "Resolved ", "Using ")):
            lines.append(plain)
    text = redacted(re.sub(r"\s+", " ", " ".join(lines)), secrets)
    text = text.removeprefix("No solution found when resolving dependencies").replace(" cause: ", ": ")
    text = text.lstrip(": ").removeprefix("cause: ")
    if len(text) > _LONGEST:
        # A proof in many steps: one after which something cannot be used, else the first, names what does not fit.
        steps = re.split(r"[.)] (?=(?:And b|B)ecause )", text)
        step = next((one for one in steps if one.endswith(" cannot be used")), steps[0])
        text = re.sub(r"^(?:And b|B)ecause ", "", step).partition(", we can conclude")[0]
    if len(text) > _LONGEST:
        text = text[: text.rfind(" ", 0, _LONGEST)] + " …"
    return text.rstrip(".") or "uv says no reason"
