"""What the cell has here and will miss there is said before it runs; where the job has all of it, nothing is said."""

from __future__ import annotations


def test_a_variable_of_the_environment_that_the_job_is_not_given_is_named(notebook, monkeypatch):
    monkeypatch.setenv("API_URL", "https://example.org/secret-part")
    notebook.run("import os\ndef address():\n    return os.environ['API_URL']")
    bundle = notebook.capture("address()", environ=frozenset())
    (note,) = bundle.notes
    assert note == "address reads API_URL of the environment; pass it with --env API_URL, or --secret API_URL"
    assert not any("secret-part" in path.read_text() for path in bundle.folder.rglob("*") if path.is_file())


def test_nothing_is_said_of_what_is_passed_set_absent_or_inherited(notebook, monkeypatch):
    monkeypatch.setenv("API_URL", "x")
    monkeypatch.delenv("NOWHERE", raising=False)
    notebook.run("import os")
    assert notebook.capture("os.environ['API_URL']", environ=frozenset({"API_URL"})).notes == ()
    assert notebook.capture("os.environ['API_URL'] = 'y'\nos.environ['API_URL']").notes == ()
    assert notebook.capture("os.environ.get('NOWHERE', 'default')").notes == ()
    assert notebook.capture("os.environ['API_URL']", environ=None).notes == ()


def test_a_file_that_is_read_and_stays_is_named(notebook, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a\n1\n")
    (note,) = notebook.capture("open('data.csv').read()").notes
    assert "data.csv" in note
    assert "--files data.csv" in note
    assert notebook.capture("open('data.csv').read()", files=("data.csv",)).notes == ()
    assert notebook.capture("open('data.csv').read()", here=True, environ=None).notes == ()


def test_a_package_that_is_needed_is_told_with_who_needs_it(notebook):
    notebook.run("import numpy as np\ndef mean(x):\n    return np.mean(x)")
    (numpy,) = notebook.capture("mean([1, 2])").account.requirements
    import numpy as np

    assert (numpy.name, numpy.version, numpy.source) == ("numpy", np.__version__, "index")
    assert numpy.why == "cell → mean → np → numpy" or numpy.why.startswith("cell → mean → np")


def test_what_only_the_data_needs_is_told_too(notebook):
    notebook.run("from sklearn.neighbors import KNeighborsClassifier as K\nmodel = K()\ndel K")
    names = {each.name for each in notebook.capture("model").account.requirements}
    assert "scikit-learn" in names
