"""What travelled and what did not, as tables: for `explain`, for `--dry-run`, and folded in a card. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jobq_magic.bundle import Account, Requirement, Traveller
from jobq_magic.figures import asked
from jobq_magic.quantities import amount
from jobq_magic.render import text
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import one_line
from jobq_magic.render.style import STYLE
from jobq_magic.words import duration, size

if TYPE_CHECKING:
    from jobq_magic.cluster.preflight.pods import Pods
    from jobq_magic.spec import JobSpec

__all__ = ["explained", "explained_html", "folded", "goes", "shipped", "table"]

_HEADS = ("name", "kind", "size", "from", "needed by", "digest")
_PACKAGES = ("package", "version", "installed from", "needed by")
_STAYED = ("did not travel", "why")
_DIGITS = 12
_SOURCES = {"index": "", "asked": "asked for"}


def explained(account: Account) -> str:
    """The whole account as text."""
    parts = [
        text.columns(_HEADS, [_row(each) for each in account.travellers])
        if account.travellers
        else "Nothing but the cell itself",
        text.columns(_PACKAGES, [_package(each) for each in account.requirements]) if account.requirements else "",
        text.columns(_STAYED, [(each.name, each.why) for each in account.stayed]) if account.stayed else "",
        "\n".join(map(one_line, account.notes)),
        summary(account),
    ]
    return "\n\n".join(filter(None, parts))


def explained_html(account: Account) -> str:
    """The whole account as HTML."""
    told = f'<div class="jq-who"><b>What travels</b> <span class="jq-mut">{safe(shipped(account))}</span></div>'
    took = f'<span class="jq-mut">{safe("; ".join(_figures(account)))}</span>'
    head = f'<div class="jq-head">{told} {took}</div>'
    notes = "".join(f'<div class="jq-note jq-mut">{safe(note)}</div>' for note in account.notes)
    return f'{STYLE}<div class="jq" role="group" aria-label="What travels">{head}{_tables(account)}{notes}</div>'


def folded(account: Account | None) -> str:
    """The account, to be unfolded in a card; nothing where nothing travelled."""
    if account is None or not (account.travellers or account.requirements or account.stayed):
        return ""
    return f"<details><summary>What travelled: {safe(shipped(account))}</summary>{_tables(account)}</details>"


def goes(spec: JobSpec, where: str, pods: Sequence[Pods] = ()) -> str:
    """Where a cell would go, and what it would ask for there: `queue main: 2 workers, each with 4 cpus`.

    Args:
        spec: what is asked.
        where: the place, in words.
        pods: of several kinds, that the run would be made of; none where all are workers alike.
    """
    if pods:
        return f"It would go to {where}: {'; '.join([*map(_several, pods), _together(pods)])}"
    resources = {"cpu": spec.cpus, "memory": spec.memory and amount(spec.memory), "/gpu": spec.gpus}
    each = {resource: count for resource, count in resources.items() if count}
    parts = ", ".join(asked(resource, count) for resource, count in each.items())
    count = spec.workers or 1
    told = f"It would go to {where}"
    if count > 1:
        told += f": {count} workers" + (f", each with {parts}" if parts else "")
        together = ", ".join(asked(resource, much * count) for resource, much in each.items())
        return told + (f"; {together} in all" if parts else "")
    return told + (f", and ask for {parts}" if parts else ", and get what that gives to who asks for nothing")


def _several(pods: Pods) -> str:
    """Pods that are alike, and what each asks for: `2 to 8 workers, each with 4 cpus`."""
    parts = ", ".join(asked(resource, much) for resource, much in pods.requests().items() if much)
    most = f" to {pods.most}" if pods.most > pods.count else ""
    if pods.count == 1 and not most:
        return pods.each + (f" with {parts}" if parts else "")
    called = pods.each.removeprefix("a ").replace("worker", "workers", 1)
    return f"{pods.count}{most} {called}" + (f", each with {parts}" if parts else "")


def _together(pods: Sequence[Pods]) -> str:
    """What all that is there from the beginning asks for."""
    total: dict[str, float] = {}
    for each in pods:
        for resource, much in each.requests().items():
            total[resource] = total.get(resource, 0) + much * each.count
    told = ", ".join(asked(resource, much) for resource, much in total.items() if much)
    if not told:
        return "each gets what that gives to who asks for nothing"
    grows = any(each.most > each.count for each in pods)
    return f"{told} in all{' at first' * grows}"


def shipped(account: Account) -> str:
    """How much travelled: `5 names, 2.1 kB`."""
    count = len(account.travellers)
    told = [f"{count} name{'s' * (count != 1)}, {size(sum(each.size or 0 for each in account.travellers))}"]
    if packages := len(account.requirements):
        told.append(f"{packages} package{'s' * (packages != 1)}")
    return "; ".join(told)


def summary(account: Account) -> str:
    """In one line: how much, what it took, and under which digest; the last two where they are told."""
    return "; ".join([shipped(account), *_figures(account)])


def _figures(account: Account) -> list[str]:
    took = [f"captured in {duration(account.seconds)}"] if account.seconds else []
    return took + ([f"digest {one_line(account.digest)[:_DIGITS]}"] if account.digest else [])


def _row(each: Traveller) -> tuple[str, ...]:
    count = "" if each.size is None else size(each.size)
    return each.name, each.kind, count, each.origin, each.why, each.digest[:_DIGITS]


def _package(each: Requirement) -> tuple[str, ...]:
    source = _SOURCES.get(each.source, each.source)
    return each.name, each.version, " ".join(filter(None, (source, each.origin))), each.why


def _tables(account: Account) -> str:
    drawn = [
        table(_HEADS, map(_row, account.travellers), code={0, 5}, right={2}),
        table(_PACKAGES, map(_package, account.requirements), code={0}),
        table(_STAYED, ((each.name, each.why) for each in account.stayed), code={0}),
    ]
    return "".join(drawn)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, code: set[int], right: Iterable[int] = ()) -> str:
    """Rows under their heads, those columns as code, and those to the right; nothing where there are no rows."""
    body = ""
    for row in rows:
        cells = [f"<code>{safe(cell)}</code>" if at in code and cell else safe(cell) for at, cell in enumerate(row)]
        body += f"<tr>{''.join(f'<td{_side(at in right)}>{cell}</td>' for at, cell in enumerate(cells))}</tr>"
    head = "".join(f'<th scope="col"{_side(at in right)}>{safe(cell)}</th>' for at, cell in enumerate(heads))
    drawn = f'<div class="jq-fit"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return drawn if body else ""


def _side(right: bool) -> str:
    return ' class="jq-n"' if right else ""
