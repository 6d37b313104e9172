"""What source reads of the environment is listed by name; values never are."""

from __future__ import annotations

import os

import pytest

from jobq_magic.capture.environ import reads, sets


@pytest.mark.parametrize(
    "text",
    [
        "os.environ['TOKEN_X']",
        "os.environ.get('TOKEN_X')",
        "os.environ.get('TOKEN_X', 'none')",
        "os.environ.pop('TOKEN_X')",
        "os.getenv('TOKEN_X')",
        "os.getenv('TOKEN_X', default='none')",
        "'TOKEN_X' in os.environ",
        "'TOKEN_X' not in os.environ",
        "environ['TOKEN_X']",
        "getenv('TOKEN_X')",
        "from os import environ\nenviron['TOKEN_X']",
        "from os import environ as e, getenv as g\ne['TOKEN_X']",
        "from os import getenv as g\ng('TOKEN_X')",
        "import os as o\no.environ['TOKEN_X']",
        "import os as o\no.getenv('TOKEN_X')",
        "env = os.environ\nenv['TOKEN_X']",
        "os.path.expandvars('$TOKEN_X/data')",
        "os.path.expandvars('${TOKEN_X}/data')",
        "get_ipython().run_line_magic('env', 'TOKEN_X')",
        "def f(x=os.environ['TOKEN_X']):\n    pass",
        "class C:\n    t: str = os.getenv('TOKEN_X')",
        "f'{os.environ[\"TOKEN_X\"]}'",
        "del os.environ['TOKEN_X']",
    ],
)
def test_what_is_read_is_listed(text):
    assert reads([("train", text)]) == [("TOKEN_X", "train")]


@pytest.mark.parametrize(
    "text",
    [
        "os.environ['TOKEN_X'] = '1'",
        "os.environ[name]",
        "os.getenv(name)",
        "environ = {}\nenviron['TOKEN_X']",
        "def f(environ):\n    return environ['TOKEN_X']",
        "import numpy as os\nos.getenv",
        "config.environ['TOKEN_X']",
        "d.get('TOKEN_X')",
        "os.environ['PATH']",
        "os.environ['JOBQ_MODE']",
        "os.environ['no name']",
        "os.environ['a\\nb']",
        "os.environ.copy()",
        "os.environ[",
    ],
)
def test_what_is_not_read_or_is_everywhere_is_not_listed(text):
    assert reads([("cell", text)]) == []


@pytest.mark.parametrize(
    "text",
    [
        "os.environ['TOKEN_X'] = '1'",
        "os.environ.setdefault('TOKEN_X', '1')",
        "os.environ.update({'TOKEN_X': '1'})",
        "os.environ.update(TOKEN_X='1')",
        "get_ipython().run_line_magic('env', 'TOKEN_X=1')",
        "get_ipython().run_line_magic('env', 'TOKEN_X 1')",
    ],
)
def test_what_is_set_is_known(text):
    assert sets([("cell", text)]) == {"TOKEN_X"}


def test_each_is_listed_once_with_the_first_that_reads_it():
    texts = [("cell", "os.environ['B']; os.getenv('A')"), ("train", "os.environ['A']; os.environ['C']")]
    assert reads(texts) == [("A", "cell"), ("B", "cell"), ("C", "train")]


def test_the_notebooks_names_tell_what_they_are():
    namespace = {"o": os, "e": os.environ, "g": os.getenv, "environ": {}, "os": None}
    assert reads([("cell", "o.environ['A']; e['B']; g('C'); environ['D']; os.getenv('E')")], namespace) == [
        ("A", "cell"),
        ("B", "cell"),
        ("C", "cell"),
    ]
