"""What a cell reads, leaves, deletes: by flow between statements, on every Python.

One line a case: a cell, then `must be there | may be needed | left behind | deleted | bound by functions`. Builtins are
left out.
"""

from __future__ import annotations

import builtins
import sys

import pytest

from jobq_magic.capture import free
from jobq_magic.capture.bytecode import futures

CASES: dict[str, str] = {
    # branches
    "if t: del x\nprint(x)": "t x | | | x |",
    "x = 1\nif t: del x\nprint(x)": "t | x | x | x |",
    "x = 1\nif t:\n    del x\nelse:\n    del x\nprint(x)": "t x | | | x |",
    "if a:\n    x = 1\nelif b:\n    x = 2\nelse:\n    x = 3\nx": "a b | | x | |",
    "if a:\n    x = 1\nelif b:\n    pass\nelse:\n    x = 3\nx": "a b | x | x | |",
    "if not TYPE_CHECKING:\n    x = 1\nx": "TYPE_CHECKING | | x | |",
    "import typing\nif typing.TYPE_CHECKING:\n    from a import b\nelse:\n    b = None\nb": " | | b | |",
    "if 1:\n    x = 1\nelse:\n    nothing\nx": " | | x | |",
    "if not 0:\n    x = 1\nx": " | | x | |",
    # loops
    "for i in xs:\n    if i: print(last)\n    import last": "xs | last | i | |",
    "for i in xs:\n    if i: last()\n    def last(): pass": "xs | last | i | |",
    "for i in xs:\n    if i: last\n    match i:\n        case [last]: pass": "xs | last | i last | |",
    "for i in xs:\n    print(last)\n    last = i": "xs last | | i last | |",
    "for i in xs:\n    if i:\n        y = 1\n        break\nelse:\n    y = 2\ny": "xs | | i y | |",
    "for i in xs:\n    if i:\n        continue\n    y = 1\ny": "xs | y | i y | |",
    "x = 1\nfor i in xs:\n    del x\nprint(x)": "xs | x | x i | x |",
    "while 0:\n    nothing": " | | | |",
    "while 0: pass\nelse:\n    x = 1\nx": " | | x | |",
    "while True:\n    try:\n        x = f()\n    except E:\n        continue\n    break\nx": "f E | | x | |",
    "while True:\n    try:\n        break\n    finally:\n        y = 1\ny": " | y | y | |",
    "while t:\n    x = 1\nelse:\n    y = x": "t | x | x y | |",
    "while x := f(): pass\nx": "f | | x | |",
    "[*a], b = c\n*d, e = f\na, b, d, e": "c f | | a b d e | |",
    "for *a, b in c: a, b": "c | | a b | |",
    "for x in x: pass": "x | | x | |",
    # try
    "e = 1\ntry: f()\nexcept X as e: pass\nprint(e)": "f X | e | e | |",
    "try: f()\nexcept X as e: pass\nprint(e)": "f X e | | | |",
    "try:\n    import q\nexcept ImportError:\n    q = None\nq": " | | q | |",
    "try:\n    import q\nexcept ImportError:\n    pass\nq": " | q | | |",
    "try:\n    a = 1\n    b = 2\nexcept E:\n    print(a, b)": "E | a b | a b | |",
    "a = 1\ntry:\n    del a\n    f()\nexcept E:\n    print(a)": "E f | a | a | a |",
    "try:\n    f()\nexcept (E, F) as e:\n    raise G from e\nelse:\n    x = 1\nx": "f E F G | | x | |",
    "try:\n    f()\nexcept* E as e:\n    x = e\nelse:\n    x = 0\nx": "f E | | x | |",
    "try:\n    x = f()\nfinally:\n    del y\nx": "f y | | x | y |",
    "try:\n    x = 1\n    raise E\nexcept E:\n    x": "E | x | x | |",
    "try:\n    x\nexcept Exception:\n    x = 1\nx": " | x | x | |",
    "try:\n    x\nexcept (KeyError, NameError):\n    pass": " | x | | |",
    "try:\n    x\nexcept ValueError:\n    pass": "x | | | |",
    "try:\n    return_ = 1\nexcept: pass\nfinally:\n    print(return_)": " | return_ | return_ | |",
    "try:\n    try:\n        x = f()\n    except A:\n        x = 1\nexcept B:\n    x = 2\nx": "f A B | | x | |",
    # with
    "with suppress(E):\n    x = 1\nx": "suppress E | x | x | |",
    "import contextlib\nwith contextlib.suppress(NameError):\n    del x": " | x | | x |",
    "import pytest\nwith pytest.raises(E) as info:\n    x = f()\nx, info": "E f | x | info x | |",
    "with a as b.c, d as e[f]: pass": "a b d e f | | | |",
    "with (a as b, c(b) as d): d": "a c | | b d | |",
    "async with a as (b, *c):\n    d = b\nd": "a | | b c d | |",
    # match
    "match v:\n    case [a, 1]: pass\n    case _: a": "v | a | a | |",
    "match v:\n    case {1: [a, *b], **c} as d if a > h: e = d\n    case K(x=f) | L(f): e = f\n    case g: e = g\ne": (
        "v K L h | | a b c d e f g | |"
    ),
    "match v:\n    case a.B: x = 1\n    case 1 | 2: x = 2\nx": "v a | x | x | |",
    "match v:\n    case (1 | _): x = 1\nx": "v | | x | |",
    "match a, b:\n    case x, y: pass": "a b | | x y | |",
    # walrus
    "if (n := f()) and (m := n): n, m\nn, m": "f | m | n m | |",
    "[a for x in xs if (a := x)]\na": "xs | a | a | |",
    "any((hit := x) > lim for x in xs)\nhit": "xs | hit lim | | | hit",
    "x = y = (z := w)": "w | | z x y | |",
    "print(a := 1, a)": " | | a | |",
    "d[[e for _ in (1,)][0]] = (e := a)": "a d | | e | |",
    "e = [e for _ in (1,)]": "e | | e | |",
    "assert (n := f()), (m := g)\nn, m": "f g | m | n m | |",
    "lambda: (y := 1)\ny": "y | | | |",
    "a[(i := 0)] = i": "a i | | i | |",
    "1 < (a := x) < (b := y)\na, b": "x y | b | a b | |",
    # classes
    "class A:\n    global g\n    g = 1\nprint(g)": " | | g | |",
    "class A:\n    global g\n    if t: g = 1\nprint(g)": "t | g | g | |",
    "class A:\n    class B:\n        global g\n        g = 1\n    h = g\nprint(g)": " | | g | |",
    "class A:\n    x = 1\n    del x\n    x": "x | | | |",
    "class A:\n    import os\n    p = os.sep": " | | | |",
    "class A:\n    with f() as g: h = g\n    i = h, g": "f | | | |",
    "class A:\n    try:\n        x = y\n    except NameError:\n        x = 1\n    z = x": " | y | | |",
    "class A:\n    if t:\n        x = 1\n    y = x": "t | x | | |",
    "x = 1\nclass A:\n    if t:\n        x = 1\n    y = x": "t | | x | |",
    "class A:\n    k = 1\n    f = lambda self: k": " | k | | |",
    "class A:\n    ks = [1]\n    m = {k: other for k in ks}": "other | | | |",
    "class A:\n    def f(self, x=d) -> 'A': return super().f(A)": "d | | | |",
    "class A:\n    __slots__ = s\n    __x = y\n    z = __x": "s y | | | |",
    "class A(metaclass=M, k=v): pass\nclass B(A): pass": "M v | | | |",
    "@d\nclass A:\n    @p\n    def f(self): q": "d p | q | | |",
    "class A:\n    [x for x in a if (lambda: b)()]": "a | b | | |",
    "class A:\n    class B: pass\n    b = B\nclass C(B): pass": "B | | | |",
    # functions
    "def f():\n    global g\n    g = 1\nf()\nprint(g)": " | g | | | g",
    "def f():\n    global g\n    del g\nf()": " | g | | | g",
    "def f(a=b, *, c=d, **e): return a, c, e, g": "b d | g | | |",
    "def f():\n    x = 1\n    class C:\n        y = x, z\n    return C": " | z | | |",
    "def f():\n    def g():\n        nonlocal x\n        x = y\n    x = 0": " | y | | |",
    "async def f():\n    async for i in a:\n        yield i\n    return": " | a | | |",
    "async for i in a:\n    async with b as c: await d(i, c)": "a b d | | i c | |",
    "[await x async for x in y if await z]": "y z | | | |",
    "@a.b(c)\n@d\nasync def f(): await e": "a c d | e | | |",
    "f = lambda x, *y, z=w: (x, y, z, v)": "w | v | f | |",
    "def f(): yield from g()\nlist(f())": " | g | | |",
    "def f():\n    import os as o\n    return o": " | | | |",
    "def f():\n    try: pass\n    except E as x: pass\n    return x": " | E | | |",
    # comprehensions
    "x = [x for _ in r]": "r x | | x | |",
    "[[b for b in a] for a in c]": "c | | | |",
    "[b for a in c for b in a if d]": "c d | | | |",
    "[lambda: (a, b) for a in c]": "c | b | | |",
    "{a: b for a in c}, {a for a in d}": "b c d | | | |",
    "x = 1\n[x for x in y]\nx": "y | | x | |",
    "[x for x in y]\nx": "y x | | | |",
    # strings
    "f'{a} {b=} {c!r:{d}} {[e for e in f]} {g[\"h\"]}'": "a b c d f g | | | |",
    "f'{f\"{a}\"}'": "a | | | |",
    # deletion
    "del a, b[0], c.d, (e, [f])": "a b c e f | | | a e f |",
    "x = 1\ndel x\nx = 2\nx": " | | x | |",
    "import a\ndel a\na": "a | | | a |",
    # imports
    "import a.b as c, d.e\nfrom . import f\nfrom g import (h, i as j)\nc, d, f, h, j": " | | | |",
    "from a import *\nif t: x\ny = x": " | t x | y | |",
    # augmented assignments, targets
    "x = 0\nx += y": "y | | x | |",
    "x[0] += y\na.b -= c": "x y a c | | | |",
    "(x) = 1\nx": " | | x | |",
    "x: int\nx": "x | | | |",
    "a.b: int = c": "a c | | | |",
    # texts that are code
    "exec('y = z')\nprint(y)": " | y z | y | |",
    "exec('def f(): return g')\nf()": " | f g | | |",
    "exec('x = 1', ns)\nx": "ns x | | | |",
    "x = 1\neval('x + y')": " | y | x | |",
    "eval('a', {'a': 1})": " | | | |",
    "eval('a', globals())": " | a | | |",
    "def f(): return eval('a + b')": " | a b | | |",
    "exec(code)\nx": "code | x | | |",
    "globals()['x'] = 1\nx": " | x | | | x",
    "for n in ns: globals()[n] = 1\nx": "ns | x | n | |",
    "globals().get('x')": " | x | | |",
    "x = 1\ndf.query('a > @x and b > @y')": "df | y | x | |",
    "def f(df): return df.eval('a + @b')": " | b | | |",
    # annotations
    "def f(x: 'A[B]') -> 'C': pass": " | A B C | | |",
    "class N:\n    left: 'N'\n    right: 'M'": " | M | | |",
    "from __future__ import annotations\nclass A:\n    x: T = 1\n    def f(self, y: U) -> A: pass": " | T U | | |",
    "from __future__ import annotations\nx: T = 1": " | T | x | |",
    # magics
    "%time x = f(y)\nx": "f y | | x | |",
    "%%time\nx = f(y)\ndel x": "f y | | | x |",
    "%%timeit -n 1 a = b\nc = a\nd": "b d | | | |",
    "%%capture out\nx = y": "y | | out x | |",
    "%%capture --no-stderr out\nprint(x)": "x | | out | |",
    "%%bash --out x --err y\nls $HOME {z}": " | | x y | |",
    "!ls {p} $q {o.a} {d['k']} {n:>10} {m!r} {w:{u}} $$HOME $r.s": " | d m n o p q r u w | | |",
    "!awk '{{print $1}}'": " | | | |",
    "x = !cat {p}\nx": " | p | x | |",
    "if t:\n    !ls {p}": "t | p | | |",
    "def f():\n    !ls {p}\n    %time g()": " | g p | | |",
    "r = %timeit -o -q f(x)\nr": "f x | | r | |",
    "%env A={x}": " | x | | |",
    "%time x = 1\n!echo $x": " | | x | |",
    "%prun -s cumulative f(x)": "f x | | | |",
}
NEWER: dict[tuple[int, int], dict[str, str]] = {
    (3, 12): {
        "type X[T] = list[T, a]\nX": " | a | | |",
        "type X = Y\nX": " | Y | | |",
        "def f[T: (A, B)](x: T, y: c = d) -> T: return e": "d | A B e | | |",
        "class A[T](B[T]):\n    x = T, c\n    def f[U](self, u: U) -> T: return v": "B c | v | | |",
        "class A[T]:\n    y = [T for _ in r]\n    def f(self): return y": "r | y | | |",
        "f'{f'{a}'} {\"b\" + 'c'}'": "a | | | |",
    },
    (3, 13): {"def f[T = D](): pass\nclass A[*Ts = E, **P = F]: pass": " | D E F | | |"},
    (3, 14): {
        "t'{a} {b!r:{c}}'": "a b c | | | |",
        "try: f()\nexcept A, B: pass": "f A B | | | |",
        "class A:\n    x: T\n    def f(self, y: U) -> A: pass": " | T U | | |",
        "def f(x: int) -> Later: pass\nclass Later: pass": " | Later | | |",
    },
}
# Evaluated where they stand before 3.14, and only when somebody asks since.
ANNOTATED = {
    "x: T = y": ("T y", "T"),
    "def f(x: T, *, y: U = d) -> V: pass": ("T U V d", "T U V"),
    "class A:\n    x: T\n    y: U = 1": ("T U", "T U"),
}
CASES |= {cell: told for since, more in NEWER.items() if sys.version_info >= since for cell, told in more.items()}
if sys.version_info >= (3, 12):
    # The bound of a type variable is evaluated when somebody asks; so are annotations since 3.14.
    CASES["def f[T: (A, B)](x: T, y: c = d) -> T: return e"] = (
        "d | A B c e | | |" if sys.version_info >= (3, 14) else "c d | A B e | | |"
    )
for text, (words, lazily) in ANNOTATED.items():
    late = set(lazily.split()) if sys.version_info >= (3, 14) else set()
    bound = "x" if text.startswith("x") else ""
    CASES[text] = f"{' '.join(set(words.split()) - late)} | {' '.join(late)} | {bound} | |"

HIDDEN = {*vars(builtins), "get_ipython", "__name__"}


def transformed(cell: str) -> str:
    if not cell.startswith(("%", "!")) and "!" not in cell and "%" not in cell:
        return cell
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(cell)


@pytest.mark.parametrize("cell", CASES)
def test_the_names_of(cell):
    expected = [set(words.split()) for words in CASES[cell].split("|")]
    found = free(transformed(cell))
    told = [found.hard - HIDDEN, found.soft - HIDDEN, set(found.stores), found.deleted, found.late_stores]
    assert [set(one) for one in told] == expected


def test_a_cell_that_is_edited_in_one_line_is_read_as_if_it_were_new():
    """What is remembered of statements by their text depends on nothing else."""
    texts = [*CASES]
    for before, cell, after in zip(texts, texts[1:], texts[2:], strict=False):
        parts = [transformed(one) for one in (before, cell, after)]
        if any("__future__" in one or "import *" in one for one in parts):
            continue
        try:
            together = free("\n".join(parts))
        except SyntaxError:
            continue
        alone = free(parts[1])
        # What was bound before is needed no more; nothing else changes.
        first = free(parts[0])
        assert alone.hard - first.bound - first.late_stores <= together.hard | together.soft


def test_a_hint_is_on_the_line_where_it_stands_now():
    assert free("exec(code)\ninput()").hints.dynamic == ("exec() on line 1",)
    moved = free("\n\nexec(code)\nx = 1\ninput()").hints
    assert (moved.dynamic, [line for line, *_ in moved.asks]) == (("exec() on line 3",), [5])


def test_a_namespace_of_its_own_hides_nothing():
    assert free("exec(code, {})").hints.dynamic == ()
    assert free("exec(code, globals())").hints.dynamic == ("exec() on line 1", "globals() on line 1")


def test_what_is_as_deep_as_python_allows_is_read_or_told():
    chain = "if a:\n    x = 1\n" + "".join(f"elif b == {n}:\n    x = {n}\n" for n in range(300)) + "else:\n    x = 0\nx"
    assert free(chain).hard == {"a", "b"}
    assert free("x = " + " + ".join(["a"] * 500)).hard == {"a"}
    with pytest.raises(SyntaxError):
        free("x = " + "(" * 5000 + ")" * 5000)
    try:
        assert free("x = " + " + ".join(["a"] * 20_000)).hard == {"a"}
    except SyntaxError as error:
        assert "levels" in str(error)


def test_mistakes_in_what_is_never_reached_are_told():
    for cell in ("raise E\ndef f(a, a): pass", "if 0:\n    f(x=1, x=2)", "x = 1\nglobal x", "while 1: pass\nreturn 1"):
        with pytest.raises(SyntaxError):
            free(cell)


def test_future_statements_count():
    import ast

    assert free("from __future__ import annotations\nx = 1").flags == futures(
        ast.parse("from __future__ import annotations")
    )
