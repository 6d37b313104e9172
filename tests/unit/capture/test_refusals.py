"""What cannot travel is refused in one sentence that names the culprit, before anything is started."""

from __future__ import annotations

import pytest

from jobq_magic.errors import CaptureError

# name: (earlier cells, the cell, code, words that must be in the message)
REFUSED: dict[str, tuple[list[str], str, str, list[str]]] = {
    "an empty cell": ([], "  \n# only a comment\n", "empty-cell", []),
    "a syntax error": ([], "x = 1\ny = (", "syntax-error", ["line 2"]),
    "a null byte": ([], "x = '\0'", "syntax-error", []),
    "a missing name": (["value = 1"], "vale + 1", "missing-name", ["'vale'", "Did you mean value?"]),
    "a name in a loop that is missing": ([], "for i in range(3):\n    f(i)", "missing-name", ["'f'"]),
    "the last output": (["1 + 1"], "_ + 1", "missing-name", []),
    "a lock": (
        ["import threading\nlocks = [threading.Lock()]"],
        "locks[0].locked()",
        "cannot-travel",
        ["locks[0] is a lock", "cell", "--exclude locks"],
    ),
    "a lock deep inside": (
        [
            (
                "import threading\nclass T:\n    pass\nt = T()\nt.parts = [1, {'k': T()}]\n"
                "t.parts[1]['k'].guard = threading.Lock()"
            )
        ],
        "t.parts",
        "cannot-travel",
        ["t.parts[1]['k'].guard is a lock"],
    ),
    "a lock that a function needs": (
        ["import threading\nlocks = [threading.Lock()]", "def fit():\n    with locks[0]:\n        return 1"],
        "fit()",
        "cannot-travel",
        ["used by: cell → fit", "--remake"],
    ),
    "a lock in a closure": (
        ["import threading\ndef make():\n    guard = threading.Lock()\n    return lambda: guard\nf = make()"],
        "f()",
        "cannot-travel",
        ["guard", "a lock"],
    ),
    "a generator": (["g = (i for i in range(3))"], "next(g)", "cannot-travel", ["a generator", "--remake g"]),
    "a connection to a database": (
        ["import sqlite3\nclass H: pass\nh = H()\nh.db = sqlite3.connect(':memory:')"],
        "h.db",
        "cannot-travel",
        ["h.db is a connection to a database"],
    ),
    "a socket": (["import socket\ns = socket.socket()"], "s.fileno()", "cannot-travel", ["a socket"]),
    "a thread": (["import threading\nt = threading.Thread(target=print)"], "t.name", "cannot-travel", ["t"]),
    "a module made by hand": (["import types\nm = types.ModuleType('m')"], "m.x", "cannot-travel", ["m is a module"]),
    "input": ([], "n = input('how many? ')", "input-in-cell", ["input() on line 1"]),
    "a break point": ([], "x = 1\nbreakpoint()", "input-in-cell", ["breakpoint() on line 2"]),
    "getpass": ([], "import getpass\n\np = getpass.getpass()", "input-in-cell", ["line 3"]),
    "getpass by its name": (["from getpass import getpass"], "p = getpass()", "input-in-cell", []),
    "pip": ([], "%pip install x", "magic-cannot-travel", ["%pip install x", "--requirement"]),
    "pip by the shell": ([], "x = 1\n!pip install y", "magic-cannot-travel", ["!pip install y", "line 2"]),
    "cd": ([], "%cd /tmp", "magic-cannot-travel", ["%cd", "os.chdir"]),
    "a magic inside another": ([], "%%time\n%who", "magic-cannot-travel", ["%who"]),
    "help": (["x = 1"], "x?", "magic-cannot-travel", ["%pinfo x"]),
    "a file to write": ([], "%%writefile a.txt\nhello", "magic-cannot-travel", ["%%writefile"]),
    "a name to bring back that nobody binds": ([], "a = 1", "unknown-out", ["'b'"]),
    "a secret by its name": (
        ["api_key = 'q8Zk2LmP0xY7rT5w'"],
        "len(api_key)",
        "secret-in-value",
        ["api_key", "--secret", "--include api_key"],
    ),
    "a secret by its form": (
        ["conf = {'a': ['ghp_' + 'a1B2' * 10]}"],
        "conf",
        "secret-in-value",
        ["conf['a'][0]", "GitHub token"],
    ),
    "a secret in an instance": (
        ["class C: pass\nc = C()\nc.password = 'hunter22'"],
        "c",
        "secret-in-value",
        ["c.password"],
    ),
    "a secret in a function": (
        ["def call():\n    return 'AKIA" + "ABCDEFGHIJKLMNOP'"],
        "call()",
        "secret-in-value",
        ["call"],
    ),
    "a secret in the cell": ([], "x = 1\npassword = 'tr0ub4dor'", "secret-in-value", ["line 2"]),
    "a secret as an argument": ([], "connect = print\nconnect(token='a1b2c3d4e5f6g7')", "secret-in-value", ["token"]),
    "an address with a password": (
        ["url = 'postgres://me:s3cr3t@host/db'"],
        "url",
        "secret-in-value",
        ["password in an address"],
    ),
    "a private key": (["pem = b'-----BEGIN RSA PRIVATE KEY-----\\nMII'"], "pem", "secret-in-value", ["private key"]),
    "something nested too deeply": (
        ["a = []\nfor _ in range(100_000):\n    a = [a]"],
        "len(a)",
        "cannot-travel",
        ["nested too deeply"],
    ),
}
OPTIONS = {"a name to bring back that nobody binds": {"outs": ("b",)}}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(notebook, name):
    before, cell, code, words = REFUSED[name]
    for earlier in before:
        notebook.run(earlier)
    try:
        with pytest.raises(CaptureError) as caught:
            notebook.capture(cell, **OPTIONS.get(name, {}))
    finally:
        if "s" in notebook.names and hasattr(notebook.names["s"], "close"):
            notebook.names["s"].close()
        if "h" in notebook.names:
            notebook.names["h"].db.close()
    error = caught.value
    assert error.code == code
    assert len(error.lines()) <= 2
    for word in words:
        assert word in str(error)


def test_an_open_file_is_refused_although_it_would_pickle(notebook, tmp_path):
    (tmp_path / "f").write_text("x")
    notebook.run("class L: pass\nlog = L()")
    with (tmp_path / "f").open() as file:
        notebook.names["log"].file = file
        with pytest.raises(CaptureError, match=r"log\.file is an open file") as caught:
            notebook.capture("log")
    assert caught.value.code == "cannot-travel"


def test_the_kernels_history_is_refused(notebook):
    notebook.names.update(_=4, _2=4, Out={2: 4}, In=["", "x"])
    for cell in ("_ + 1", "Out[2]", "_2", "In[1]"):
        with pytest.raises(CaptureError) as caught:
            notebook.capture(cell)
        assert caught.value.code == "history-name"


def test_an_underscore_that_the_cell_binds_is_its_own(notebook):
    notebook.names["_"] = 3
    bundle = notebook.capture("for _ in range(2): pass\na, _ = 1, 2\n_")
    assert [step["kind"] for step in bundle.steps] == []


def test_an_underscore_that_the_user_gave_a_value_travels(notebook):
    notebook.names.update(_=str.upper, Out={1: "other"})
    notebook.run("def f():\n    return _('a')")
    assert notebook.job(notebook.capture("_('b') + f()"))["value"] == "'BA'"
    notebook.names.update(_="other")
    assert [row.name for row in notebook.capture("f").travellers] == ["f"]


def test_a_mistyped_option_is_told(notebook):
    notebook.run("model = 1")
    for option in ("exclude", "include", "remake"):
        with pytest.raises(CaptureError, match="Did you mean model"):
            notebook.capture("1", **{option: ("modl",)})


def test_what_no_statement_made_cannot_be_made_anew(notebook):
    notebook.run("a, b = 1, 2")
    with pytest.raises(CaptureError) as caught:
        notebook.capture("a", remake=("a",))
    assert caught.value.code == "cannot-remake"


def test_what_is_too_large_is_refused_before_it_is_written(notebook, tmp_path):
    notebook.run("big = bytearray(3_000_000)")
    with pytest.raises(CaptureError) as caught:
        notebook.capture("len(big)", limit=1_000_000)
    assert caught.value.code == "too-large"
    assert "big" in str(caught.value)
    assert "1.0 MB" in str(caught.value)


def test_the_limit_is_for_all_values_together(notebook):
    notebook.run("a = bytearray(600_000)\nb = bytearray(600_001)")
    notebook.capture("len(a)", limit=1_000_000)
    with pytest.raises(CaptureError, match="would take what travels beyond"):
        notebook.capture("len(a) + len(b)", limit=1_000_000)


@pytest.mark.parametrize("option", ["include", "remake"])
def test_a_name_that_shall_travel_and_stay_is_refused(notebook, option):
    notebook.run("rows = list(range(3))")
    with pytest.raises(CaptureError, match=f"rows is in --exclude and in --{option}"):
        notebook.capture("1", exclude=("rows",), **{option: ("rows",)})


def test_exclude_is_the_way_out(notebook):
    notebook.run("import threading\nlock = threading.Lock()\nn = 1")
    notebook.run("def f():\n    return n\ndef g():\n    return lock")
    bundle = notebook.capture("lock = None\n(f(), g())", exclude=("lock",))
    assert notebook.job(bundle)["value"] == "(1, None)"


def test_include_is_the_way_to_insist(notebook):
    notebook.run("password = 'hunter22'")
    assert notebook.job(notebook.capture("len(password)", include=("password",)))["value"] == "8"


def test_a_secret_in_the_cell_can_be_insisted_on(notebook):
    notebook.capture("password = 'hunter22'", include=("password",))


def test_remake_makes_a_name_anew(notebook):
    notebook.run("import threading\nsize = 3")
    notebook.run("lock = threading.Semaphore(size)")
    bundle = notebook.capture("lock._value", remake=("lock",))
    assert notebook.job(bundle)["value"] == "3"


@pytest.mark.parametrize(
    "cell",
    [
        "token = 'hello'",
        "tokens = ['a1b2c3d4e5f6']",
        "tokenizer = 'bert-base-12345'",
        "key = 'abc123def456'",
        "password = ''",
        "api_key = 'YOUR_KEY'",
        "password = '...'",
        "secret = '/run/secrets/x1y2z3a4'",
        "url = 'https://user@host/x'",
    ],
)
def test_words_about_secrets_are_none(notebook, cell):
    notebook.capture(cell)
    notebook.run(cell)
    notebook.capture(f"print({cell.split(' =')[0]})")


def test_the_kernels_own_names_never_travel(notebook):
    notebook.names.update(In=[""], Out={}, get_ipython=lambda: None, exit=print, quit=print, _i1="", _dh=[])
    notebook.run("def f():\n    return In, Out, exit, quit, get_ipython, _dh, _i1")
    assert notebook.job(notebook.capture("f"))["held"] == ["f"]


def test_what_a_cell_sets_on_definitions_of_the_notebook_is_said_to_stay_there(notebook):
    notebook.run("class Tree:\n    pass\n\ndef plant():\n    return Tree()\n\ntree = Tree()")
    cell = "Tree.height = 3\nplant.calls = 1\ntree.age = 2\nclass Bush(Tree):\n    pass\nBush.height = 1\nplant()"
    assert list(notebook.capture(cell).notes) == [
        "Tree.height is set in the job only; set it in a cell without %%jobq",
        "plant.calls is set in the job only; set it in a cell without %%jobq",
    ]


@pytest.mark.parametrize(
    "cell", ["+".join(["1"] * 6000), "if x: pass\n" + "elif x: pass\n" * 3000, "(" * 3000 + ")" * 3000]
)
def test_what_python_itself_cannot_read_is_refused_in_words(notebook, cell):
    notebook.run("x = 1")
    with pytest.raises(CaptureError, match="the cell does not compile"):
        notebook.capture(cell)
