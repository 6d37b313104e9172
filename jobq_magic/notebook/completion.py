"""Completion of `%%jobq` and `%jobq`: options, their values, verbs, and runs; everything else is left as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["install"]

_CELL = re.compile(r"\s*%%jobq\s(?P<rest>.*)", re.DOTALL)
_LINE = re.compile(r"\s*(?:[\w.,\s\[\]'\"]+=\s*)?%jobq\s(?P<rest>.*)", re.DOTALL)
_BOUND = re.compile(r"^([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_EXPANDS = re.compile(r"\{[^{}]*?([A-Za-z_]\w*)?$")
_RUNS = 20
"""Runs that are offered: the newest."""

_Pair = tuple[str, str]
"""What may be typed, and the kind of thing that it is, which front ends show beside it."""


def install(shell: Any) -> Callable[[], None]:
    """Adds our completions to those of a shell.

    Returns:
        What takes them out again.
    """

    def jobq(context: Any) -> dict[str, Any]:
        return _answer(shell, context)

    try:
        # Provisional in IPython: where it is gone, one completes options no more, and that is all.
        from IPython.core.completer import context_matcher

        matcher = context_matcher(priority=100, identifier="jobq")(jobq)
        matchers = shell.Completer.custom_matchers
        matchers.append(matcher)
    except (ImportError, AttributeError, TypeError):
        return lambda: None

    def remove() -> None:
        with suppress(ValueError):
            matchers.remove(matcher)

    return remove


def _answer(shell: Any, context: Any) -> dict[str, Any]:
    from IPython.core.completer import SimpleCompletion

    fragment, pairs = "", list[_Pair]()
    # Each key that is pressed may come here: whatever goes wrong (a store that cannot be read) is not told here.
    with suppress(Exception):
        fragment, pairs = _found(shell, context.full_text, context.cursor_line, context.text_until_cursor)
    return {
        "completions": [SimpleCompletion(text, type=kind) for text, kind in pairs],
        "matched_fragment": fragment,
        "suppress": bool(pairs),
        "ordered": True,
    }


def _found(shell: Any, text: str, line: int, typed: str) -> tuple[str, list[_Pair]]:
    """What is being typed, and what it may become."""
    if "jobq" not in typed:  # nearly always
        return "", []
    *above, _ = text.split("\n")[: line + 1]
    if (cell := _CELL.fullmatch(typed)) and not "".join(above).strip():
        body = "\n".join(text.split("\n")[line + 1 :])
        return _narrowed(*_of_cell(shell.user_ns, shell.user_ns_hidden, cell["rest"], body))
    if found := _LINE.fullmatch(typed):
        return _narrowed(*_of_verb(shell, found["rest"]))
    return "", []


def _of_cell(
    namespace: Mapping[str, Any], hidden: Mapping[str, Any], rest: str, body: str
) -> tuple[str, Iterable[_Pair]]:
    from jobq_magic import options

    before, fragment = options.unfinished(rest)
    if inner := _EXPANDS.search(fragment):
        begun = inner[1] or ""
        return begun, [(name, "name") for name in _names(namespace, hidden) if name.startswith(begun)]
    known: dict[str, Callable[[], Iterable[str]]] = {
        name: lambda: _names(namespace, hidden) for name in ("include", "exclude", "remake")
    }
    known["out"] = lambda: dict.fromkeys([*_bound(body), *_names(namespace, hidden)])
    known |= {"profile": _profiles, "env": _variables, "secret": _variables}
    asks = [help_ for help_ in ("--help",) if not before and help_.startswith(fragment or "-")]
    found = options.complete(fragment, before, known)
    return fragment, [
        (word, "option" if word.startswith("-") and "=" not in word else "value") for word in [*found, *asks]
    ]


def _of_verb(shell: Any, rest: str) -> tuple[str, Iterable[_Pair]]:
    from jobq_magic import options
    from jobq_magic.notebook.verbs import VERBS

    before, fragment = options.unfinished(rest)
    if not before:
        return fragment, [(verb, "verb") for verb in VERBS if verb.startswith(fragment)]
    verb, *words = before
    if verb in ("config", "doctor", "queues"):
        begun, found = _of_cell(shell.user_ns, shell.user_ns_hidden, rest.partition(verb)[2], "")
        init = ["--init"] if verb == "config" and not words and begun and "--init".startswith(begun) else []
        return begun, [*((word, "option") for word in init), *found]
    if verb not in VERBS:
        return fragment, ()
    usage = str(VERBS[verb].__doc__).partition(": ")[0]
    return fragment, [pair for pair in _words_of(usage, words, fragment) if pair[0].startswith(fragment)]


def _words_of(usage: str, words: Sequence[str], fragment: str) -> Iterator[_Pair]:
    """What the arguments of a verb say that may come next; what they say is its help too."""
    from jobq_magic.snapshot import Phase

    value = dict(re.findall(r"(--?[a-z][\w-]*) ([A-Z]+)", usage))
    if words and (asked := value.get(words[-1])):
        yield from ((phase.value, "phase") for phase in Phase if asked == "PHASE")
        return
    if fragment.startswith("-"):
        yield from ((flag, "option") for flag in re.findall(r"--[a-z][\w-]*", usage) if flag not in words)
        yield "--help", "option"
        return
    if named := re.match(r"\[([a-z]+(?: \| [a-z]+)*)", usage):
        yield from ((word, "verb") for word in named[1].split(" | ") if not words)
    said = words[words[:1] == ["show"] :]  # which may be left out
    given = [word for at, word in enumerate(said) if not _is_flag(word) and said[max(0, at - 1)] not in value]
    if re.search(r"\bRUN\b", usage) and (not given or "RUN ..." in usage):
        yield from _runs()


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not re.match(r"-\d", word)  # -1 is a run


def _runs() -> Iterator[_Pair]:
    """The newest runs: each id with its phase, and each name once."""
    from jobq_magic.runs.store import Store

    store = Store()
    seen = [(run, store.snapshot(run).phase.value) for run in store.list(limit=_RUNS)]
    yield from ((run.id, phase) for run, phase in seen)
    newest = {run.name: phase for run, phase in reversed(seen) if re.fullmatch(r"[\w.-]+", run.name)}
    yield from reversed(newest.items())


def _narrowed(fragment: str, pairs: Iterable[_Pair]) -> tuple[str, list[_Pair]]:
    """The same without what stands before the last `=` or comma: front ends show what they put in."""
    cut = max(fragment.rfind("="), fragment.rfind(",")) + 1
    return fragment[cut:], [(text[cut:], kind) for text, kind in pairs]


def _names(namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> list[str]:
    """The user's own names that hold something to take along."""
    from types import ModuleType

    return sorted(
        name
        for name, value in list(namespace.items())
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and not (name in hidden and hidden[name] is value)
    )


def _bound(body: str) -> list[str]:
    """The names that the cell is seen to bind; it need not be finished, so it is only looked at."""
    return [name.strip() for found in _BOUND.findall(body) for name in found.split(",")]


def _profiles() -> list[str]:
    import os
    from pathlib import Path

    from jobq_magic.profiles import load_profiles

    return sorted(load_profiles(Path.cwd(), os.environ, []).tables)


def _variables() -> list[str]:
    import os

    return sorted(os.environ)
