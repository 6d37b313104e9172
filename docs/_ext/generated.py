"""`:::{generated} verbs`: tables that the code says of itself, made when the site is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import jobq_magic
from jobq_magic import errors, words
from jobq_magic.cluster.preflight.rights import RIGHTS
from jobq_magic.errors import JobqError
from jobq_magic.notebook.verbs import VERBS
from jobq_magic.snapshot import Phase
from tests.cluster.versions import TABLE as VERSIONS

Row = tuple[str, ...]


def _verbs() -> str:
    """Each verb of %jobq, what may follow it, and what it does."""
    rows = []
    for verb, function in VERBS.items():
        arguments, _, told = str(function.__doc__).partition(": ")
        rows.append((f"`{f'%jobq {verb} {arguments}'.strip()}`", _sentence(told)))
    return _table(("in a cell", ""), rows)


def _phases() -> str:
    """Each phase, and what is said of it."""
    rows = [
        (f"{words.ICONS[phase]} **{phase}**", told.sentence, told.advice)
        for phase in Phase
        if (told := words.PHASES.get(phase))
    ]
    return _table(("phase", "says", "and adds"), rows)


def _reasons() -> str:
    """Each reason, and what is said of it."""
    rows = [(f"`{code}`", told.sentence, told.advice) for code, told in words.REASONS.items()]
    return _table(("reason", "says", "and adds"), rows)


def _errors() -> str:
    """Each kind of mistake by its class and code, with the sentences that tell it."""
    known = {
        name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, JobqError)
    }
    found: dict[str, dict[str, list[str]]] = {name: {} for name in known}
    for kind, code, sentence in _raised(set(known)):
        told = found[kind].setdefault(code, [])
        if sentence not in told:
            told.append(sentence)
    parts = []
    for name, codes in found.items():
        if codes:
            rows = [(f"`{code}`", "<br>".join(told)) for code, told in sorted(codes.items())]
            parts.append(f"## {name}\n\n{known[name].__doc__}\n\n{_table(('code', 'says'), rows)}")
    return "\n\n".join(parts)


def _modules() -> str:
    """Each module that the test cluster is built from, its version, and why that one."""
    rows = [(pinned.component, f"`{pinned.module}` {pinned.version}", pinned.reason) for pinned in VERSIONS]
    return _table(("", "module", "why this version"), rows)


def _rights() -> str:
    """Each right that we use, what will be missing without it, and how bad that is."""
    told = {"problem": "nothing runs", "warning": "", "ok": "not needed"}
    rows = [
        (
            f"`{right.code}`",
            f"jobq-{right.role}",
            "for `--mode rayjob`" if right.of_ray else told[right.level()],
            _sentence(right.without),
        )
        for right in RIGHTS
    ]
    return _table(("finding", "role", "", "without it"), rows)


def _raised(kinds: set[str]) -> Iterator[Row]:
    """Class, code and sentence of each error that the code makes with both written out."""
    for path in sorted(Path(jobq_magic.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or len(call.args) < 2:
                continue
            name = ast.unparse(call.func).rpartition(".")[2]
            code, sentence = call.args[0], _worded(call.args[1])
            if name in kinds and isinstance(code, ast.Constant) and sentence.strip("… :"):
                yield name, str(code.value), sentence


def _worded(node: ast.expr) -> str:
    """A sentence as it is written, with `…` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_worded(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _worded(node.left) + _worded(node.right)
    return "…"


def _table(heads: Row, rows: list[Row]) -> str:
    ruled = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in ruled)


def _sentence(told: str) -> str:
    told = " ".join(told.split())
    return told[:1].upper() + told[1:]


TABLES: dict[str, Callable[[], str]] = {
    "errors": _errors,
    "modules": _modules,
    "phases": _phases,
    "reasons": _reasons,
    "rights": _rights,
    "verbs": _verbs,
}


class Generated(SphinxDirective):
    """One of `TABLES`, in the place of the directive. What stands in it is for who reads the page without a site."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Its nodes; the page is made anew whenever the site is, since the code may have changed."""
        self.env.note_reread()
        return self.parse_text_to_nodes(TABLES[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
