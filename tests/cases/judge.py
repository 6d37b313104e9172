"""What a person would notice between a plain notebook and one with cells that travel."""

from __future__ import annotations

from typing import Any

from tests.cases.table import Case

LASTING = frozenset({"process wide state", "looking inside", "processes", "magics", "imports"})
"""Themes of which a kernel that executes one case after the other would remember something."""


def differences(case: Case, plain: dict[str, Any], away: dict[str, Any]) -> list[str]:
    """In words; empty where there are none, or where they are those that the case announces."""
    here = [cell for cell in case.cells if cell.only != "there"]
    there = [cell for cell in case.cells if cell.only != "here"]
    said_here = [said for cell, said in zip(here, plain["said"], strict=True) if not cell.only]
    said_there = [said for cell, said in zip(there, away["said"], strict=True) if not cell.only]
    both = [cell for cell in case.cells if not cell.only]
    if case.refused is not None:
        return _refusal(case, [said for cell, said in zip(both, said_there, strict=True) if cell.jobq is not None])
    found: list[str] = []
    for cell, one, other in zip(both, said_here, said_there, strict=True):
        for what in ("wrote", "value", "error"):
            if one[what] != other[what]:
                reason = f" ({other['notes']})" if other["notes"] else ""
                found.append(f"{cell.code.strip()!r}: {what} {other[what]} instead of {one[what]}{reason}")
    for cell, said in zip(case.cells, _with_gaps(case, away["said"]), strict=True):
        if cell.only == "there" and said is not None and said["error"] is not None:
            found.append(f"{cell.code.strip()!r}: {said['error']}")
    gone = case.differs | set(away["drops"])
    for name in sorted({*plain["names"], *away["names"]} - gone):
        one, other = plain["names"].get(name, "nothing"), away["names"].get(name, "nothing")
        if one != other:
            found.append(f"{name} is {other} instead of {one}")
    same = [_without(group, gone) for group in plain["same"]]
    other_same = [_without(group, gone) for group in away["same"]]
    if _plural(same) != _plural(other_same):
        found.append(f"one object: {_plural(other_same)} instead of {_plural(same)}")
    return found


def _with_gaps(case: Case, said: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    left = iter(said)
    return [None if cell.only == "here" else next(left) for cell in case.cells]


def _refusal(case: Case, said: list[dict[str, Any]]) -> list[str]:
    assert case.refused is not None
    code, text = case.refused
    last = said[-1]
    if last["error"] is None:
        return [f"it is not refused: {last['value']}"]
    if last.get("code") != code or text not in last["error"][1]:
        return [f"{last.get('code')}: {last['error'][1]!r} instead of {code}: {text!r}"]
    return []


def _without(group: list[str], names: set[str] | frozenset[str]) -> list[str]:
    return [name for name in group if name not in names]


def _plural(groups: list[list[str]]) -> list[list[str]]:
    return sorted(group for group in groups if len(group) > 1)


def told_apart(plain: dict[str, Any], away: dict[str, Any], *, first: int, bound: set[str]) -> list[str]:
    """Between the cells of a plain notebook from `first` on, and the functions that they became; see `together.py`."""
    found: list[str] = []
    for one, other in zip(plain["said"][first:], away["said"], strict=True):
        wrote = "".join(text for kind, text in one["wrote"] if kind == "stdout")
        pairs = {"wrote": (wrote, other["wrote"]), **{what: (one[what], other[what]) for what in ("value", "error")}}
        found += [f"{what}: {there} instead of {here}" for what, (here, there) in pairs.items() if here != there]
    names = plain["names"]
    for name in sorted({*away["names"], *(bound & set(names))}):
        here, there = names.get(name, "nothing"), away["names"].get(name, "nothing")
        if here != there:
            found.append(f"{name} is {there} instead of {here}")
    both = set(names) & set(away["names"])
    same, other_same = (_plural([[n for n in group if n in both] for group in each["same"]]) for each in (plain, away))
    if same != other_same:
        found.append(f"one object: {other_same} instead of {same}")
    return found
