"""Many cases as one notebook: each has names of its own, and its cells from the one that travels become functions."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from jobq_magic.runtime.execute import _silenced
from tests.cases.table import Case

SCOPES = {
    ast.Lambda: "lambda",
    ast.ListComp: "listcomp",
    ast.SetComp: "setcomp",
    ast.DictComp: "dictcomp",
    ast.GeneratorExp: "genexpr",
}


class ApartError(Exception):
    """A case cannot stand beside others; why."""


@dataclass
class Beside:
    """A case whose names nobody else has."""

    case: Case
    before: list[str]
    """The cells before the one that travels, and those that define the functions."""
    functions: list[str]
    """The functions that the other cells became, by name."""
    first: int
    """The number of the cell that is the first of them, among those that a plain notebook has."""
    bound: set[str]
    """What those cells bind."""


def beside(case: Case, number: int) -> Beside:
    """Gives all names of a case a suffix.

    Raises:
        ApartError: a cell cannot be a function.
    """
    suffix = f"_q{number}q"
    cells = [cell for cell in case.cells if cell.only != "there"]
    first = next(at for at, cell in enumerate(cells) if cell.jobq is not None)
    texts = [TransformerManager().transform_cell(cell.code) for cell in cells]
    for word in ("get_ipython", "__future__"):
        if any(word in text for text in texts):
            raise ApartError(f"{word} is for a cell")
    try:
        trees = [ast.parse(text) for text in texts]
        bound = [_bound(tree) for tree in trees]
        names = set().union(*bound)
        if "import *" in "".join(texts[first:]):
            raise ApartError("all names of a module cannot be imported in a function")
        defined = {name for tree in trees for name in _defined(tree)}
        made = [_Suffix(text, names, suffix, defined).visit(tree) for text, tree in zip(texts, trees, strict=True)]
        before = [ast.unparse(ast.fix_missing_locations(tree)) for tree in made[:first]]
        functions = []
        for at, tree in enumerate(made[first:]):
            functions.append(f"run{suffix}_{at}")
            before.append(_function(tree, functions[-1], {f"{n}{suffix}" for n in names}, texts[first + at]))
    except SyntaxError as error:
        raise ApartError(f"a cell cannot be a function: {error}") from error
    return Beside(case, before, functions, first, set().union(*bound[first:]))


def _function(tree: ast.Module, name: str, names: set[str], text: str) -> str:
    """A cell as a function whose names are those of the notebook."""
    body = [ast.parse(f"global {', '.join(sorted(names))}").body[0]] if names else []
    body += [_Plain().visit(statement) for statement in tree.body]
    if isinstance(body[-1], ast.Expr) and not _silenced(text):
        body[-1] = ast.Return(body[-1].value)
    made = ast.parse(f"def {name}():\n    pass\n")
    waits = any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in _at_top(body))
    waits |= any(isinstance(node, ast.comprehension) and node.is_async for node in _at_top(body))
    function = made.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = body
    text = ast.unparse(ast.fix_missing_locations(made))
    text = f"async {text}" if waits else text
    compile(text, "case", "exec")
    return text


class _Plain(ast.NodeTransformer):
    """Without what a function cannot have: annotations of global names."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return ast.Assign([node.target], node.value) if node.value is not None else ast.Pass()

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node


def _at_top(body: Iterable[ast.AST]) -> Iterable[ast.AST]:
    """All nodes that belong to the cell itself, not to what it defines."""
    todo = list(body)
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            todo += node.decorator_list
        elif not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)


def _defined(tree: ast.Module) -> list[str]:
    """The functions and classes of a cell."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node.name for node in tree.body if isinstance(node, kinds)]


def _bound(tree: ast.Module) -> set[str]:
    """The names that statements bind at top level; a module that is imported by its own name keeps it."""
    table = symtable.symtable(ast.unparse(tree), "case", "exec")
    plain = {
        alias.name.partition(".")[0]
        for node in _at_top(tree.body)
        if isinstance(node, ast.Import)
        for alias in node.names
        if not alias.asname
    }
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    todo = list(table.get_children())
    while todo:  # what a function declares as global
        inner = todo.pop()
        todo += inner.get_children()
        found |= {s.get_name() for s in inner.get_symbols() if s.is_declared_global() and s.is_assigned()}
    return {name for name in found - plain if not name.startswith("__")}


class _Suffix(ast.NodeTransformer):
    """Gives the names of the notebook a suffix, wherever they are read, by the compiler's word on scopes."""

    def __init__(self, text: str, names: set[str], suffix: str, defined: set[str]) -> None:
        self.names, self.suffix, self.defined = names, suffix, defined
        self.tables = [symtable.symtable(text, "case", "exec")]
        self.claimed: set[int] = set()
        self.stored: list[set[str]] = [set()]

    def visit(self, node: Any) -> Any:
        if type(node) in SCOPES:
            return self._expression(node)
        return super().visit(node)

    def own(self, name: str, *, reads: bool = False) -> str:
        """A name as it is called in this scope."""
        table = self.tables[-1]
        if name not in self.names:
            return name
        if table.get_type() != "module":
            symbol = table.lookup(name)
            early = table.get_type() == "class" and reads and symbol.is_local() and name not in self.stored[-1]
            if not symbol.is_global() and not early:
                return name
        return name + self.suffix

    def _inside(self, node: Any, name: str, parts: list[str]) -> None:
        for table in self.tables[-1].get_children():
            if table.get_name() == name and table.get_lineno() == node.lineno and table.get_id() not in self.claimed:
                break
        else:
            raise SyntaxError(f"no scope for {name}")
        self.claimed.add(table.get_id())
        self.tables.append(table)
        self.stored.append(set())
        for part in parts:
            self._field(node, part)
        self.tables.pop()
        self.stored.pop()

    def _field(self, node: Any, part: str) -> None:
        value = getattr(node, part)
        if isinstance(value, list):
            made = [self.visit(each) if isinstance(each, ast.AST) else each for each in value]
            setattr(node, part, made)
        elif isinstance(value, ast.AST):
            setattr(node, part, self.visit(value))

    def _expression(self, node: Any) -> Any:
        if isinstance(node, ast.Lambda):
            self._field(node, "args")
            self._inside(node, "lambda", ["body"])
            return node
        first = node.generators[0]
        first.iter, outer = ast.Constant(None), self.visit(first.iter)
        parts = ["key", "value"] if isinstance(node, ast.DictComp) else ["elt"]
        self._inside(node, SCOPES[type(node)], [*parts, "generators"])
        first.iter = outer
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        for part in ("decorator_list", "args"):
            self._field(node, part)
        node.returns = self._annotation(node.returns)
        self._inside(node, node.name, ["body"])
        self.stored[-1].add(node.name)
        node.name = self.own(node.name)
        return node

    def visit_AsyncFunctionDef(self, node: Any) -> Any:
        return self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: Any) -> Any:
        for part in ("decorator_list", "bases", "keywords"):
            self._field(node, part)
        self._inside(node, node.name, ["body"])
        self.stored[-1].add(node.name)
        node.name = self.own(node.name)
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = self._annotation(node.annotation)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = self._annotation(node.annotation)
        self._field(node, "value")
        self._field(node, "target")
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        targets = {inner.id for target in node.targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
        for call in ast.walk(node.value):
            if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                word = call.args[0].value
                if isinstance(word, str) and word in targets:  # T = TypeVar("T")
                    call.args[0] = ast.Constant(self.own(word))
        self._field(node, "value")
        self._field(node, "targets")
        return node

    def _annotation(self, node: Any) -> Any:
        if node is None:
            return None
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                tree = ast.parse(inner.value, mode="eval")
                for name in ast.walk(tree):
                    if isinstance(name, ast.Name) and name.id in self.names:
                        name.id += self.suffix
                inner.value = ast.unparse(tree)
        return self.visit(node)

    def visit_Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, str) and node.value in self.defined:  # what `__name__` says
            node.value += self.suffix
        return node

    def visit_Name(self, node: ast.Name) -> Any:
        name = node.id
        node.id = self.own(name, reads=isinstance(node.ctx, ast.Load))
        if isinstance(node.ctx, ast.Store):
            self.stored[-1].add(name)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        node.name = self.own(node.name) if node.name else None
        return self.generic_visit(node)

    def visit_MatchAs(self, node: Any) -> Any:
        node.name = self.own(node.name) if node.name else None
        return self.generic_visit(node)

    def visit_MatchStar(self, node: Any) -> Any:
        return self.visit_MatchAs(node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> Any:
        node.rest = self.own(node.rest) if node.rest else None
        return self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> Any:
        node.names = [name + self.suffix if name in self.names else name for name in node.names]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        for alias in node.names:
            if alias.name != "*" and (own := self.own(alias.asname or alias.name)) != alias.name:
                alias.asname = own
        return node

    def visit_Import(self, node: ast.Import) -> Any:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            if (own := self.own(bound)) != bound:
                if not alias.asname and "." in alias.name:
                    raise SyntaxError(f"{alias.name} is imported under a name that changes")
                alias.asname = own
        return node
