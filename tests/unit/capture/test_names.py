"""What a cell reads and leaves, by the compiler's own rules."""

from __future__ import annotations

import builtins

import pytest

from jobq_magic.capture import free

# cell: (must be there, may be needed, left behind); builtins are left out.
TABLE: dict[str, tuple[str, str, str]] = {
    "x = a": ("a", "", "x"),
    "x = x + 1": ("x", "", "x"),
    "x += 1": ("x", "", "x"),
    "print(x)\nx = 1": ("x", "", "x"),
    "x: int = y": ("y", "", "x"),
    "x: int": ("", "", ""),
    "a = b = c": ("c", "", "a b"),
    "a, (b, *c) = d": ("d", "", "a b c"),
    "x[i] = v": ("x i v", "", ""),
    "o.p.q = v": ("o v", "", ""),
    "del x": ("x", "", ""),
    "x = 1\ndel x": ("", "", ""),
    "x = 1\ndel x\nprint(x)": ("x", "", ""),
    "_tmp = 1\ny = _tmp": ("", "", "y"),
    "import a.b\na.b.c": ("", "", ""),
    "from m import n as k\nk(z)": ("z", "", ""),
    "if t:\n    x = 1\nprint(x)": ("t", "x", "x"),
    "if t:\n    x = 1\nelse:\n    x = 2\nprint(x)": ("t", "", "x"),
    "if t:\n    x = 1\nelse:\n    raise E\nprint(x)": ("t E", "", "x"),
    "if False:\n    nothing()\nx = 1": ("", "", "x"),
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import q\n    q.w = z": ("", "", ""),
    "for i in xs:\n    t = i\nprint(i, t)": ("xs", "i t", "i t"),
    "for i in xs:\n    if i:\n        print(last)\n    last = i": ("xs", "last", "i last"),
    "for i in xs:\n    s += i": ("xs s", "", "i s"),
    "for a[i] in xs: pass": ("a i xs", "", ""),
    "for i in xs:\n    break\nelse:\n    z = w": ("xs w", "", "i z"),
    "while True:\n    x = f()\n    if x:\n        break\nx": ("f", "", "x"),
    "while n > 0:\n    n -= 1": ("n", "", "n"),
    "while (chunk := f.read()):\n    g(chunk)": ("f g", "", "chunk"),
    "with open(p) as f, g(f) as h:\n    x = h\nx": ("p g", "", "f h x"),
    "try:\n    x = f()\nexcept E as e:\n    x = str(e)\nx": ("f E", "", "x"),
    "try:\n    x\nexcept NameError:\n    x = 1": ("", "x", "x"),
    "try:\n    x = f()\nfinally:\n    y = 1\nx, y": ("f", "", "x y"),
    "try:\n    x = 1\nexcept E:\n    pass\nx": ("E", "x", "x"),
    "try:\n    x = 1\nexcept E:\n    raise\nx": ("E", "", "x"),
    "match v:\n    case {'k': a}:\n        b = a\n    case K(c):\n        b = c\n    case _:\n        b = 0\nb": (
        "v K",
        "",
        "a b c",
    ),
    "match v:\n    case 1:\n        b = 0\nb": ("v", "b", "b"),
    "f(lambda: x)": ("f", "x", ""),
    "def f(a, b=d, *c, e=g):\n    return a + z": ("d g", "z", ""),
    "def f():\n    return f()": ("", "", ""),
    "@d\ndef f():\n    return f()": ("d", "f", ""),
    "class A:\n    def f(self): return A()": ("", "", ""),
    "class A(metaclass=M):\n    def f(self): return A()": ("M", "A", ""),
    "f()\ndef f():\n    return f()": ("f", "", ""),
    "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = y\n    return g": ("", "y", ""),
    "def f():\n    global g\n    g = h": ("", "h", ""),
    "def f():\n    class C:\n        a = b\n        c = a\n    return C": ("", "b", ""),
    "@deco(arg)\ndef f(): pass": ("deco arg", "", ""),
    "async def f():\n    async with a as b:\n        await c": ("", "a c", ""),
    "await f(x)": ("f x", "", ""),
    "async for i in g():\n    x = i": ("g", "", "i x"),
    "async with a as b:\n    pass": ("a", "", "b"),
    "[x async for x in g()]": ("g", "", ""),
    "class A(B, metaclass=M):\n    c = d": ("B M d", "", ""),
    "class A:\n    c = 1\n    d = c": ("", "", ""),
    "class A:\n    x = x": ("x", "", ""),
    "class A:\n    c = 1\n    def f(self):\n        return c": ("", "c", ""),
    "class A:\n    c = 1\n    d = [c for _ in range(2)]": ("c", "", ""),
    "class A:\n    c = [1]\n    d = [y for y in c]": ("", "", ""),
    "c = 0\nclass A:\n    c = 1\n    d = [c for _ in range(2)]": ("", "", "c"),
    "class A:\n    def __f(self): pass\n    g = __f": ("", "", ""),
    "class A:\n    class B:\n        z = w\n    y = B": ("w", "", ""),
    "class A:\n    for i in r:\n        j = i\n    k = j": ("r", "j", ""),
    "[x for x in xs if x > lim]": ("xs lim", "", ""),
    "[x for x in [1]]; y = [x for _ in [1]]": ("x", "", "y"),
    "{k: v for k, v in d.items()}": ("d", "", ""),
    "sum(x * k for x in xs)": ("xs", "k", ""),
    "[y := f(x) for x in xs]\ny": ("f xs", "y", "y"),
    "(n := f()) + n": ("f", "", "n"),
    "a and (n := 1)\nn": ("a", "n", "n"),
    "x = (y := 1) if c else z": ("c z", "", "y x"),
    "f'{a!r:>{b}}'": ("a b", "", ""),
    "from m import *\nq(w)": ("", "q w", ""),
    "eval('a + b')": ("", "a b", ""),
    "df.query('x > @low')": ("df", "low", ""),
    "pd.eval('a + b.c')": ("pd", "a b", ""),
    "df.eval('a + @b')": ("df", "b", ""),
    "globals()['g']": ("", "g", ""),
    "x: 'T' = 1": ("", "T", "x"),
    "from __future__ import annotations\ndef f(a: T) -> 'U': ...": ("", "T U", ""),
    "get_ipython().system('ls {path} $where $$HOME')": ("", "path where", ""),
    "get_ipython().run_line_magic('time', 'y = f(x)')": ("f x", "", "y"),
    "get_ipython().run_cell_magic('time', '', 'y = f(x)\\nz = y\\n')": ("f x", "", "y z"),
    "get_ipython().run_line_magic('timeit', '-n 10 -r3 f(x)')": ("f x", "", ""),
    "get_ipython().run_cell_magic('timeit', 'q = 1', 'f(q)')": ("f", "", ""),
    "get_ipython().run_cell_magic('capture', 'out', 'print(x)')\nout.stdout": ("x", "", "out"),
    "x = 1; x": ("", "", "x"),
    "lambda x=y: x": ("y", "", ""),
    "print(*a, **b)": ("a b", "", ""),
    "assert a, b": ("a b", "", ""),
    "raise E from c": ("E c", "", ""),
}


@pytest.mark.parametrize("cell", TABLE)
def test_the_names_of_a_cell(cell):
    hard, soft, left = (set(words.split()) for words in TABLE[cell])
    found = free(cell)
    hidden = set(vars(builtins)) | {"get_ipython"}
    assert (set(found.hard) - hidden, set(found.soft) - hidden, set(found.stores)) == (hard, soft, left)


def test_a_read_that_cannot_be_seen_is_told():
    assert free("x = 1\nexec(code)").hints.dynamic == ("exec() on line 2",)
    assert free("globals()[n]").hints.dynamic == ("globals() on line 1",)
    assert free("def f():\n    return locals()").hints.dynamic == ()
    assert free("vars(obj)").hints.dynamic == ()


def test_what_a_cell_visibly_changes():
    assert free("m.fit(X)\ndf['c'] = 1\no.a.b += 2\ndel d[0]\nlen(z)").hints.changed == {"m", "df", "o", "d"}


def test_all_imports_are_seen_wherever_they_stand():
    found = free("import a.b\ndef f():\n    from c import d\n    import importlib\n    importlib.import_module('e')")
    assert {"a.b", "c", "c.d", "e"} <= found.hints.modules


def test_a_name_that_functions_bind_is_left_behind_perhaps():
    assert free("def f():\n    global g\n    g = 1").late_stores == {"g"}


def test_what_does_not_compile_is_a_syntax_error():
    for cell in ("def", "return 1", "x = = 2", "break", "def f(a, a): pass"):
        with pytest.raises(SyntaxError):
            free(cell)


def test_a_warning_of_the_compiler_is_not_repeated():
    free("x = 1 is 1\ny = '\\d'")


CHANGES: dict[str, str] = {
    'df["c"] = 1': "df",
    'df.loc[1, "a"] += 2': "df",
    "a.b.c = 1": "a",
    "a.b: int = 1": "a",
    "a.b: int": "",
    'del d["k"]': "d",
    'del (d["k"], e.x), f': "d e",
    "(a.x, [b[0], *c.y]) = v": "a b c",
    "x = y.z = v": "y",
    "model.fit(X, y)": "model",
    "model.a.fit(X).score()": "model",
    "model.parts[0].fit(X)[1].score()": "model",
    "find(model).fit(X)": "",
    "find(model).x = 1": "",
    "await x.go()": "x",
    "if t:\n    lst.append(1)\nelse:\n    other.append(1)": "lst other",
    "for i in xs:\n    lst.append(i)": "lst",
    "while t:\n    lst.append(1)": "lst",
    "with c:\n    lst.append(1)": "lst",
    "try:\n    a.go()\nexcept E:\n    b.go()\nelse:\n    c.go()\nfinally:\n    d.go()": "a b c d",
    "match v:\n    case 1:\n        lst.append(1)": "lst",
    'for d["k"] in y: pass': "d",
    'async for d["k"] in y: pass': "d",
    'with open(p) as d["f"], g() as (e.x, f): pass': "d e",
    "class A:\n    lst.append(1)": "lst",
    "lst += [1]": "lst",
    "(n := 1)": "",
    "history = model.fit(X)": "model",
    "print(model.fit(X))": "model",
    "print(model.score(X))": "",
    "def f():\n    lst.append(1)\n    d['k'] = 1": "",
    "f = lambda: lst.append(1)": "",
    "class A:\n    def f(self):\n        lst.append(1)": "",
    "get_ipython().run_cell_magic('time', '', 'lst.append(1)\\nd[0] = 1')": "lst d",
    "get_ipython().run_cell_magic('time', '', 'def f():\\n    lst.append(1)')": "",
    "get_ipython().run_cell_magic('timeit', 'a.clear()', 'b.clear()')": "a b",
    "get_ipython().run_line_magic('time', 'model.fit(X)')": "model",
    "get_ipython().run_cell_magic('bash', '', 'lst.append(1)')": "",
    "last = rows.pop() + 1": "rows",
    "mean = table.mean()": "",
    "rows += other": "rows",
    "same = rows\nsame.append(1)": "rows same",
    "def f():\n    same = rows\n    same.append(1)": "",
    "for row in rows:\n    row['a'] = 1": "row rows",
    "for i, (row, _) in enumerate(zip(rows, more)):\n    row.clear()": "more row rows",
    "for row in table.values():\n    row.clear()": "row table",
    "for row in make(rows):\n    row.clear()": "row",
    "for row in rows:\n    print(row)": "",
}


@pytest.mark.parametrize("cell", CHANGES)
def test_a_cell_visibly_changes(cell):
    assert free(cell).hints.changed == set(CHANGES[cell].split())


def test_what_a_magic_executes_is_seen_as_the_rest_is():
    cell = (
        "1\n"
        "get_ipython().run_cell_magic('time', '', 'import a.b\\ninput()')\n"
        "get_ipython().run_line_magic('time', 'input()')"
    )
    hints = free(cell).hints
    assert hints.modules == {"a.b"}
    assert [line for line, *_ in hints.asks] == [4, 3]
