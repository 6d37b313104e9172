"""Whose source is it? Right if and only if the name still holds the object that the source made."""

from __future__ import annotations

import gc
import weakref

import pytest

from .conftest import steps


def source(notebook, name):
    found = notebook.index.source_of(name, notebook.names[name])
    return found.text if found else None


def test_the_newest_executed_definition_counts(notebook):
    notebook.run("def f(): return 1")
    notebook.run("def f(): return 2")
    assert source(notebook, "f") == "def f(): return 2\n"


def test_a_proxy_of_nothing_yet_does_not_disturb_a_cell(notebook):
    notebook.run("class Proxy:\n    @property\n    def __class__(self): raise RuntimeError\np = Proxy()\nx = 1")
    assert source(notebook, "p") is None
    assert source(notebook, "Proxy").startswith("class Proxy")


def test_a_value_that_a_cell_bound_twice_travels_as_a_value(notebook):
    notebook.run("held = [3, 4]\ntry:\n    last = held.pop()\nexcept IndexError:\n    last = 0\nn = 1\nn = n + 1")
    assert (source(notebook, "last"), source(notebook, "n")) == (None, None)
    assert notebook.job(notebook.capture("last, n"))["value"] == "(4, 2)"


def test_of_two_definitions_in_one_cell_and_another_function_neither_counts(notebook):
    notebook.run("def g(): return 3\n\n\ndef f(): return 1\ndef f(): return 2\nf = g")
    assert source(notebook, "f") is None
    assert notebook.job(notebook.capture("f()"))["value"] == "3"


def test_a_cell_that_failed_before_its_definition_does_not_count(notebook):
    notebook.run("def f():\n    return 'ran'")
    try:
        notebook.run("1 / 0\ndef f():\n    return 'never ran'")
    except ZeroDivisionError:
        pass
    assert source(notebook, "f") == "def f():\n    return 'ran'\n"


def test_a_cell_that_failed_after_its_definition_counts(notebook):
    try:
        notebook.run("def f():\n    return 'ran'\n1 / 0")
    except ZeroDivisionError:
        pass
    assert source(notebook, "f") == "def f():\n    return 'ran'\n"


def test_a_failed_first_definition_is_not_taken_for_what_was_there(notebook):
    notebook.run("def f():\n    return 'unseen'", record=False)
    try:
        notebook.run("\n1 / 0\ndef f():\n    return 'never ran'")
    except ZeroDivisionError:
        pass
    assert source(notebook, "f") is None
    bundle = notebook.capture("f()")
    assert notebook.job(bundle)["value"] == "'unseen'"
    assert any("by value" in note for note in bundle.notes)


def test_a_function_changed_behind_the_index_travels_as_it_is(notebook):
    notebook.run("def f():\n    return 1")
    notebook.names["f"] = eval("lambda: 'other'", notebook.names)
    assert source(notebook, "f") is None
    assert notebook.job(notebook.capture("f()"))["value"] == "'other'"


def test_branches_are_told_apart_by_their_code(notebook):
    notebook.run("flag = False\nif flag:\n    def f():\n        return 'yes'\nelse:\n    def f():\n        return 'no'")
    notebook.agree("f()")
    notebook.run("if not flag:\n    def g():\n        return 'yes'\nelse:\n    def g():\n        return 'no'")
    notebook.agree("g()")


def test_decorators_and_their_arguments_belong_to_the_source(notebook):
    notebook.run("def d(*a):\n    return lambda f: f")
    notebook.run("x = 0\n@d(\n    1,\n    2,\n)\ndef f():\n    return 1\ny = 2")
    found = notebook.index.source_of("f", notebook.names["f"])
    assert found.text == "@d(\n    1,\n    2,\n)\ndef f():\n    return 1\n"
    assert (found.label, found.line) == ("Cell [2]", 2)


def test_tracebacks_and_inspect_show_the_lines_of_the_cell(notebook):
    notebook.run(
        "# first line\n\ndef f():\n    import inspect\n    frame = inspect.currentframe()\n"
        "    return frame.f_lineno, frame.f_code.co_filename"
    )
    notebook.agree("f()")


def test_an_object_that_any_decorator_made_is_found_by_identity(notebook):
    notebook.run(
        "class Remote:\n    def __init__(self, f):\n        self._function = f\n"
        "    def __call__(self):\n        return self._function()\n    def __reduce__(self):\n"
        "        raise TypeError('cannot be pickled')"
    )
    notebook.run("@Remote\ndef f():\n    return 5")
    notebook.run("fs = [f]")
    bundle = notebook.agree("f(), fs[0] is f")
    assert steps(bundle, "source") == ["Remote", "f"]


def test_the_index_keeps_nothing_alive(notebook):
    notebook.run("class Big:\n    pass\ndef f(x=Big()):\n    return x")
    alive = weakref.ref(notebook.names["f"].__defaults__[0])
    notebook.run("del f")
    gc.collect()
    assert alive() is None


def test_a_definition_inside_the_time_magic_is_known(notebook):
    from types import SimpleNamespace

    def timed(name, line, body):
        exec(compile(body, "<timed>", "exec"), notebook.names)

    notebook.names["get_ipython"] = lambda: SimpleNamespace(run_cell_magic=timed)
    notebook.run("%%time\ndef f():\n    return 3")
    assert source(notebook, "f") == "def f():\n    return 3\n"
    assert notebook.job(notebook.capture("f()"))["value"] == "3"


def test_a_definition_whose_decorator_is_gone_travels_by_value(notebook):
    notebook.run("def d(f):\n    return f")
    notebook.run("@d\ndef f():\n    return k\nk = 4")
    notebook.run("del d")
    bundle = notebook.capture("f()")
    assert notebook.job(bundle)["value"] == "4"


def test_source_that_does_not_parse_is_passed_over(notebook):
    notebook.index.record("def (", "Cell [1]", notebook.names)
    notebook.index.bootstrap([("Cell [1]", "%%html\n<b>")])


# cells, then the cell that is run there and here
HISTORIES: dict[str, tuple[list[str], str]] = {
    "a function that is wrapped later": (
        ["import functools", "def f(x): return x + 1", "f = functools.lru_cache(f)"],
        "f(1), f.cache_info().misses",
    ),
    "a function that is wrapped twice": (
        ["import functools", "def f(x): return x + 1", *["f = functools.lru_cache(f)"] * 2],
        "f(1)",
    ),
    "in a loop": (["for n in [1, 2]:\n    def f(x, k=n): return x * n + k", "n = 9"], "f(3)"),
    "in a while loop": (["go = True\nwhile go:\n    go = False\n    class K:\n        v = 3"], "K.v"),
    "in a match": (
        ["m = 2\nmatch m:\n    case 1:\n        def f(): return 1\n    case 2:\n        def f(): return 2"],
        "f()",
    ),
    "a class in a match": (
        ["m = 2\nmatch m:\n    case 1:\n        class C: v = 1\n    case 2:\n        class C: v = 2"],
        "C().v",
    ),
    "in a with": (["import contextlib\nwith contextlib.nullcontext():\n    def f(): return 5"], "f()"),
    "in an except": (["try:\n    import no_such\nexcept ImportError:\n    def fast(x): return x"], "fast(3)"),
    "in an else": (["for n in ():\n    pass\nelse:\n    def f(): return 8"], "f()"),
    "a coroutine": (["async def f(): return 5"], "await f()"),
    "overloads": (
        ["import typing as t\n@t.overload\ndef f(x: int): ...\n@t.overload\ndef f(x: str): ...\ndef f(x): return x"],
        "f(1)",
    ),
    "two names in a statement": (["f = g = lambda: 0"], "f(), g(), f is g"),
    "a tuple of lambdas": (["a, b = lambda: 1, lambda: 2"], "a(), b()"),
    "another name": (["def f(): return 1\ng = f"], "g(), f is g"),
    "deleted and made again": (["def f(): return 1", "del f", "def f(): return 2"], "f()"),
    "run again": (["def f(): return 1", "def f(): return 1"], "f()"),
    "a registry": (
        [
            "known = {}\ndef add(f):\n    known[f.__name__] = f\n    return f",
            "@add\ndef a(): return 1\n@add\ndef b(): return 2",
        ],
        "sorted(known), known['a'](), known['a'] is a",
    ),
    "renamed by its decorator": (
        ["def d(f):\n    def inner(*a): return f(*a)\n    return inner", "@d\ndef g(x): return x + 1"],
        "g(2), g.__name__",
    ),
    "decorators on decorators": (
        [
            "import functools\ndef d(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a)\n    return w",
            "@functools.lru_cache\n@d\ndef f(x): return x",
        ],
        "f(4)",
    ),
    "one of two": (["f = (lambda: 1) if False else (lambda: 2)"], "f()"),
    "a walrus": (["(f := lambda: 3)"], "f()"),
    "a type of a call": (["K = type('K', (), {'v': 3})\nk = K()"], "k.v, type(k) is K"),
    "by a function, for all": (["def make():\n    global made\n    def made(): return 4\nmake()"], "made()"),
    "a class with slots": (
        ["from dataclasses import dataclass\n@dataclass(slots=True)\nclass S:\n    x: int\ns = S(3)"],
        "s, type(s) is S",
    ),
    "registered by a call": (
        ["import functools\n@functools.singledispatch\ndef f(x): return '?'", "f.register(int, lambda x: 1)"],
        "f(1), f('')",
    ),
    "a class that is registered by a call": (
        ["import abc\nclass Base(abc.ABC): pass\nclass Other: pass\nBase.register(Other)"],
        "issubclass(Other, Base)",
    ),
    "on a line with others": (["x = 1; f = lambda: x; y = 2"], "f()"),
}


@pytest.mark.parametrize("late", [False, True], ids=["from the first cell on", "loaded late"])
@pytest.mark.parametrize("case", HISTORIES)
def test_it_travels(case, late, notebook):
    cells, cell = HISTORIES[case]
    for one in cells:
        notebook.run(one, record=not late)
    if late:
        notebook.index.bootstrap(notebook.history)
    bundle = notebook.agree(cell)
    by_value = [note for note in bundle.notes if "by value" in note]
    assert not by_value or "global" in cells[0], by_value


def test_what_has_no_source_goes_by_value_and_a_note_says_why(notebook, tmp_path):
    (tmp_path / "made.py").write_text("def run(): return 8\n")
    notebook.run("exec('def f(): return 7')")
    exec(compile((tmp_path / "made.py").read_text(), str(tmp_path / "made.py"), "exec"), notebook.names)  # %run
    bundle = notebook.agree("f(), run()")
    assert [note for note in bundle.notes if "by value, as its source is not known" in note]


def test_a_definition_that_was_gone_round_is_not_the_source_of_what_was_there(notebook):
    """What the name holds was bound before the cell: by an import, by an `exec`, by a job."""
    notebook.run("def same(f): return f\nexec('def f(): return 1\\ndef g(): return 1\\ndef h(): return 1')")
    notebook.run("if False:\n    @same\n    def f(): return 2\nfor n in ():\n    @same\n    def g(): return 2")
    with pytest.raises(ZeroDivisionError):
        notebook.run("1 / 0\n@same\ndef h(): return 2")
    assert [source(notebook, name) for name in "fgh"] == [None] * 3
    assert notebook.job(notebook.capture("f(), g(), h()"))["value"] == "(1, 1, 1)"


def test_a_comment_at_the_end_belongs_to_the_source(notebook):
    notebook.run("class A:\n    def f(self):\n        return 1  # here\nx = 1  # there")
    assert source(notebook, "A").endswith("return 1  # here\n")


def test_an_edit_that_was_not_run_does_not_travel(notebook):
    notebook.run("def f(): return 1")
    notebook.index.before("def f(): return 2", notebook.names)  # interrupted before it began
    assert notebook.job(notebook.capture("f()"))["value"] == "1"


def test_values_that_cannot_be_held_weakly_are_let_go_of(notebook):
    """A decorator may make anything, a list of a gigabyte too."""

    class Part:
        pass

    notebook.names["Part"] = Part
    notebook.run("def now(f): return [f()]")
    notebook.run("@now\ndef table(): return Part()")
    assert source(notebook, "table") is not None
    alive = weakref.ref(notebook.names["table"][0])
    notebook.run("table = 1")
    notebook.run("2")
    gc.collect()
    assert alive() is None


def test_the_index_does_not_grow_with_the_number_of_cells(notebook):
    def weight() -> int:
        index = notebook.index
        return sum(len(known) for known in (index._entries, index._made, index._imports, index._extensions))

    def cells(numbers):
        for n in numbers:
            name = f"f{n % 50}_{n // 50}"
            text = f"import os as os{n}\ndef {name}(): return {n}\nv{n} = {name}()\ndel v{n}, os{n}, {name}\n"
            notebook.index.before(text, notebook.names)
            exec(text, notebook.names)
            notebook.index.record(text, f"Cell [{n}]", notebook.names)

    cells(range(1000))
    before = weight()
    cells(range(1000, 3000))
    assert weight() <= before + 200
    assert len(notebook.index._before) < 10


def test_the_same_name_over_and_over_keeps_a_few_definitions(notebook):
    for n in range(200):
        notebook.run(f"def f(): return {n}")
    assert source(notebook, "f") == "def f(): return 199\n"
    assert len(notebook.index._entries["f"]) < 10
