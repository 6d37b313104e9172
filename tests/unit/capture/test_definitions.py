"""Whose source is it? Right if and only if the name still holds the object that the source made."""

from __future__ import annotations

import gc
import weakref

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
