"""The line of options: from what was typed to the fields of a JobSpec, and everything said about options.

Nothing here knows a single option: all is derived from `spec.declared`.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jobq_magic import plugins
from jobq_magic.errors import OptionError, closest, refuse
from jobq_magic.spec import JobSpec, Option, declared

__all__ = [
    "Parsed",
    "Row",
    "complete",
    "expanded_names",
    "flag_of",
    "help_text",
    "parse",
    "split",
    "table",
    "unfinished",
]

_GROUPS = {
    "place": "Where it runs",
    "size": "How big",
    "travels": "What goes along",
    "returns": "What comes back",
    "course": "How it is run",
}
_HELP = {"-h", "--help"}
_MARK = re.compile("\0(\\d+)\0")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a line of options says: for each field a string, a list of strings, a bool, or what an expansion gave."""

    options: Mapping[str, Any] = field(default_factory=dict)
    help: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One option, as help and docs show it."""

    field: str
    flags: tuple[str, ...]
    metavar: str
    help: str
    default: str
    group: str
    setting: bool


def flag_of(name: str) -> str:
    """The long flag of a field: `--driver-cpus`."""
    return f"--{name.replace('_', '-')}"


@cache
def _flags() -> Mapping[str, tuple[str, bool]]:
    """Each flag, the field that it sets, and whether it says yes."""
    found = {}
    for name, option in declared().items():
        found[flag_of(name)] = (name, True)
        if option.short:
            found[option.short] = (name, True)
        if option.opposite:
            found[option.opposite] = (name, False)
    return found


def split(line: str) -> list[str]:
    """The words of a line, as a shell would have them.

    Raises:
        OptionError: a quote is not closed.
    """
    return _words(line, [], marked=False)


def parse(
    line: str | Sequence[str],
    namespace: Mapping[str, Any] | None = None,
    *,
    mistakes: list[OptionError] | None = None,
) -> Parsed:
    """What the options on a line say, all mistakes told together.

    Args:
        line: a line, or words that a shell has split already.
        namespace: where the names in `{name}` and `{expression}` are found; they are expanded in the values of
            options only, and not inside single quotes. `{{` is a brace. None: braces are braces.
        mistakes: where they are put instead of being raised, by a caller who has more to find.

    Raises:
        OptionError: something on it is no option, or misses its value, or cannot be expanded.
    """
    expansions: list[str] = []
    words = _words(line, expansions, marked=namespace is not None) if isinstance(line, str) else list(line)
    options: dict[str, Any] = {}
    found: list[OptionError] = [] if mistakes is None else mistakes
    asks = False
    while words:
        word = words.pop(0)
        flag, equals, text = word.partition("=")
        if word in _HELP:
            asks = True
        elif flag not in _flags():
            found.append(_stranger(_as_typed(flag, expansions)))
            if flag.startswith("-") and not equals and words and not _looks_like_a_flag(words[0]):
                words.pop(0)  # its value, most likely: not a mistake of its own
        else:
            name, yes = _flags()[flag]
            option = declared()[name]
            try:
                if not option.metavar:
                    _set_flag(options, name, flag, yes=yes, valued=bool(equals))
                    continue
                if not equals:
                    if not words or _looks_like_a_flag(words[0]):
                        raise OptionError("missing-value", f"{flag} needs a value", do=f"Write {flag} {_plain(option)}")
                    text = words.pop(0)
                _set_value(options, name, flag, option, _expanded(flag, text, expansions, namespace or {}))
            except OptionError as mistake:
                found.append(mistake)
    if mistakes is None:
        refuse(found)
    return Parsed(options, asks)


def _words(line: str, expansions: list[str], *, marked: bool) -> list[str]:
    """The words of a line, as a shell would have them."""
    text = _mark(line, expansions) if marked else line
    try:
        return shlex.split(text)
    except ValueError:
        raise OptionError("unclosed-quote", f"A quote is not closed: {line.strip()}", do="Close it") from None


def _looks_like_a_flag(word: str) -> bool:
    return word.startswith("-") and not re.match(r"-\d", word)


def _plain(option: Option) -> str:
    return f"{{{','.join(option.choices)}}}" if option.choices else option.metavar


def _stranger(flag: str) -> OptionError:
    if not flag.startswith("-"):
        return OptionError(
            "stray-word", f"{flag!r} is no option", do="Only options go here, and they begin with --; --help lists them"
        )
    near = closest(flag, _flags())
    advice = near if near.startswith("Did") else "--help lists the options"
    return OptionError("unknown-option", f"There is no option {flag}", do=advice)


def _set_flag(options: dict[str, Any], name: str, flag: str, *, yes: bool, valued: bool) -> None:
    if valued:
        raise OptionError("needless-value", f"{flag} takes no value", do=f"Write {flag} alone")
    if options.get(name, yes) is not yes:
        option = declared()[name]
        raise OptionError(
            "contradiction", f"{flag_of(name)} and {option.opposite} contradict each other", do="Give one of them"
        )
    options[name] = yes


def _set_value(options: dict[str, Any], name: str, flag: str, option: Option, value: Any) -> None:
    if option.many:
        if isinstance(value, Mapping):
            value = [f"{key}={text}" for key, text in value.items()]
        elif isinstance(value, str) or not isinstance(value, Iterable):
            value = [value]
        options.setdefault(name, []).extend(str(item) for item in value)
    elif name in options:
        raise OptionError("given-twice", f"{flag} is given twice", do="Give it once")
    else:
        options[name] = value


# Expansions: `{…}` is cut out of the line before it is split, since it may hold quotes and spaces, and a mark is left.


def _mark(line: str, expansions: list[str]) -> str:
    done, quote, at = [], "", 0
    while at < len(line):
        letter = line[at]
        if quote == "'" or letter not in "{}\\\"'":
            quote = "" if letter == quote else quote
        elif letter == "\\":
            done.append(letter)
            at += 1
            letter = line[at : at + 1]
        elif letter in "\"'":
            if not quote:
                quote = letter
            elif quote == letter:
                quote = ""
        elif line.startswith(letter * 2, at):
            at += 1
        elif letter == "{":
            expression = _expression(line, at)
            expansions.append(expression)
            letter = f"\0{len(expansions) - 1}\0"
            at += len(expression) + 1
        done.append(letter)
        at += 1
    return "".join(done)


def expanded_names(line: str) -> frozenset[str]:
    """The names that the `{...}` on a line of options read; none where the line is wrong, which `parse` will say."""
    expressions: list[str] = []
    try:
        _mark(line, expressions)
    except OptionError:
        return frozenset()
    codes = [compile(expression.strip(), "<option>", "eval") for expression in expressions]
    return frozenset(name for code in codes for name in code.co_names)


def _expression(line: str, start: int) -> str:
    """The shortest text after the brace at `start` that is Python and ends before a closing brace."""
    end = start
    while (end := line.find("}", end + 1)) > 0:
        text = line[start + 1 : end]
        try:
            with warnings.catch_warnings(action="ignore"):  # of a text that is cut off too early
                compile(text.strip(), "<option>", "eval")
        except (SyntaxError, ValueError):
            continue
        return text
    shown = line[start : line.find("}", start) + 1 or None].strip()
    raise OptionError("bad-expansion", f"{shown} is not a Python expression", do="Write {name}, or {{ for a brace")


def _as_typed(text: str, expansions: list[str]) -> str:
    return _MARK.sub(lambda found: "{" + expansions[int(found[1])] + "}", text)


def _expanded(flag: str, text: str, expansions: list[str], namespace: Mapping[str, Any]) -> Any:
    if whole := _MARK.fullmatch(text):
        return _evaluated(flag, expansions[int(whole[1])], namespace)
    return _MARK.sub(lambda found: str(_evaluated(flag, expansions[int(found[1])], namespace)), text)


def _evaluated(flag: str, expression: str, namespace: Mapping[str, Any]) -> Any:
    try:
        return eval(expression.strip(), dict(namespace))  # noqa: S307 - the user's own expression, in the user's kernel
    except NameError as error:
        raise OptionError("unknown-name", f"{flag} {{{expression}}}: {error}", do="Write {{ for a brace") from error
    except Exception as error:  # an expression may raise anything
        told = f"{flag} {{{expression}}} raised {type(error).__name__}: {error}"
        raise OptionError("failed-expansion", told, do="Try the expression in a cell of its own") from error


# What is said about options.


def table() -> tuple[Row, ...]:
    """Every option, in the order of the help."""
    rows = []
    for name, option in declared().items():
        told = JobSpec.model_fields[name]
        default = told.get_default(call_default_factory=True)
        rows.append(
            Row(
                field=name,
                flags=tuple(flag for flag in (option.short, flag_of(name), option.opposite) if flag),
                metavar=option.metavar,
                help=str(told.description),
                default="" if default in (None, (), False) or default == {} else str(default),
                group=_GROUPS[option.group],
                setting=option.setting,
            )
        )
    return tuple(rows)


def help_text(usage: str = "%%jobq [options]") -> str:
    """The help, as plain text of at most 100 columns."""
    import textwrap

    lines, group = [f"usage: {usage}"], ""
    for row in table():
        if row.group != group:
            group = row.group
            lines += ["", f"{group}:"]
        head = "  " + ", ".join(row.flags) + (f" {row.metavar}" if row.metavar else "")
        told = row.help + (f" (default: {row.default})" if row.default else "")
        body = textwrap.wrap(told, 68)
        if len(head) > 30:
            lines.append(head)
            head = ""
        lines.append(f"{head:<32}{body[0]}")
        lines += [" " * 32 + more for more in body[1:]]
    many = [flag_of(name) for name, option in declared().items() if option.many]
    lines += ["", *textwrap.wrap(f"May be given again: {', '.join(many)}.", 100, break_on_hyphens=False)]
    return "\n".join(lines)


def unfinished(text: str) -> tuple[list[str], str]:
    """The words that a line holds so far, and the last of them, which is still being typed, as it is typed.

    Quotes and braces keep a word together, as for `parse`; closed or not, nothing here raises.
    """
    words, start, quote, depth = [], -1, "", 0
    for at, letter in enumerate(text):
        if letter.isspace() and not quote and not depth:
            if start >= 0:
                words.append(text[start:at])
            start = -1
            continue
        start = at if start < 0 else start
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "{}":
            depth = max(0, depth + (1 if letter == "{" else -1))
    return words, text[start:] if start >= 0 else ""


def complete(
    fragment: str, before: Sequence[str] = (), known: Mapping[str, Callable[[], Iterable[str]]] | None = None
) -> list[str]:
    """What `fragment`, the word under the cursor, may become, given the words before it.

    Args:
        fragment: as it is typed.
        before: the words before it.
        known: for a field, what gives the values that it may have here, beyond those that are declared.
    """
    flag, equals, text = fragment.partition("=")
    if equals and _takes_value(flag):
        return [f"{flag}={value}" for value in _values(flag, text, known or {})]
    if before and _takes_value(before[-1]):
        return _values(before[-1], fragment, known or {})
    used = {_flags()[word.partition("=")[0]][0] for word in before if word.partition("=")[0] in _flags()}
    return [
        flag
        for flag, (name, _) in _flags().items()
        if flag.startswith(fragment) and flag.startswith("--") and (declared()[name].many or name not in used)
    ]


def _takes_value(flag: str) -> bool:
    return flag in _flags() and bool(declared()[_flags()[flag][0]].metavar)


def _values(flag: str, text: str, known: Mapping[str, Callable[[], Iterable[str]]]) -> list[str]:
    name = _flags()[flag][0]
    choices = [*_choices(flag), *(known[name]() if name in known else ())]
    head, comma, last = text.rpartition(",") if declared()[name].many == "commas" else ("", "", text)
    taken = set(head.split(","))
    return [head + comma + choice for choice in choices if choice.startswith(last) and choice not in taken]


def _choices(flag: str) -> tuple[str, ...]:
    name = _flags()[flag][0]
    return plugins.modes() if name == "mode" else declared()[name].choices
