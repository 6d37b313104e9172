"""How people write amounts, and what they mean. A reader refuses with what is wrong, and what to write instead."""

from __future__ import annotations

import re

__all__ = ["Refusal", "amount", "cores", "count", "gpus", "memory", "seconds", "workers"]

_SIZES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_SIZES |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(|k|[MGTP]|[KMGTP]i)")
_LOOSE_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp])i?b?\s*", re.IGNORECASE)
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?[smhd])+")
_LEAST_MEMORY = 2**20  # less is a forgotten unit: no Python starts in it


class Refusal(ValueError):
    """A value that cannot be: `problem` completes a sentence that began with the value's name; `do` is the way out."""

    def __init__(self, problem: str, do: str = "") -> None:
        super().__init__(problem, do)
        self.problem = problem
        self.do = do

    def __str__(self) -> str:
        return self.problem


def count(value: object, *, least: int = 0, of: str = "") -> int:
    """A whole number: `4`."""
    noun = f"number of {of}" if of else "number"
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", text):
        raise Refusal(f"is not a whole {noun}", f"Write a whole number of {least} or more")
    if int(text) < least:
        raise Refusal(f"is too small a {noun}", f"Write {least} or more")
    return int(text)


def workers(value: object) -> tuple[int, int | None]:
    """A number of workers, `4`, or the least and the most, `2..8`."""
    low, dots, high = str(value).strip().partition("..")
    try:
        least, most = count(low, least=1), count(high, least=1) if dots else None
    except Refusal:
        raise Refusal("is not a number of workers", "Write N or MIN..MAX, for example 4 or 2..8") from None
    if most is not None and most < least:
        raise Refusal("has its ends the wrong way round", f"Write {most}..{least}")
    return least, most


def cores(value: object) -> int | float:
    """A number of CPUs: `4`, `0.5`, or in thousandths, `500m`."""
    text = str(value).strip()
    number = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", text)
    if isinstance(value, bool) or not number:
        raise Refusal("is not a number of CPUs", "Write for example 4, 0.5 or 500m")
    found = float(number[1]) / (1000 if number[2] else 1)
    if found < 0.001:
        raise Refusal("is no CPU at all", "Write for example 4, 0.5 or 500m")
    return int(found) if found.is_integer() else found


def gpus(value: object) -> tuple[str | None, int]:
    """A number of GPUs, `1`, or a number of a type, `a100:2`."""
    kind, colon, number = str(value).strip().rpartition(":")
    if colon and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", kind):
        raise Refusal("is not a number of GPUs", "Write N or TYPE:N, for example 1 or a100:2")
    try:
        return kind or None, count(number)
    except Refusal:
        raise Refusal("is not a number of GPUs", "Write N or TYPE:N, for example 1 or a100:2") from None


def amount(value: object) -> int:
    """The bytes that `8Gi`, `500M` or `1024` mean."""
    text = str(value).strip()
    if isinstance(value, bool) or not (found := _SIZE.fullmatch(text)):
        loose = _LOOSE_SIZE.fullmatch(text)
        said = f"{loose[1]}{loose[2].upper()}i" if loose else "8Gi or 500Mi"
        raise Refusal("is not an amount of memory", f"Write {'' if loose else 'for example '}{said}")
    return int(float(found[1]) * _SIZES[found[2]])


def memory(value: object) -> str:
    """An amount of memory as it was written, `8Gi`; refused where a unit was forgotten."""
    text = str(value).strip()
    if amount(value) < _LEAST_MEMORY:
        number = _SIZE.fullmatch(text)
        raise Refusal(
            "is less than any Python needs" if number and number[2] else "has no unit",
            f"Write {number[1] if number else 8}Gi or {number[1] if number else 8}Mi",
        )
    return text


def seconds(value: object) -> int | float:
    """The seconds that `90s`, `5m`, `2h`, `1d`, `1h30m` or `90` mean."""
    text = str(value).strip()
    if isinstance(value, bool) or not _TIME.fullmatch(text):
        raise Refusal("is not a length of time", "Write for example 90s, 5m, 2h or 1d")
    found = float(sum(float(number) * _TIMES[unit] for number, unit in re.findall(r"([\d.]+)([smhd]?)", text)))
    if found <= 0:
        raise Refusal("is no time at all", "Write for example 90s, 5m, 2h or 1d")
    return int(found) if found.is_integer() else found
