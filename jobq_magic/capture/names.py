"""The free names of a cell: what it needs from the notebook, and what it leaves there.

Scoping is the compiler's (`bytecode`), one statement at a time; only the flow between statements is ours (`flow`).
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from functools import lru_cache

from jobq_magic.capture.bound import NOTHING
from jobq_magic.capture.bytecode import FUTURES, futures
from jobq_magic.capture.flow import Flow
from jobq_magic.capture.hints import Hints, hints_of
from jobq_magic.capture.statements import check

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a text needs and what it leaves."""

    hard: frozenset[str]
    """Names that it reads before it binds them: without them it fails. Builtins are among them."""
    soft: frozenset[str]
    """Names that it may read: in functions that it defines, behind a `*` import, in a shell command."""
    stores: tuple[str, ...]
    """Names that it binds at top level, in order, without imports, definitions and `_private` ones."""
    bound: frozenset[str]
    """All names that it may bind at top level."""
    imports: frozenset[str]
    definitions: frozenset[str]
    deleted: frozenset[str]
    late_stores: frozenset[str]
    """Names that functions in it bind by `global`."""
    stars: tuple[str, ...]
    """Modules of which it imports `*`."""
    hints: Hints

    @property
    def flags(self) -> int:
        """Future statements in it, as flags of `compile`."""
        return self.hints.flags


@lru_cache(maxsize=4096)
def analyse(text: str, flags: int = 0) -> Analysis:
    """Analyses plain Python, such as IPython's transformation leaves; magics in it are followed into their bodies.

    Raises:
        SyntaxError: it does not compile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
            flags = (flags & FUTURES) | futures(tree)
            flow = Flow(flags, text)
            check(tree, text, flow.text, flags)
            end = flow.block(tree.body, NOTHING)
            hints = hints_of(tree, flags, flow.text)
        except RecursionError:
            raise SyntaxError("too many levels inside of one another, for a notebook too") from None
    found = flow.found
    # Annotations are looked at when the cell has defined what it defines.
    found.soft |= hints.names - (end.sure if end is not None else frozenset())
    # What is unbound at the end was never left behind.
    left = [name for name in found.values if end is None or name in end.maybe or name in found.late_stores]
    hidden = found.imports | found.definitions
    return Analysis(
        hard=frozenset(found.hard),
        soft=frozenset(found.soft - found.hard),
        stores=tuple(name for name in left if not name.startswith("_")),
        bound=frozenset(found.values) | hidden,
        imports=frozenset(found.imports),
        definitions=frozenset(found.definitions),
        deleted=frozenset(found.deleted),
        late_stores=frozenset(found.late_stores),
        stars=tuple(found.stars),
        hints=hints,
    )
