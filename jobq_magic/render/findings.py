"""Findings: what was looked at before anything is started, as text and as HTML. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jobq_magic.findings import Finding
from jobq_magic.render import html
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import one_line

__all__ = ["MARKS", "drawn", "drawn_html", "lines", "summary"]

MARKS: Mapping[str, str] = {"ok": "✓", "warning": "!", "problem": "✗", "unknown": "?"}
_PHASES = {"ok": "succeeded", "warning": "queued", "problem": "failed", "unknown": "cancelled"}
"""Phases whose colours say the same."""
_WIDE = 22


def drawn(findings: Sequence[Finding]) -> str:
    """All of them, in the order in which they were made, and what they come to."""
    return "\n".join([*(line for one in findings for line in lines(one)), "", summary(findings)])


def lines(finding: Finding) -> Iterator[str]:
    """One of them: what was looked at, how it is, and below it what to do."""
    yield f"{MARKS[finding.level]} {one_line(finding.code):{_WIDE}} {one_line(finding.what)}"
    if finding.advice:
        yield f"  {'':{_WIDE}} {one_line(finding.advice)}"


def summary(findings: Sequence[Finding]) -> str:
    """What they come to: `1 problem and 2 warnings among 14 findings: no cell will run there as it is`."""
    every = _many(len(findings), "finding")
    of = {level: [one for one in findings if one.level == level] for level in MARKS}
    told = [_many(len(of["problem"]), "problem"), _many(len(of["warning"]), "warning")]
    told.append(f"{len(of['unknown'])} not known" if of["unknown"] else "")
    if not any(told):
        return f"All is well: {every}"
    *first, last = filter(None, told)
    words = f"{', '.join(first)} and {last}" if first else last
    return f"{words} among {every}: {_verdict(of['problem'], of['unknown'])}"


def _verdict(problems: Sequence[Finding], unknown: Sequence[Finding]) -> str:
    if problems:
        return "no cell will run there as it is"
    if needed := [one.code for one in unknown if one.needed]:
        return f"whether cells will run is not known without {', '.join(dict.fromkeys(needed))}"
    if unknown:
        return f"cells will run, as far as can be seen ({', '.join(dict.fromkeys(one.code for one in unknown))})"
    return "cells will run"


def drawn_html(findings: Sequence[Finding]) -> str:
    """The same as HTML."""
    rows = "".join(_row(one) for one in findings)
    heads = "".join(f'<th scope="col">{each}</th>' for each in ("", "looked at", "found"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    box = f'<div class="jq-head"><b>{safe(summary(findings))}</b></div><div class="jq-fit">{table}</div>'
    return f'{html.STYLE}<div class="jq" role="group" aria-label="Doctor">{box}</div>'


def _row(one: Finding) -> str:
    advice = f'<br><span class="jq-mut">{html.typed(one.advice)}</span>' if one.advice else ""
    # The colour of a phase; the mark and the word say the same to who sees no colours.
    mark = f'<span class="jq-{_PHASES[one.level]} jq-found">{MARKS[one.level]} {one.level}</span>'
    return f"<tr><td>{mark}</td><td><code>{safe(one.code)}</code></td><td>{html.typed(one.what)}{advice}</td></tr>"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}" if number else ""
