"""The walk from a cell to all that it needs.

Names are resolved in the live namespace. Each becomes a node (`order.Node`): a module, something imported from one, a
definition as source, or a value.
"""

from __future__ import annotations

import builtins
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from jobq_magic.capture.definitions import DefinitionIndex
from jobq_magic.capture.drift import drifted, other_bases
from jobq_magic.capture.inside import found_at
from jobq_magic.capture.kernels import PROVIDED, is_history, is_ipythons, is_kernels
from jobq_magic.capture.modules import LocalCode
from jobq_magic.capture.names import Analysis, analyse
from jobq_magic.capture.order import Node, in_order
from jobq_magic.capture.remake import made_alike, may_be_remade
from jobq_magic.capture.secretscan import defaults, refuse_secrets, secret_in_source
from jobq_magic.capture.values import MAIN, Group, Vault
from jobq_magic.capture.written import Definition
from jobq_magic.errors import CaptureError
from jobq_magic.runtime.sharing import families

__all__ = ["Walk"]

_SCALARS = (str, bytes, int, float, complex, bool, type(None))
_NOTHING = "__spec__"
"""What the job's `__main__` has as None."""
_DATA = (dict, list, set, tuple, frozenset, str, bytes, bytearray, int, float, complex, bool, type(None))


class Walk:
    """Resolves names, and what their objects need, until nothing is missing.

    Args:
        namespace: the notebook's.
        index: of its definitions.
        values: folder of value groups.
        code: of local modules.
        include: names that may travel although they look like secrets, or are not seen to be needed.
        exclude: names that must not travel.
        remake: names that are made anew by the statement that made them.
        limit: bytes of all values.
        pool: of value groups that runs share.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any],
        index: DefinitionIndex,
        *,
        values: Path,
        code: LocalCode,
        include: frozenset[str],
        exclude: frozenset[str],
        remake: frozenset[str],
        limit: int,
        pool: Path | None = None,
    ) -> None:
        self.namespace = namespace
        self.index = index
        self.code = code
        self.insisted = include
        self.exclude = exclude
        self.remake = remake
        self.vault = Vault(values, self, limit, pool)
        self.nodes: dict[str, Node] = {}
        self.loose: list[Node] = []
        """Nodes without a name of their own: sub-modules, attributes, extensions."""
        self.notes: list[str] = []
        self.opaque: dict[str, str] = {}
        """What travels by value for want of its source, and in which names."""
        self.late_stores: set[str] = set()
        self._queue: deque[tuple[str, str]] = deque()
        self._values: dict[str, Any] = {}
        self._definitions: dict[int, str] | None = None
        self._submodules: set[str] = set()
        self._by_value: set[str] = set()
        self._not_there: frozenset[str] = frozenset()
        self._replaced: frozenset[int] = frozenset()
        self.remade: set[str] = set()
        """Names that the job makes anew, asked for or not."""

    def check(self, name: str, option: str) -> None:
        """Refuses a name in an option that the notebook does not have.

        Raises:
            CaptureError: `missing-name`.
        """
        if name not in self.namespace and not hasattr(builtins, name):
            raise self._missing(name, f"{option} {name}: ")

    def cell(self, analysis: Analysis) -> None:
        """Takes the needs of the cell, and follows them.

        Raises:
            CaptureError: something is missing, or cannot travel.
        """
        hard = analysis.hard
        if analysis.stars:
            provided = self._starred(analysis.stars)
            soft = analysis.soft - provided
        else:
            soft = analysis.soft
        for name in sorted(hard | soft):
            if name in hard and name in self.namespace and is_history(name) and self._is_kernels(name):
                raise CaptureError(
                    "history-name",
                    f"{name} is this kernel's history, and stays here",
                    do="Give the value a name in a cell of its own, and use that",
                )
            if name in self.namespace or name in PROVIDED or hasattr(builtins, name) or name in self.exclude:
                continue
            if name in hard and not self._made_by_a_call(name):
                raise self._missing(name)
        self._uses(analysis, "cell")
        self._follow()

    def include(self, names: Iterable[str]) -> None:
        """Takes names that the user asked for.

        Raises:
            CaptureError: one is missing, or cannot travel.
        """
        for name in sorted(names):
            if name not in self.namespace:
                raise self._missing(name)
            self._need(name, "--include")
        self._follow()

    def reference(self, value: object) -> str | None:
        """The path under which a definition that travels is found in `__main__`; makes it travel."""
        if self._definitions is None:
            self._definitions = {
                id(self.namespace[name]): name for name in self.index.names() if name in self.namespace
            }
        name = self._definitions.get(id(value))
        if self._not_there and self._is_of(value, self._not_there):
            return _NOTHING
        if name is not None:
            return name if self._source(name, value) is not None else None
        for name in self.remake if not may_be_remade(value) else self.index.made_names():
            if self.namespace.get(name) is value and self._remade(name, value) is not None:
                return name
        if not isinstance(value, type | FunctionType) or value.__module__ != MAIN or "<locals>" in value.__qualname__:
            return None
        top, _, rest = value.__qualname__.partition(".")
        owner: Any = self.namespace.get(top)
        if not rest or owner is None or self._source(top, owner) is None:
            return None
        for part in rest.split("."):
            owner = getattr(owner, part, None)
        return value.__qualname__ if owner is value and id(value) not in self._replaced else None

    def _is_of(self, value: object, names: frozenset[str]) -> bool:
        """Whether a value is one of these definitions, a part of one, or an instance of one."""
        kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
        if isinstance(value, FunctionType) and value.__module__ == MAIN and value.__qualname__.split(".")[0] in names:
            return True
        known = self._definitions or {}
        return any(known.get(id(each)) in names for each in (value, *kinds))

    def label_of(self, code: CodeType) -> str:
        """How tracebacks call code that travels by value: the names of cells differ from kernel to kernel."""
        return code.co_filename if Path(code.co_filename).is_file() else f"<{code.co_name.strip('<>')}>"

    def _source(self, name: str, value: object) -> Definition | None:
        if name in self.exclude or name in self._by_value:
            return None
        return self.index.source_of(name, value)

    def _made_by_a_call(self, name: str) -> bool:
        """Whether a function of the notebook binds a name by `global`."""
        for owner in self.index.names():
            definition = self._source(owner, self.namespace[owner]) if owner in self.namespace else None
            if definition is not None and name in analyse(definition.text, definition.flags).late_stores:
                return True
        return False

    def _missing(self, name: str, told: str = "") -> CaptureError:
        near = get_close_matches(name, [known for known in self.namespace if not known.startswith("_")], n=1)
        return CaptureError(
            "missing-name",
            f"{told}name '{name}' is not defined in this notebook",
            do=f"Did you mean {near[0]}?" if near else "Run the cell that defines it first",
        )

    def _is_kernels(self, name: str) -> bool:
        return name not in self.insisted and is_kernels(name, self.namespace)

    def _starred(self, modules: Iterable[str]) -> set[str]:
        names: set[str] = set()
        for module in modules:
            live = sys.modules.get(module)
            if live is not None:
                public = getattr(live, "__all__", None)
                names.update(public if public is not None else (name for name in vars(live) if name[0] != "_"))
        return names

    def _uses(self, analysis: Analysis, why: str) -> None:
        """Queues what a text needs, with the modules that it imports."""
        for name in sorted(analysis.hard | analysis.soft):
            self._need(name, why)
        for module in sorted(analysis.hints.modules | set(analysis.stars)):
            self.code.need(module, why)
        self._chains(analysis)

    def _chains(self, analysis: Analysis) -> None:
        """Sub-modules that are reached by attributes, and would be missing if only their package was imported."""
        for chain in sorted(analysis.hints.chains):
            owner = self.namespace.get(chain[0])
            for part in chain[1:]:
                if not isinstance(owner, ModuleType):
                    break
                path = f"{owner.__name__}.{part}"
                below = sys.modules.get(path)
                if below is not None and getattr(owner, part, None) is below:
                    self._submodule(path)
                owner = below

    def _submodule(self, module: str) -> None:
        if module not in self._submodules:
            self._submodules.add(module)
            self.loose.append(Node("import", (), module, imported=(module, None)))

    def _need(self, name: str, why: str) -> None:
        if name in self.nodes or name in self.exclude or name in self._values or name not in self.namespace:
            return
        if self._is_kernels(name):
            return
        self._queue.append((name, why))

    def _follow(self) -> None:
        while self._queue or self._values:
            while self._queue:
                name, why = self._queue.popleft()
                if name not in self.nodes:
                    self._resolve(name, self.namespace[name], why)
            if self._values:
                self._pickle()

    def _resolve(self, name: str, value: Any, why: str) -> None:
        if (made := self._remade(name, value)) is not None:
            self.remade.add(name)
            self._define(name, value, made, why)
        elif name in PROVIDED and is_ipythons(value):
            self.nodes[name] = Node("none", (name,), why)
        elif isinstance(value, ModuleType):
            self._module(name, value, why)
        elif (definition := self._source(name, value)) is not None:
            self._define(name, value, definition, why)
        elif (found := self._imported(name, value)) is not None:
            self.code.need(found[0], f"{why} → {name}")
            self.nodes[name] = Node("import", (name,), why, imported=found)
        else:
            if name not in self.insisted:
                refuse_secrets(name, value, why)
            self.nodes[name] = Node("value", (name,), why)
            self._values[name] = value

    def _remade(self, name: str, value: object) -> Definition | None:
        """The statement that makes a name anew in the job, where that is asked for, or harmless and the only way."""
        made = self.index.made(name)
        if name not in self.remake:
            return made if name not in self.exclude and made_alike(value, made, self.namespace) else None
        if made is None:
            raise CaptureError(
                "cannot-remake",
                f"{name} cannot be made anew: no statement of the form `{name} = ...` was executed",
                do="Make it inside the cell",
            )
        return made

    def _module(self, name: str, module: ModuleType, why: str) -> None:
        path = module.__name__
        if sys.modules.get(path) is not module:
            raise CaptureError(
                "cannot-travel",
                f"{name} is a module that was not imported from anywhere; used by: {why}",
                do=f"Make it inside the cell, or leave it out with --exclude {name}",
            )
        if path == MAIN:
            self.notes.append(f"{name} is the notebook's own module: names read through it are not seen")
        self.code.need(path, f"{why} → {name}")
        self.nodes[name] = Node("import", (name,), why, imported=(path, None))
        for below in self.index.submodules_of(path):
            if below in sys.modules:
                self._submodule(below)

    def _imported(self, name: str, value: Any) -> tuple[str, str | None] | None:
        """From where a name can be imported so that it holds this very object."""
        if not isinstance(value, _DATA):
            for known in self.index.imported_as(name):
                module = sys.modules.get(known.module)
                if module is None or not known.attribute or getattr(module, known.attribute, None) is not value:
                    continue
                if isinstance(value, type | FunctionType | BuiltinFunctionType) or not _is_data(value):
                    return known.module, known.attribute
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            path, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
            if not isinstance(path, str) or path == MAIN or "<" in qualified:
                return None
            found: Any = sys.modules.get(path)
            for part in qualified.split("."):
                found = getattr(found, part, None)
            if found is value:
                return path, qualified
        return None

    def _define(self, name: str, value: Any, definition: Definition, why: str) -> None:
        analysis = analyse(definition.text, definition.flags)
        lacking = [
            need
            for need in analysis.hard
            if need not in self.namespace and not hasattr(builtins, need) and need != name
        ]
        gone = lacking or any(need in self.exclude for need in analysis.hard)
        if gone or other_bases(definition, value, self.namespace):
            # What its definition read is gone, but the object is still there.
            self._by_value.add(name)
            self._resolve(name, value, why)
            return
        if (secret := secret_in_source(definition.text, self.insisted)) is not None and name not in self.insisted:
            raise CaptureError(
                "secret-in-value",
                f"line {definition.line + secret[0] - 1} of {definition.label} holds {secret[1]}; "
                f"used by: {why} → {name}",
                do=f"Read it from os.environ and pass it with --secret NAME, or insist with --include {name}",
            )
        chain = f"{why} → {name}"
        node = Node("source", (name,), why, definition=definition)
        node.hard, node.soft = set(analysis.hard) - {name}, set(analysis.soft) - {name}
        self.nodes[name] = node
        self.late_stores |= analysis.late_stores
        for line, call, _ in analysis.hints.asks:
            self.notes.append(f"{name} calls {call} (line {line}), and nobody will answer in the job")
        self._uses(analysis, chain)
        previous = node
        for extension in self.index.extensions_of(name):
            more = analyse(extension.text, extension.flags)
            extra = Node("source", (), chain, set(more.hard), set(more.soft), [previous], definition=extension)
            extra.hard |= {name}
            self.loose.append(extra)
            self._uses(more, chain)
            previous = extra
        if name not in self.remade:
            for path, attributes in drifted(definition, value, self.namespace):
                self._set_later(path, attributes, chain, fill=definition.decorated)

    def _set_later(self, path: str, attributes: dict[str, Any], why: str, *, fill: bool) -> None:
        name = path.partition(".")[0]
        if name not in self.insisted:
            for attribute, value in attributes.items():
                refuse_secrets(f"{path}.{attribute}", value, why)
            if "__defaults__" in attributes:
                refuse_secrets(path, dict(defaults(found_at(path, self.namespace))), why)
        # A method that another was put in place of is found under its own name here, but not there.
        self._replaced = frozenset(
            id(value) for name, value in attributes.items() if getattr(value, "__qualname__", "") == f"{path}.{name}"
        )
        try:
            group = self.vault.group(attributes, lambda _: why)
        except CaptureError as error:
            if not fill or error.code != "cannot-travel":
                raise
            return  # the decorator makes it anew
        finally:
            self._replaced = frozenset()
        needed = self._refers(group, why)
        turn = "fill" if fill else ""
        node = Node("attributes", (), why, {name} | needed, set(group.reads), of=path, group=group, turn=turn)
        self.loose.append(node)

    def _pickle(self) -> None:
        """Pickles the values that were found since the last time; what they refer to is queued."""
        batch, self._values = self._values, {}
        same: dict[int | str, list[str]] = {}
        for name, value in batch.items():
            # Small numbers and texts are one object for reasons of Python's own.
            same.setdefault(name if isinstance(value, _SCALARS) else id(value), []).append(name)
        for names in same.values():
            self._group({name: batch[name] for name in names})

    def _group(self, values: dict[str, Any]) -> None:
        hint = ""
        first = next(iter(values))
        if first not in self.remake and (made := self.index.made(first)) is not None and "\n" not in made.text.strip():
            hint = f"let the job make it anew with --remake {first}, "
        group = self.vault.group(values, lambda name: self.nodes[name].why if name in self.nodes else "cell", hint=hint)
        node = self.nodes[first]
        node.names, node.group = group.names, group
        for name in group.names:
            self.nodes[name] = node
        node.hard = self._refers(group, f"{node.why} → {first}")
        node.soft = set(group.reads)
        for qualified in group.by_value:
            if "<" in qualified:
                continue  # a lambda, or made by a function: these have no source of their own
            self.opaque[qualified] = ", ".join(group.names)

    def _refers(self, group: Group, why: str) -> set[str]:
        """Queues what a group refers to; the names that must be there when it is loaded."""
        tops = {path.partition(".")[0] for path in group.refers}
        for name in sorted(tops):
            self._need(name, why)
        for name in sorted(group.reads):
            self._need(name, why)
        for module in sorted(group.modules & sys.modules.keys()):  # generated code names what is no module
            self.code.need(module, why)
        return tops

    def merge(self) -> None:
        """Makes one group of values that share objects, so that they share them there too."""
        if sum(node.kind == "value" for node in self.nodes.values()) < 2:
            return
        nodes = {
            node.names[0]: node
            for node in self.nodes.values()
            if node.kind == "value" and node.group is not None and node.names
        }
        shared = {name: node.group.shared() for name, node in nodes.items() if node.group is not None}
        for family in families(shared):
            if len(family) > 1:
                names = sorted(name for first in family for name in nodes[first].names)
                for first in family:
                    if (group := nodes[first].group) is not None:
                        self.vault.forget(group)
                self._group({name: self.namespace[name] for name in names})

    def put(self, order: Iterable[Node], *, dry: bool = False) -> None:
        """Writes the value groups; until then, none was. `dry`: only finds their digests."""
        for node in order:
            if node.group is not None:
                self.vault.put(node.group, dry=dry)

    def ordered(self) -> list[Node]:
        """All nodes, in an order in which each finds what it needs."""
        return in_order(self.nodes, self.loose, self._early)

    def _early(self, node: Node, missing: frozenset[str]) -> Node:
        """The first turn of a value that definitions are executed with, before those that it refers to are there."""
        assert node.group is not None
        group = node.group
        if missing:
            self._not_there = missing
            try:
                group = self.vault.group({name: self.namespace[name] for name in node.names}, lambda _: node.why)
            finally:
                self._not_there = frozenset()
        return Node("value", node.names, node.why, node.hard - missing, node.soft, group=group, turn="early")


def _is_data(value: object) -> bool:
    """Whether an instance is data that cells change, and not a part of the module that it is imported from."""
    return type(value).__module__.partition(".")[0] in ("numpy", "pandas", "polars", "torch", "collections", "datetime")
