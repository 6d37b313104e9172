"""Random notebooks: definitions and values that hang together in many ways, a cell that travels, and cells after it.

Every integer expression of a notebook means the same wherever it is evaluated, so what is not generated is what
docs/what-travels.md names as different: values that a cell changes while something that stays holds them too, and what
a cell sets on classes and functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

FIRST = """
import threading, socket, os, math, collections, enum
from dataclasses import dataclass, field
from functools import partial, lru_cache, wraps, singledispatch
"""
CULPRITS = {
    "lock": "threading.Lock()",
    "file": "open(os.devnull)",
    "generator": "(i for i in range(3))",
    "socket": "socket.socket()",
    "thread": "threading.Thread(target=print)",
}


@dataclass
class Thing:
    """A name of the notebook."""

    name: str
    kind: str
    ints: list[str] = field(default_factory=list)
    """Expressions that are integers."""
    reads: set[str] = field(default_factory=set)
    """Names that it needs."""
    changes: list[str] = field(default_factory=list)
    """Statements that change it in place."""
    holds: set[str] = field(default_factory=set)
    """Names of values whose objects are in it."""


@dataclass
class Notebook:
    """Cells, of which those with options travel."""

    cells: list[dict[str, Any]] = field(default_factory=list)
    planted: dict[str, str] = field(default_factory=dict)
    """What cannot travel: by the root of its path, what it is."""
    reached: set[str] = field(default_factory=set)
    """The names that the cell needs, as far as the grammar knows: at least those that it does need."""

    def __repr__(self) -> str:
        texts = [("%%jobq\n" if cell["jobq"] is not None else "") + cell["code"].strip() for cell in self.cells]
        return "\n\n" + "\n# ---\n".join(texts) + f"\n\n# planted: {self.planted}\n"


class Writer:
    """Writes a notebook, by what hypothesis draws."""

    def __init__(self, draw: Any, *, culprits: bool) -> None:
        self.draw, self.culprits = draw, culprits
        self.things: list[Thing] = []
        self.planted: dict[str, str] = {}
        self.count = 0

    def name(self, start: str) -> str:
        self.count += 1
        return f"{start}{self.count}"

    def number(self) -> int:
        return self.draw(st.integers(0, 9))

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in

    def pick(self, *kinds: str) -> Thing | None:
        """Something that is there, of these kinds."""
        there = [thing for thing in self.things if thing.kind in kinds]
        return self.draw(st.sampled_from(there)) if there else None

    def integer(self, needs: set[str]) -> str:
        """An expression, and into `needs` what it reads."""
        there = [thing for thing in self.things if thing.ints]
        if not there or self.chance(4):
            return str(self.number())
        thing = self.draw(st.sampled_from(there))
        needs.add(thing.name)
        return self.draw(st.sampled_from(thing.ints))

    def made(self, thing: Thing) -> None:
        self.things.append(thing)

    # What can be defined: each gives the text of a part of a cell.

    def a_number(self) -> str:
        needs: set[str] = set()
        name, value = self.name("n"), self.integer(needs)
        self.made(Thing(name, "number", [name]))
        return f"{name} = {value}"

    def a_list(self) -> str:
        needs: set[str] = set()
        name, value = self.name("l"), self.integer(needs)
        changes = [f"{name}.append({self.number()})", f"{name}[0] += 1", f"{name}.insert(0, 5)", f"{name} += [3]"]
        self.made(Thing(name, "list", [f"sum({name}[:4])", f"len({name})", f"{name}[0]"], changes=changes))
        return f"{name} = [{value}, {self.number()}]"

    def a_box(self) -> str:
        name, inner = self.name("d"), self.pick("list", "box")
        value = inner.name if inner is not None else "[7]"
        changes = [f"{name}['new'] = {self.number()}", f"{name}.setdefault('more', []).append(1)"]
        if inner is None or inner.kind == "list":
            changes.append(f"{name}['in'].append(2)")
        self.made(Thing(name, "box", [f"len({name})", f"len({name}['in'])"], changes=changes, holds=held(inner)))
        return f"{name} = {{'in': {value}, 'again': ({value},)}}" if inner else f"{name} = {{'in': {value}}}"

    def an_alias(self) -> str:
        other = self.pick("list", "box", "instance", "function", "class", "deque")
        if other is None:
            return self.a_list()
        name = self.name("a")
        ints = [each.replace(other.name, name) for each in other.ints]
        changes = [each.replace(other.name, name) for each in other.changes]
        self.made(Thing(name, other.kind, ints, {other.name} | other.reads, changes, held(other)))
        return f"{name} = {other.name}"

    def a_deque(self) -> str:
        name = self.name("q")
        self.made(Thing(name, "deque", [f"len({name})", f"{name}[-1]"], changes=[f"{name}.appendleft(4)"]))
        return f"{name} = collections.{self.draw(st.sampled_from(['deque([1, 2])', 'deque([3], 4)']))}"

    def a_function(self) -> str:
        needs: set[str] = set()
        name, value = self.name("f"), self.integer(needs)
        self.made(Thing(name, "function", [f"{name}(1)", f"{name}(x=3)"], needs))
        return f"def {name}(x):\n    return (x + {value}) % 97"

    def a_lambda(self) -> str:
        needs: set[str] = set()
        name, value = self.name("f"), self.integer(needs)
        self.made(Thing(name, "function", [f"{name}(2)"], needs))
        return f"{name} = lambda x: x * 2 + {value}"

    def a_redefinition(self) -> str:
        needs: set[str] = set()
        name, old, value = self.name("f"), self.name("o"), self.integer(needs)
        self.made(Thing(name, "function", [f"{name}(1)"], needs))
        self.made(Thing(old, "function", [f"{old}(1)"]))
        return (
            f"def {name}(x):\n    return x + {self.number()}\n{old} = {name}\n# %%\n"
            f"def {name}(x):\n    return x - {value}"
        )

    def a_default(self) -> str:
        needs: set[str] = set()
        name, value = self.name("g"), self.integer(needs)
        key = self.integer(needs)
        self.made(Thing(name, "function", [f"{name}()", f"{name}(1, y=2)"], needs))
        return f"def {name}(x={value}, *, y={key}):\n    return x + y"

    def a_closure(self) -> str:
        needs: set[str] = set()
        maker, name, value = self.name("make"), self.name("c"), self.integer(needs)
        inner = self.pick("list")
        argument = inner.name if inner is not None and self.chance(2) else f"[{self.number()}]"
        holds = held(inner) if inner is not None and argument == inner.name else set()
        self.made(Thing(name, "closure", [f"{name}(1)"], {maker, *needs}, [f"{name}.add(3)"], holds))
        return (
            f"def {maker}(kept):\n    def inner(x):\n        return x + len(kept) + {value}\n"
            f"    inner.add = kept.append\n    return inner\n{name} = {maker}({argument})"
        ).replace(
            "    inner.add = kept.append\n",
            "    def add(x):\n        kept.append(x)\n    inner.add = add\n",
        )

    def a_partial(self) -> str:
        other = self.pick("function")
        if other is None or "(1)" not in " ".join(other.ints):
            return self.a_function()
        name, call = self.name("p"), self.draw(st.sampled_from([1, 4]))
        self.made(Thing(name, "partial", [f"{name}()"], {other.name} | other.reads))
        return f"{name} = partial({other.name}, {call})"

    def a_class(self) -> str:
        needs: set[str] = set()
        name, base = self.name("C"), self.pick("class")
        value = self.integer(needs)
        parent = f"({base.name})" if base is not None and self.chance(2) else ""
        needs |= {base.name} if base is not None and parent else set()
        later = f"\n{name}.later = {self.draw(st.sampled_from(['4', '[1, 2]', '{}']))}" if self.chance(2) else ""
        made = "    def __init__(self, items):\n        self.items = items\n"
        self.made(Thing(name, "class", [f"{name}([1, 2]).size()", f"len({name}.own)"], needs))
        return (
            f"class {name}{parent}:\n    own = [1]\n{made}    def size(self):\n"
            f"        return len(self.items) + {value}\n"
            f"    def __repr__(self):\n        return f'{name}({{self.items}})'{later}"
            + (f"\n{name}.own.append(5)" if self.chance(3) else "")
        )

    def an_instance(self) -> str:
        kind = self.pick("class")
        if kind is None:
            return self.a_class()
        inner = self.pick("list")
        name, value = self.name("i"), inner.name if inner is not None else "[1]"
        changes = [f"{name}.items.append(6)", f"{name}.extra = {self.number()}"]
        ints = [f"{name}.size()", f"len({name}.items)"]
        self.made(Thing(name, "instance", ints, {kind.name} | kind.reads, changes, held(inner)))
        return f"{name} = {kind.name}({value})"

    def a_dataclass(self) -> str:
        needs: set[str] = set()
        name, it, value = self.name("D"), self.name("i"), self.integer(needs)
        self.made(Thing(it, "instance", [f"{it}.n", f"len({it}.items)"], {name, *needs}, [f"{it}.items.append(1)"]))
        return (
            f"@dataclass\nclass {name}:\n    n: int = {value}\n    items: list = field(default_factory=list)\n"
            f"{it} = {name}()"
        )

    def a_registry(self) -> str:
        needs: set[str] = set()
        table, put, name, value = self.name("r"), self.name("put"), self.name("f"), self.integer(needs)
        self.made(Thing(table, "registry", [f"{table}['{name}'](1)", f"len({table})"], {put, name, *needs}))
        self.made(Thing(name, "function", [f"{name}(1)"], {table, put, *needs}))
        return (
            f"{table} = {{}}\ndef {put}(f):\n    {table}[f.__name__] = f\n    return f\n"
            f"@{put}\ndef {name}(x):\n    return x + {value}"
        )

    def a_wrapped(self) -> str:
        needs: set[str] = set()
        deco, name, value = self.name("deco"), self.name("f"), self.integer(needs)
        cached = "@lru_cache\n" if self.chance(3) else ""
        self.made(Thing(name, "function", [f"{name}(1)"], {deco, *needs}))
        return (
            f"def {deco}(f):\n    @wraps(f)\n    def inner(x):\n        return f(x) + 1\n    return inner\n"
            f"@{deco}\n{cached}def {name}(x):\n    return x + {value}"
        )

    def an_enum(self) -> str:
        name = self.name("E")
        self.made(Thing(name, "enum", [f"{name}.B.value", f"len({name})"]))
        return f"class {name}(enum.Enum):\n    A = 1\n    B = {self.number() + 2}"

    def a_culprit(self) -> str:
        what = self.draw(st.sampled_from(sorted(CULPRITS)))
        name, text = self.name("bad"), CULPRITS[what]
        self.planted[name] = what
        form = self.draw(st.sampled_from(["alone", "in a list", "in an instance", "behind a function", "in a closure"]))
        thing = Thing(name, "culprit", [f"len({name})"])
        if form == "in a list":
            code = f"{name} = [1, {{'deep': {text}}}]"
        elif form == "in an instance":
            kind = self.name("K")
            code = f"class {kind}: ...\n{name} = {kind}()\n{name}.part = {text}"
            thing.ints, thing.reads = [f"len(vars({name}))"], {kind}
        elif form == "in a closure":
            code = f"def make_{name}(kept):\n    return lambda x: (x, kept)[0]\n{name} = make_{name}({text})"
            thing.ints = [f"{name}(2)"]
        else:
            code = f"{name} = {text}"
            thing.ints = [f"len([{name}])"]
        self.made(thing)
        if form == "behind a function":
            reader = self.name("f")
            self.made(Thing(reader, "function", [f"{reader}(1)"], {name}))
            thing.ints = []
            code += f"\ndef {reader}(x):\n    return len([{name}]) + x"
        return code

    def definition(self) -> str:
        """Any of them."""
        choices = [
            self.a_number, self.a_list, self.a_box, self.an_alias, self.a_deque, self.a_function, self.a_lambda,
            self.a_redefinition, self.a_default, self.a_closure, self.a_partial, self.a_class, self.an_instance,
            self.a_dataclass, self.a_registry, self.a_wrapped, self.an_enum,
        ]  # fmt: skip
        if self.culprits and self.chance(5):
            return self.a_culprit()
        return self.draw(st.sampled_from(choices))()

    # The cell that travels.

    def cell(self) -> tuple[str, set[str]]:
        """Its text, and the names that it needs."""
        needs: set[str] = set()
        lines = []
        for _ in range(self.draw(st.integers(1, 4))):
            changing = [thing for thing in self.things if thing.changes]
            if changing and self.chance(2):
                thing = self.draw(st.sampled_from(changing))
                lines.append(self.draw(st.sampled_from(thing.changes)))
                needs.add(thing.name)
            elif self.chance(3):
                lines.append(f"print({self.integer(needs)})")
            elif self.chance(3) and (data := self.pick("list", "box", "instance")) is not None:
                lines.append(f"{self.name('w')} = {data.name}")
                needs.add(data.name)
            elif (kind := self.pick("class")) is not None and self.chance(3):
                lines.append(f"{self.name('w')} = [{kind.name}([1]), {kind.name}]")
                needs.add(kind.name)
            else:
                lines.append(f"{self.name('w')} = {self.integer(needs)}")
        # Who shares something with what may change travels too: what stays would keep the old one, by design.
        together = self.sharing(needs)
        if together - needs:
            lines.append(f"{self.name('w')} = len([{', '.join(sorted(together))}])")
        needs |= together
        lines.append(self.integer(needs))
        needs |= self.sharing(needs)
        return "\n".join(lines), self.reach(needs)

    def sharing(self, names: set[str]) -> set[str]:
        """All names of values that hold something in common with these, or with what these read."""
        groups: dict[str, set[str]] = {}
        for thing in self.things:
            if thing.kind in ("list", "box", "instance", "closure", "deque"):
                for root in {thing.name, *thing.holds}:
                    groups.setdefault(root, set()).add(thing.name)
        found = {name for name in self.reach(names) if any(name in group for group in groups.values())}
        while True:
            more = {name for group in groups.values() if group & found for name in group}
            more |= {name for name in self.reach(more) if any(name in group for group in groups.values())}
            if more <= found:
                return found
            found |= more

    def reach(self, names: set[str]) -> set[str]:
        """What these names need, and what that needs."""
        known: dict[str, set[str]] = {}
        for thing in self.things:
            known.setdefault(thing.name, set()).update(thing.reads | thing.holds)
        found, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += known.get(name, ())
        return found


def held(inner: Thing | None) -> set[str]:
    """The names under which the object of a thing is known, and those in it."""
    return {inner.name, *inner.holds} if inner is not None else set()


@st.composite
def notebooks(draw: Any, *, culprits: bool = False) -> Notebook:
    """A notebook with one cell that travels, and one after it that evaluates everything."""
    writer = Writer(draw, culprits=culprits)
    notebook = Notebook()
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=6))
    texts = [FIRST, *("\n".join(writer.definition() for _ in range(size)) for size in sizes)]
    if culprits and not writer.planted:
        texts.append(writer.a_culprit())
    cell, notebook.reached = writer.cell()
    later = [each for thing in writer.things if thing.kind != "culprit" for each in thing.ints]
    notebook.cells = [{"code": code, "jobq": None, "only": ""} for text in texts for code in _split(text)]
    notebook.cells.append({"code": cell, "jobq": "", "only": ""})
    notebook.cells.append({"code": f"[{', '.join(later)}]", "jobq": None, "only": ""})
    notebook.planted = writer.planted
    return notebook


def _split(text: str) -> Iterator[str]:
    yield from text.split("# %%\n")
