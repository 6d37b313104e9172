"""Which names of the notebook a cell reads, through the notebook's own functions and objects too."""

from __future__ import annotations

import builtins
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from jobq_magic.capture.reads import reads

transform = TransformerManager().transform_cell

# What stands in the notebook; each name behind it is one that a test can look for.
NOTEBOOK = """
import contextlib, functools
from dataclasses import dataclass, field

def train(rows): return model.fit(rows, rate)
def evaluate(): return score(model2)
def score(x): return metric(x)
def outer():
    def inner(): return deep
    return inner
def listing(): return [k * factor for k in keys]
def recursive(n): return other_recursive(n)
def other_recursive(n): return recursive(n) + base
def with_default(f=score): return f
def builtin_only(x): return len(str(x))
def asks(df): return df.query("a < @limit")
def setter():
    global counter
    counter = start
async def later(): return await channel
def generate():
    yield source
running = generate()
short = lambda: brief
quick = functools.partial(train, rows=1)
partial_of_data = functools.partial(print, 1)
@functools.lru_cache
def kept(x): return costly
@functools.singledispatch
def area(x): return fallback
@area.register
def _(x: int): return whole
@contextlib.contextmanager
def opened(): yield handle
def logged(f):
    @functools.wraps(f)
    def call(*a): return log(f(*a))
    return call
@logged
def watched(): return seen
def make(f): return lambda: f()
made = make(evaluate)

class Base:
    shared = 1
    def common(self): return in_base
class Net(Base):
    def __init__(self): self.hook = evaluate
    def fit(self, X): return in_method
    @property
    def size(self): return in_property
    @staticmethod
    def fixed(): return in_static
    @classmethod
    def of(cls): return in_class
    @functools.cached_property
    def lazy(self): return in_cached
    class Inner:
        def go(self): return in_inner
net = Net()
bound = net.fit
class Slim:
    def go(self): return in_slim
class Slotted:
    __slots__ = ("hook", "unset")
    def __init__(self, hook): self.hook = hook
slotted = Slotted(evaluate)
class Meta(type):
    def __call__(cls): return in_meta
class Made(metaclass=Meta): pass
@dataclass
class Row:
    a: int = field(default=1)
    def total(self): return in_row

steps = [("scale", short), ("fit", Slim())]
table = {"go": evaluate}
numbers = list(range(1000))
"""

NET = "in_base in_method in_property in_static in_class in_cached in_inner"

# cell: the names that it reads, without those of the notebook's own things (below) and builtins.
TABLE: dict[str, str] = {
    # the cell alone
    "y = pending + 1": "pending",
    "print(pending)": "pending",
    "pending = 1\nprint(pending)": "",
    "if t:\n    a = 1\nprint(a)": "t a",
    "pending += 1": "pending",
    "del pending": "pending",
    "f'{pending:{width}}'": "pending width",
    "pending.attr[i].b": "pending i",
    "[p for p in pending if p > low]": "pending low",
    "(p for p in pending if p > low)": "pending low",
    "import numpy as np\nnp.zeros(n)": "n",
    "with pending as f:\n    f.read()": "pending",
    "for i in a:\n    b.append(i)": "a b",
    "match a:\n    case K(x=b): c": "a K c",
    "try:\n    a\nexcept E:\n    b": "a E b",
    "await a.go()": "a",
    "lambda: a": "a",
    "eval('a + b')": "a b",
    "a = 1\neval('a + b')": "b",
    "df.query('x < @top')": "df top",
    "globals()['a']": "a",
    "raise E\nunreached": "E",
    "if False:\n    unreached": "",
    "return a": "",
    "def (": "",
    "pending\nbreak": "",
    "pending\nf(x=1, x=2)": "",
    "if False:\n    return\npending": "",
    "pending\nglobal pending": "",
    "pending\nfrom __future__ import annotations": "",
    "\0": "",
    "": "",
    # what is only defined
    "def f(x): return pending.predict(x)": "",
    "def f(x): return pending.predict(x)\nf(1)": "pending",
    "def f(x): return pending.predict(x)\nlist(map(f, xs))": "pending xs",
    "def f(): return g()\ndef g(): return pending\nf()": "pending",
    "def g(): return pending\ndef f(): return g()\nf()": "pending",
    "def g(): return pending\ndef f(): return g()": "",
    "def f(): return f() + pending": "",
    "def f(): return pending\nh = f": "pending",
    "def f(): return pending\nx = lambda: f()": "",
    "def f(): return pending\nx = lambda: f()\nx()": "pending",
    "def f(): return pending\npending = 1\nf()": "",
    "def f(): return pending\nf()\npending = 1": "pending",
    "def f(): return pending\nif t:\n    pending = 1\nf()": "t pending",
    "f = lambda: pending": "",
    "f = lambda x=pending: x": "pending",
    "async def f(): return pending": "",
    "async def f(): return pending\nawait f()": "pending",
    "def f(a=pending): pass": "pending",
    # Evaluated since 3.14 only when somebody asks.
    "def f(a: T) -> U: pass": "T U" if sys.version_info < (3, 14) else "",
    "from __future__ import annotations\ndef f(a: T) -> U: pass": "",
    "def f(a: 'T'): pass": "",
    "@deco(arg)\ndef f(): return pending": "deco arg pending",
    "import functools\n@functools.cache\ndef f(): return pending": "",
    "import functools\n@functools.cache\ndef f(): return pending\nf()": "pending",
    "def f():\n    def g(): return pending\n    return g": "",
    "def f():\n    def g(): return pending\n    return g\nf()()": "pending",
    "class A:\n    x = pending": "pending",
    "class A(P, metaclass=M): pass": "P M",
    "class A:\n    def f(self): return pending": "",
    "class A:\n    def f(self): return pending\nA().f()": "pending",
    "class A:\n    def f(self): return pending\nclass B(A): pass": "",
    "class A:\n    def f(self): return pending\nclass B(A): pass\nB()": "pending",
    "class A:\n    def __init_subclass__(cls): pending\nclass B(A): pass": "pending",
    "class A:\n    class C:\n        def f(self): return pending": "",
    "class A:\n    class C:\n        def f(self): return pending\nA.C()": "pending",
    "class A:\n    k = lambda self: pending": "",
    "class A:\n    @property\n    def f(self): return a\n    @f.setter\n    def f(self, x): b": "",
    "class A:\n    y = [helper() for _ in r]": "helper r",
    "def f(): return pending\nclass A:\n    x = f()": "pending",
    "import functools\n@functools.singledispatch\ndef f(x): a\n@f.register\ndef _(x: int): b": "",
    "import functools\n@functools.singledispatch\ndef f(x): a\n@f.register\ndef _(x: int): b\nf(1)": "a b",
    # through the notebook
    "train(1)": "model rate",
    "x = train": "model rate",
    "for f in [train, evaluate]: f()": "model rate model2 metric",
    "evaluate()": "model2 metric",
    "model2 = 1\nevaluate()": "metric",
    "evaluate()\nmodel2 = 1": "model2 metric",
    "def score(x): return mine\nevaluate()": "model2 mine",
    "def f(): return evaluate()": "",
    "def f(): return evaluate()\nf()": "model2 metric",
    "def f(a: Net): pass": "",
    "outer()": "deep",
    "listing()": "factor keys",
    "recursive(1)": "base",
    "with_default()": "metric",
    "builtin_only(1)": "",
    "asks(df)": "df limit",
    "setter()": "start",
    "await later()": "channel",
    "next(running)": "source",
    "short()": "brief",
    "quick()": "model rate",
    "partial_of_data()": "",
    "kept(1)": "costly",
    "area(1)": "fallback whole",
    "with opened() as x: pass": "handle",
    "watched()": "log seen",
    "made()": "model2 metric",
    "Net()": NET + " model2 metric",
    "net.fit(X)": NET + " model2 metric X",
    "bound(X)": NET + " model2 metric X",
    "class Mine(Net): pass": NET + " model2 metric",
    "slotted.hook()": "model2 metric",
    "Made()": "in_meta",
    "Row().total()": "in_row",
    "for name, step in steps: step": "brief in_slim",
    "table['go']()": "model2 metric",
    "sum(numbers)": "",
    "eval('evaluate()')": "model2 metric",
    # magics
    "!echo {a.b} $c $$d": "a c",
    "a = 1\n!echo {a} {b}": "b",
    "!echo {evaluate()}": "model2 metric",
    "%%time\nx = pending\nevaluate()": "pending model2 metric",
    "%%time\n!echo $pending": "pending",
    "%%time\n%time x = pending": "pending",
    "%%time\ndef f(): return pending": "",
    "%%time\ndef f(): return pending\nf()": "pending",
    "%%time\nx = a\nx": "a",
    "%%timeit -n 1 x = a\nx + b": "a b",
    "%%capture out\nprint(pending)\nout": "pending out",
    "%time evaluate()": "model2 metric",
    "r = %timeit -o evaluate()": "model2 metric",
    "%cd $where": "where",
    "%%bash\necho $HOME": "",
    "%%jobq --workers 2\nmodel.fit(pending)": "",
    "%%jobq --workers $n\nmodel.fit(pending)": "",
    "%jobq status {pending}": "",
    "%jobq logs\nx = pending": "pending",
    "%%time\n%%jobq\npending": "",
    "%%time\n%jobq status {a}\nb": "b",
}


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(NOTEBOOK, "<notebook>", "exec", dont_inherit=True), namespace)
    return namespace


def seen(cell: str, namespace: dict[str, Any]) -> set[str]:
    return set(reads(transform(cell), namespace, transform=transform)) - set(dir(builtins)) - {"get_ipython"}


@pytest.mark.parametrize("cell", TABLE)
def test_a_cell_reads(cell, notebook):
    expected = set(TABLE[cell].split())
    assert seen(cell, notebook) - (set(notebook) - expected) == expected


def test_what_is_held_by_the_notebook_is_read_by_name_too(notebook):
    assert {"quick", "steps", "score"} <= seen("quick, steps, evaluate()", notebook)


def test_a_namespace_of_another_name_is_the_notebooks_all_the_same():
    namespace: dict[str, Any] = {"__name__": "elsewhere"}
    exec("def f(): return pending\nclass A:\n    def g(self): return other\na = A()", namespace)
    assert {"pending", "other"} <= seen("f(), a", namespace)


def test_functions_of_libraries_read_nothing_of_the_notebook():
    import json

    assert seen("dumps(1)", {"__name__": "__main__", "dumps": json.dumps}) == {"dumps"}


class Hostile:
    """Tells whenever any code of its own is executed."""

    touched: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        Hostile.touched.append(name)
        raise RuntimeError(name)

    def _raise(self, *_: object) -> Any:
        Hostile.touched.append("method")
        raise RuntimeError

    __eq__ = __hash__ = __iter__ = __len__ = __bool__ = __call__ = __repr__ = __get__ = _raise  # type: ignore[assignment]
    __class__ = property(_raise)  # type: ignore[assignment]
    __dict__ = property(_raise)  # type: ignore[assignment]


class HostileDict(dict):  # type: ignore[type-arg]
    __iter__ = __len__ = __getitem__ = items = values = keys = Hostile._raise  # type: ignore[assignment]


class HostileType(type):
    __getattribute__ = __instancecheck__ = __subclasscheck__ = Hostile._raise  # type: ignore[assignment]
    __mro__ = property(Hostile._raise)  # type: ignore[assignment]


def test_no_code_of_the_notebook_is_executed():
    namespace: dict[str, Any] = {"__name__": "__main__", "Hostile": Hostile, "HostileType": HostileType}
    exec("class Ours(Hostile):\n    def f(self): return pending\nodd = Ours()", namespace)
    exec("class Typed(metaclass=HostileType):\n    def f(self): return pending2\ntyped = Typed()", namespace)
    exec("def f(x=odd): return x\nf.extra = odd\nf.__module__ = odd", namespace)
    namespace["held"] = HostileDict(a=namespace["f"])
    namespace["mixed"] = [namespace["odd"], {"k": namespace["odd"]}, namespace["typed"], Hostile()]
    Hostile.touched.clear()
    names = seen("odd, typed, Typed, f, held, mixed", namespace)
    assert Hostile.touched == []
    assert {"pending", "pending2"} <= names


def test_containers_that_hold_themselves_have_an_end():
    loop: list[Any] = []
    loop.append(loop)
    assert seen("loop", {"loop": loop}) == {"loop"}


PIECES = st.sampled_from([*TABLE, "x", "(", "def f(): return x", "get_ipython().run_cell_magic('time', '', 'x')"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PIECES | st.text(max_size=20), max_size=6).map("\n".join),
    st.dictionaries(
        st.sampled_from(["x", "f", "pending", "a", "net"]),
        st.recursive(
            st.sampled_from([Hostile, HostileDict(), reads, st, time, object(), type, property(), staticmethod(len)]),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kl"), inner),
            max_leaves=5,
        ),
    ),
)
def test_nothing_that_is_given_makes_it_fail(text, namespace):
    assert isinstance(reads(text, namespace, transform=transform), frozenset)


def fastest(cell: str, namespace: dict[str, Any]) -> float:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        reads(cell, namespace)
        times.append(time.perf_counter() - began)
    return min(times)


def test_big_values_and_big_namespaces_cost_nothing():
    namespace: dict[str, Any] = {"data": [[[float(k)] for k in range(300)] for _ in range(300)], "f": len}
    cell = "x = data[0]\ny = f(x)"
    small = fastest(cell, {"data": [], "f": len})
    assert fastest(cell, namespace) < small + 0.005
    assert fastest(cell, {f"v{k}": k for k in range(20_000)}) < small + 0.001
