"""Cells of the usual notebook, run there and here: the same value, the same names."""

from __future__ import annotations

import pytest

# name: (earlier cells, the cell). What the cell's last value and names are here, they must be in a fresh process.
CASES: dict[str, tuple[list[str], str]] = {
    "nothing from before": ([], "x = 1 + 1\nx"),
    "a number": (["a = 3"], "b = a + 1\nb"),
    "plain data": (["d = {'a': [1, (2, 3)], 'b': {4}}"], "out = d['a'][1]\nout"),
    "a module": (["import math"], "math.sqrt(16)"),
    "a module under another name": (["import collections as c"], "c.Counter('aab')"),
    "a name from a module": (["from math import pi, floor as f"], "f(pi)"),
    "a sub-module reached by attribute": (["import xml.dom.minidom"], "xml.dom.minidom.parseString('<a/>').toxml()"),
    "a sub-module that another cell imported": (
        ["import os", "import concurrent.futures\nimport concurrent"],
        "concurrent.futures.Future.__name__",
    ),
    "a sub-module reached by getattr": (
        ["import xml.etree.ElementTree", "def tag(t):\n    return getattr(xml, 'etree').ElementTree.fromstring(t).tag"],
        "tag('<q/>')",
    ),
    "numpy arrays": (["import numpy as np", "a = np.arange(6).reshape(2, 3)"], "s = a.sum(axis=0)\ns.tolist()"),
    "a record array, whose class is of a module that is loaded lazily": (
        ["import numpy as np", "r = np.zeros(2, dtype=[('a', int)]).view(np.recarray)"],
        "same = type(r) is np.recarray\nsame, repr(r)",
    ),
    "a data frame": (
        ["import pandas as pd", "df = pd.DataFrame({'x': [1, 2, 3], 's': list('abc')})"],
        "df['y'] = df.x * 2\ndf.y.tolist()",
    ),
    "a query that names a variable": (
        ["import pandas as pd", "df = pd.DataFrame({'x': [1, 2, 3]})\nlow = 2"],
        "n = len(df.query('x >= @low'))\nn",
    ),
    "an expression of pandas that names frames": (
        ["import pandas as pd", "a, b = pd.DataFrame({'x': [1, 2]}), pd.DataFrame({'x': [3, 4]})"],
        "pd.eval('a + b').x.tolist()",
    ),
    "a function": (["def f(x):\n    return x * 2"], "f(21)"),
    "a function that reads a global": (["k = 10", "def f(x):\n    return x * k"], "f(2)"),
    "a function that was defined before its global": (["def f(x):\n    return x * k", "k = 10"], "f(2)"),
    "a chain of functions": (
        ["def h(x):\n    return x + 1", "def g(x):\n    return h(x) * 2", "def f(x):\n    return g(x) - 3"],
        "f(4)",
    ),
    "functions that call each other": (
        ["def even(n):\n    return n == 0 or odd(n - 1)", "def odd(n):\n    return n != 0 and even(n - 1)"],
        "even(10), odd(7)",
    ),
    "recursion": (["def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)"], "fact(5)"),
    "a lambda": (["sq = lambda x: x * x"], "sq(7)"),
    "a lambda that reads a global": (["n = 3", "times = lambda x: x * n"], "times(7)"),
    "lambdas in data": (["ops = {'inc': lambda x: x + 1, 'dbl': lambda x: x * 2}"], "ops['inc'](1), ops['dbl'](4)"),
    "a lambda in data that reads a global": (["k = 5", "ops = [lambda x: x + k]"], "ops[0](1)"),
    "a function made by a function": (["def adder(n):\n    return lambda x: x + n", "add5 = adder(5)"], "add5(1)"),
    "a function made by a function, reading a global": (
        [
            "base = 100",
            "def adder(n):\n    def add(x):\n        return helper(x) + n + base\n    return add",
            "def helper(x):\n    return -x",
            "add5 = adder(5)",
        ],
        "add5(1)",
    ),
    "partial": (["from functools import partial", "def f(a, b):\n    return a - b", "g = partial(f, 10)"], "g(3)"),
    "a class": (
        ["class P:\n    def __init__(self, x):\n        self.x = x\n    def twice(self):\n        return self.x * 2"],
        "P(4).twice()",
    ),
    "an instance": (
        ["class P:\n    def __init__(self, x):\n        self.x = x", "p = P(4)"],
        "same = type(p) is P\np.x, same",
    ),
    "an instance in data": (["class P:\n    pass", "ps = [P(), P()]\nps[0].v = 1"], "ps[0].v, isinstance(ps[1], P)"),
    "inheritance": (
        [
            "class A:\n    def who(self):\n        return 'A'",
            "class B(A):\n    def who(self):\n        return 'B' + super().who()",
        ],
        "B().who()",
    ),
    "a base class defined after a class of the alphabet": (["class Z:\n    k = 1", "class A(Z):\n    pass"], "A.k"),
    "a nested class": (
        ["class Outer:\n    class Inner:\n        v = 7", "i = Outer.Inner()"],
        "i.v, type(i) is Outer.Inner",
    ),
    "a class body that reads globals": (
        ["size = 3", "class Grid:\n    cells = [0] * size\n    rows = [i for i in range(size)]"],
        "Grid.cells, Grid.rows",
    ),
    "a class in a function that reads a global": (
        ["limit = 9", "def make():\n    class C:\n        top = limit\n    return C"],
        "make().top",
    ),
    "a dataclass": (
        [
            "from dataclasses import dataclass, field",
            "@dataclass\nclass P:\n    x: int\n    tags: list = field(default_factory=list)",
            "p = P(1)",
        ],
        "p, P(2, ['a']) == P(2, ['a'])",
    ),
    "a dataclass with postponed annotations": (
        [
            (
                "from __future__ import annotations\nfrom dataclasses import dataclass\nimport typing\n"
                "@dataclass\nclass Node:\n    next: Node | None = None"
            )
        ],
        "typing.get_type_hints(Node)['next'] == (Node | None)",
    ),
    "an enumeration": (
        ["from enum import Enum", "class C(Enum):\n    RED = 1\n    BLUE = 2", "c = C.BLUE"],
        "c is C.BLUE, c.name",
    ),
    "a named tuple by call": (
        ["from collections import namedtuple", "Pt = namedtuple('Pt', 'x y')", "o = Pt(1, 2)"],
        "o.x, type(o) is Pt",
    ),
    "a named tuple by class": (
        ["from typing import NamedTuple", "class Pt(NamedTuple):\n    x: int\n    y: int = 2", "o = Pt(1)"],
        "o, type(o) is Pt",
    ),
    "a typed dictionary and type variables": (
        [
            "from typing import TypedDict, TypeVar, Generic",
            "T = TypeVar('T')",
            "class Box(Generic[T]):\n    def __init__(self, v):\n        self.v = v",
            "class M(TypedDict):\n    a: int",
        ],
        "Box[int](3).v, M(a=1)",
    ),
    "an abstract class": (
        [
            "import abc",
            "class Base(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...",
            "class D(Base):\n    def f(self):\n        return 1",
        ],
        "D().f()",
    ),
    "a metaclass": (
        [
            (
                "class Meta(type):\n    def __new__(m, n, b, d):\n        d['tag'] = n.lower()\n"
                "        return super().__new__(m, n, b, d)"
            ),
            "class K(metaclass=Meta):\n    pass",
        ],
        "K.tag",
    ),
    "an exception class": (
        ["class Oops(Exception):\n    pass"],
        "try:\n    raise Oops('x')\nexcept Oops as e:\n    got = str(e)\ngot",
    ),
    "slots and properties": (
        [
            (
                "class S:\n    __slots__ = ('v',)\n    def __init__(self):\n        self.v = 2\n    @property\n"
                "    def w(self):\n        return self.v + 1"
            ),
            "s = S()",
        ],
        "s.w",
    ),
    "static and class methods": (
        [
            (
                "class S:\n    n = 3\n    @staticmethod\n    def a():\n        return 1\n    @classmethod\n"
                "    def b(cls):\n        return cls.n"
            )
        ],
        "S.a(), S.b()",
    ),
    "a decorator": (
        [
            "import functools",
            "def twice(f):\n    @functools.wraps(f)\n    def w(*a):\n        return f(*a) * 2\n    return w",
            "@twice\ndef g(x):\n    return x",
        ],
        "g(5), g.__name__",
    ),
    "a decorator that needs a global at definition": (
        ["seen = []", "def reg(f):\n    seen.append(f.__name__)\n    return f", "@reg\ndef g():\n    return 1"],
        "g()",
    ),
    "a decorator that calls a helper": (
        [
            "def deco(f):\n    return wrap(f)",
            "def wrap(f):\n    return lambda: f() + 1",
            "@deco\ndef a():\n    return 1",
        ],
        "a()",
    ),
    "a decorator with arguments": (
        [
            "def times(n):\n    def d(f):\n        return lambda *a: f(*a) * n\n    return d",
            "factor = 3",
            "@times(factor)\ndef g(x):\n    return x",
        ],
        "g(2)",
    ),
    "lru_cache": (
        [
            "from functools import lru_cache",
            "@lru_cache(maxsize=None)\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)",
        ],
        "fib(30)",
    ),
    "lru_cache by call": (
        ["from functools import lru_cache", "def slow(x):\n    return x + 1", "fast = lru_cache(slow)"],
        "fast(1)",
    ),
    "lru_cache in data": (
        ["from functools import lru_cache", "@lru_cache\ndef f(x):\n    return x + 1", "fs = [f]"],
        "fs[0](1), fs[0] is f",
    ),
    "singledispatch": (
        [
            "from functools import singledispatch",
            "@singledispatch\ndef show(x):\n    return 'any'",
            "@show.register\ndef _(x: int):\n    return 'int'",
            "@show.register(str)\ndef _(x):\n    return 'str'",
        ],
        "show(1), show('a'), show(1.5)",
    ),
    "a wrapped method": (
        [
            "from functools import cached_property",
            "class A:\n    @cached_property\n    def v(self):\n        return [1]",
            "a = A()",
        ],
        "a.v is a.v",
    ),
    "defaults": (["n = 5", "def f(x=n, *, y=n * 2):\n    return x, y"], "f()"),
    "defaults from before a change": (["n = 5", "def f(x=n, *, y=n * 2):\n    return x, y", "n = 7"], "f(), n"),
    "a mutable default that was used": (
        ["def f(x, seen=[]):\n    seen.append(x)\n    return list(seen)", "_ = f(1)"],
        "f(2)",
    ),
    "attributes set on a function": (["def f():\n    f.calls += 1\n    return f.calls", "f.calls = 41"], "f()"),
    "attributes set on a class": (
        ["class A:\n    n = 0\n    cache = {}", "A.n = 5\nA.cache['k'] = 1\nA.extra = 'e'"],
        "A.n, A.cache, A.extra",
    ),
    "a method put in later": (
        ["class A:\n    def m(self):\n        return 1", "def other(self):\n    return 2", "A.m = other"],
        "A().m()",
    ),
    "a counter in a class": (
        ["class A:\n    count = 0\n    def __init__(self):\n        type(self).count += 1", "made = [A(), A()]"],
        "A(), A.count\nA.count",
    ),
    "an alias of a function": (["def f(x):\n    return x + 1", "g = f"], "g(1), g is f"),
    "an alias of a class": (["class A:\n    pass", "B = A", "b = B()"], "type(b) is A, B is A"),
    "two names, one list": (["a = [1]", "b = a"], "b.append(2)\na"),
    "two names that share a part": (["shared = [1]", "a = {'s': shared}\nb = {'s': shared}"], "a['s'].append(2)\nb"),
    "a view kept beside its owner": (
        ["class M:\n    def __init__(self):\n        self.w = [0]", "m = M()\nopt = {'params': m.w}"],
        "opt['params'][0] = 9\nm.w",
    ),
    "a function redefined": (["def f():\n    return 'old'", "def f():\n    return 'new'"], "f()"),
    "an older function under another name": (
        ["def f():\n    return 'old'", "g = f", "def f():\n    return 'new'"],
        "g(), f()",
    ),
    "a class redefined, with an old instance": (
        ["class A:\n    v = 'old'", "a = A()", "class A:\n    v = 'new'"],
        "a.v, A.v, type(a) is A",
    ),
    "a definition in a branch": (
        [
            "import sys",
            (
                "if sys.version_info > (3,):\n    def f():\n        '''multi\n        line'''\n"
                "        return f.__doc__\nelse:\n    def f():\n        return 0"
            ),
        ],
        "f()",
    ),
    "an import in a try": (["try:\n    import json as j\nexcept ImportError:\n    j = None"], "j.dumps([1])"),
    "globals changed by a function": (["total = 1", "def add(n):\n    global total\n    total += n"], "add(5)\ntotal"),
    "a global that only a function makes": (
        ["def start():\n    global state\n    state = {'on': True}"],
        "start()\nstate",
    ),
    "a generator expression": (["xs = [1, 2, 3]\nk = 2"], "sum(x * k for x in xs)"),
    "comprehensions": (["xs = [1, 2]\ny = 3"], "[[x * y for x in xs] for _ in range(2)]"),
    "a walrus": (["data = [1, 5, 9]"], "if (n := max(data)) > 4:\n    big = n\nbig"),
    "augmented assignment": (["t = 4"], "t += 1\nt"),
    "loops and their leftovers": (["xs = [3, 4]"], "for i, x in enumerate(xs):\n    last = x\ni, last"),
    "with, try, match": (
        ["import io\ncmd = ('go', 3)"],
        (
            "with io.StringIO() as _f:\n    _f.write('a')\n    t = _f.getvalue()\nmatch cmd:\n"
            "    case ('go', n):\n        r = n\nt, r"
        ),
    ),
    "deleting a name": (["a = 1\nb = 2"], "del a\nb"),
    "top-level await": (
        ["import asyncio", "async def f():\n    await asyncio.sleep(0)\n    return 5"],
        "v = await f()\nv",
    ),
    "async comprehension at top level": (
        ["async def gen():\n    for i in range(3):\n        yield i"],
        "vs = [x async for x in gen()]\nvs",
    ),
    "eval of a constant": (["q = 6"], "eval('q + 1')"),
    "globals() of a constant": (["q = 6"], "globals()['q']"),
    "f-strings": (["name = 'x'\nwidth = 5"], "f'{name:>{width}}!'"),
    "string annotations": (
        ["import typing", "class Later:\n    pass", "def f(x: 'Later') -> 'Later': ..."],
        "typing.get_type_hints(f)['x'] is Later",
    ),
    "inspect.getsource": (["import inspect", "def f(x):\n    # a comment\n    return x"], "inspect.getsource(f)"),
    "a bound method": (
        ["class A:\n    def __init__(self):\n        self.n = 2\n    def m(self):\n        return self.n", "m = A().m"],
        "m()",
    ),
    "a compiled expression and a path": (
        ["import re\nfrom pathlib import Path", "p = re.compile('a+')\nq = Path('/tmp/x')"],
        "p.sub('b', 'caat'), q.name",
    ),
    "standard streams": (["import sys", "class W:\n    pass", "w = W()\nw.out = sys.stdout"], "w.out is sys.stdout"),
    "a logger": (["import logging", "log = logging.getLogger('jobq.case')"], "log.name"),
    "random numbers after a seed": (["import random", "random.seed(4)", "_ = random.random()"], "random.random()"),
    "numpy's random numbers after a seed": (["import numpy as np", "np.random.seed(4)"], "np.random.rand(2).tolist()"),
    "a generator of numpy": (
        ["import numpy as np", "rng = np.random.default_rng(1)"],
        "rng.integers(0, 9, 3).tolist()",
    ),
    "code made by exec": (["exec('def made(x):\\n    return x + off')\noff = 3"], "made(1)"),
    "the time magic": (["xs = [1, 2]"], "%time y = sum(xs)\ny"),
    "the time magic over a cell": (["xs = [1, 2]"], "%%time\ny = sum(xs)\nz = y + 1"),
    "a name bound by star import": ([], "from math import *\nfloor(pi)"),
    "a name from an earlier star import": (["from math import *"], "floor(pi)"),
    "the notebook's name": (["def f():\n    return __name__"], "f(), __name__"),
    "guards of scripts": (["def f():\n    return 1"], "if __name__ == '__main__':\n    r = f()\nr"),
    "non-ASCII names and texts": (["größe = 'ü\\n'"], "größe * 2"),
    "overloads": (
        [
            "from typing import overload",
            "@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\ndef f(x):\n    return x",
        ],
        "f(3)",
    ),
    "a context manager": (
        ["from contextlib import contextmanager", "@contextmanager\ndef cm():\n    yield 4"],
        "with cm() as v:\n    w = v\nw",
    ),
    "two definitions on one line": (["f = lambda: 1; g = lambda: 2"], "f(), g()"),
    "a model of pydantic": (
        ["from pydantic import BaseModel\nclass M(BaseModel):\n    x: int\n    tags: list[str] = []", "m=M(x=1)"],
        "type(m) is M, m, M(x='3').x",
    ),
    "a figure": (
        [
            "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt",
            "fig, ax = plt.subplots()\n_=ax.plot([1,2])",
        ],
        "len(fig.axes[0].lines)",
    ),
    "a closure over a data frame": (
        [
            "import pandas as pd",
            "df = pd.DataFrame({'a':[1]})",
            "def mk(d):\n    def f():\n        return d.a.sum() + off\n    return f\noff = 2\nf = mk(df)",
        ],
        "int(f())",
    ),
    "a lambda in a defaultdict": (
        ["from collections import defaultdict\ndd = defaultdict(lambda: [0])", "dd['a'][0] = 3"],
        "dd['b'], dd['a']",
    ),
    "a lambda as a key": (["rows=[3,1]", "key = lambda r: -r"], "sorted(rows, key=key)"),
    "a decorated class": (
        ["def reg(c):\n    c.extra = 1\n    return c", "@reg\nclass A:\n    pass", "A.more = 2"],
        "A.extra",
    ),
    "a cycle of instances": (
        ["class N:\n    def __init__(s, v, nxt=None):\n        s.v, s.nxt = v, nxt", "n = N(1); n.nxt = N(2, n)"],
        "n.nxt.nxt is n",
    ),
    "a lambda put into a class": (["class A:\n    pass\nA.f = lambda self: 3"], "A().f()"),
    "a class made by exec": (
        ["exec('class E:\\n    def f(self):\\n        return helper()')\ndef helper():\n    return 5"],
        "E().f()",
    ),
    "a class made by a function": (
        ["def mk(n):\n    class K:\n        v = n\n    return K", "K3 = mk(3)\nk = K3()"],
        "type(k) is K3, k.v",
    ),
    "a class made by type": (["T = type('T', (), {'v': 1})", "t = T()"], "type(t) is T, t.v"),
    "decorators with arguments, twice": (
        [
            (
                "import functools\ndef retry(n):\n    def d(f):\n        @functools.wraps(f)\n"
                "        def w(*a, **k):\n            return [f(*a, **k) for _ in range(n)]\n"
                "        return w\n    return d"
            ),
            "@retry(2)\ndef g(x: int = 3) -> int:\n    'doc'\n    return x",
            "h = retry(3)(g)",
        ],
        "g(), h(), g.__doc__",
    ),
    "a protocol": (
        [
            "from typing import Protocol\nclass P(Protocol):\n    def f(self) -> int: ...",
            "class I:\n    def f(self): return 1",
        ],
        "I().f()",
    ),
    "an alias of a type": (["Vec = list[float]", "def f(v: Vec) -> Vec: return v"], "f([1.0]), Vec"),
    "an optional type": (["from typing import Optional\nMaybe = Optional[int]"], "Maybe"),
    "names imported from numpy": (
        ["from numpy import sin, float32, ndarray", "from numpy.linalg import norm"],
        "float(sin(0)), float32(1), norm([3,4]), ndarray",
    ),
    "a base class that writes into its subclasses": (
        [
            (
                "class A:\n    def __init_subclass__(cls, tag='', **k):\n"
                "        super().__init_subclass__(**k)\n        cls.tag = tag"
            ),
            "class B(A, tag='t'): pass",
        ],
        "B.tag",
    ),
    "values of the standard library": (
        [
            (
                "import datetime as dt, decimal, fractions, uuid, zoneinfo\n"
                "d = [dt.datetime(2020,1,1,tzinfo=zoneinfo.ZoneInfo('UTC')), "
                "decimal.Decimal('1.5'), fractions.Fraction(1,3), uuid.UUID(int=1)]"
            )
        ],
        "d",
    ),
    "two functions over one cell": (
        [
            (
                "def mk():\n    n = [0]\n    def inc():\n        n[0] += 1\n    def get():\n"
                "        return n[0]\n    return inc, get\ninc, get = mk()"
            )
        ],
        "inc()\nget()",
    ),
    "a class and a function that need each other": (
        ["class A:\n    def make(self):\n        return build()\ndef build():\n    return A()"],
        "type(A().make()) is A",
    ),
    "a default that is a value too": (["import numpy as np\nw = np.ones(3)\ndef f(x=w):\n    return x is w"], "f()"),
    "a class that holds an instance of itself": (["class A:\n    pass\nA.root = A()"], "type(A.root) is A"),
    "flags": (
        ["import enum\nclass F(enum.Flag):\n    A = enum.auto()\n    B = enum.auto()\nx = F.A | F.B"],
        "x, x == F.A|F.B",
    ),
    "a list that a function appends to": (["log = []\ndef note(x):\n    log.append(x)"], "note(1)\nlog"),
    "arrays in data": (["import numpy as np\nbig = {'a': np.zeros(3), 'b': [np.ones(2)]}"], "big['b'][0].tolist()"),
    "an asynchronous generator": (["async def ag():\n    yield 1"], "[x async for x in ag()]"),
    "starred arguments": (["args=[1,2]; kw={'sep':'-'}"], "'{}{}'.format(*args), dict(**kw)"),
    "a walrus in a comprehension": (["xs=[1,2,3]"], "[y for x in xs if (y := x*2) > 2]\ny"),
    "an import that fell back": (["try:\n    import nonexist as q\nexcept ImportError:\n    q = None"], "q is None"),
    "a property put in later": (
        ["class A:\n    def __init__(s): s._v = 1", "A.v = property(lambda s: s._v + 1)"],
        "A().v",
    ),
    "getters of operator": (
        ["import operator as op\nget = op.itemgetter('a')\nimport functools\nadd=functools.reduce"],
        "get({'a':2}), add(op.add,[1,2])",
    ),
    "a metaclass that keeps a registry": (
        [
            (
                "class Meta(type):\n    reg = {}\n    def __init__(c, n, b, d):\n        Meta.reg[n] = c\n"
                "class X(metaclass=Meta): pass"
            )
        ],
        "sorted(Meta.reg)",
    ),
    "definitions that need values and each other": (
        [
            "base = 2",
            "class C:\n    k = base ** 2\n    def f(self, p=base): return p",
            "class D(C):\n    j = C.k + base",
        ],
        "D.j, D().f()",
    ),
    "instances as keys": (
        ["from dataclasses import dataclass\n@dataclass(frozen=True)\nclass K:\n    a: int", "m = {K(1): 'x'}"],
        "m[K(1)]",
    ),
    "a dataclass with slots": (
        ["from dataclasses import dataclass\n@dataclass(slots=True)\nclass K:\n    a: int\nk=K(2)"],
        "k, type(k) is K",
    ),
}

MAGIC = {name for name in CASES if "magic" in name}


@pytest.mark.parametrize("name", [name for name in CASES if name not in MAGIC])
def test_a_cell_runs_there_as_here(notebook, name):
    before, cell = CASES[name]
    for earlier in before:
        notebook.run(earlier)
    notebook.agree(cell)


@pytest.mark.parametrize("name", [name for name in CASES if name not in MAGIC])
def test_it_does_where_the_index_came_late(notebook, name):
    before, cell = CASES[name]
    for earlier in before:
        notebook.run(earlier, record=False)
    notebook.index.bootstrap(notebook.history)
    notebook.agree(cell)


@pytest.mark.parametrize("name", sorted(MAGIC))
def test_magics_run_there(notebook, name):
    before, cell = CASES[name]
    for earlier in before:
        notebook.run(earlier)
    assert notebook.job(notebook.capture(cell))["names"]["y"] == "3"


def test_an_instance_that_holds_a_function_travels_with_its_state_and_is_not_made_anew(notebook):
    notebook.run(
        "class Step:\n    def __init__(self, func):\n"
        "        self.func = self.__wrapped__ = func\n        self.count = 0\n"
        "def double(x):\n    return 2 * x\nstep = Step(double)\nstep.count = 5"
    )
    bundle = notebook.agree("step.count, step.func(2), step.__wrapped__ is double")
    assert [row.kind for row in bundle.travellers if row.name == "step"] == ["value"]


def test_so_does_one_of_a_library(notebook):
    notebook.run(
        "import types\ndef double(x):\n    return 2 * x\nstep = types.SimpleNamespace(func=double)\nstep.n = 5"
    )
    notebook.agree("step.n, step.func is double")
