import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobq_magic.errors import JobqError, OptionError, OptionErrors
from jobq_magic.options import complete, flag_of, help_text, parse, table, unfinished
from jobq_magic.spec import JobSpec, declared


def test_a_line_of_options_becomes_fields():
    line = "--mode ray --workers=4 --driver-cpus 2 -o a,b -o c --env A=1 --env 'B=x y' --no-wait --dry-run --retries -1"
    assert parse(line).options == {
        "mode": "ray",
        "workers": "4",
        "driver_cpus": "2",
        "out": ["a,b", "c"],
        "env": ["A=1", "B=x y"],
        "wait": False,
        "dry_run": True,
        "retries": "-1",
    }


def test_words_that_a_shell_has_split_are_taken_as_they_are():
    assert parse(["--name", "my run", "--env=A={x}"]).options == {"name": "my run", "env": ["A={x}"]}


def test_an_empty_line_asks_for_nothing():
    assert parse("   ").options == {}


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_can_be_asked_for_beside_options(word):
    assert parse(f"--mode ray {word}").help


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("--worker 4", "unknown-option", "Did you mean --workers?"),
        ("-mode ray", "unknown-option", "Did you mean --mode?"),
        ("--zzzzzz", "unknown-option", "--help lists the options"),
        ("ray", "stray-word", "'ray' is no option"),
        ("--mode", "missing-value", "--mode needs a value"),
        ("--mode --workers=4", "missing-value", "--mode needs a value"),
        ("--debug=1", "needless-value", "--debug takes no value"),
        ("--mode ray --mode local", "given-twice", "--mode is given twice"),
        ("--wait --no-wait", "contradiction", "--wait and --no-wait contradict each other"),
        ("--name 'my run", "unclosed-quote", "A quote is not closed: --name 'my run"),
    ],
)
def test_a_line_that_cannot_be_is_refused_in_words(line, code, says):
    for namespace in None, {}:
        with pytest.raises(OptionError) as error:
            parse(line, namespace)
        assert error.value.code == code
        assert says in str(error.value)
        assert len(error.value.lines()) <= 2


def test_a_mistake_never_ends_the_process_nor_is_a_usage_error():
    with pytest.raises(JobqError) as error:
        parse("--nothing")
    assert not isinstance(error.value, SystemExit)
    assert "UsageError" not in [kind.__name__ for kind in type(error.value).__mro__]


def test_all_mistakes_of_a_line_are_told_together_and_none_hides_another():
    with pytest.raises(OptionErrors) as error:
        parse("--worker 4 foo --debug=1 --mode")
    assert [mistake.code for mistake in error.value.each] == [
        "unknown-option",
        "stray-word",
        "needless-value",
        "missing-value",
    ]


def test_an_expression_in_a_value_is_expanded_where_there_is_a_namespace():
    namespace = {"n": 4, "d": {"a b": "x y"}, "names": ["p", "q"], "more": {"A": 1}}
    line = """--workers {n * 2} --name "{d['a b']}-{n}" -o {names} -o r --env {more} --memory {n}Gi"""
    assert parse(line, namespace).options == {
        "workers": 8,
        "name": "x y-4",
        "out": ["p", "q", "r"],
        "env": ["A=1"],
        "memory": "4Gi",
    }


def test_braces_inside_single_quotes_and_doubled_braces_are_braces():
    assert parse("""--env 'A={"x": 1}' --env B={{n}} --env C=\\{""", {}).options == {
        "env": ['A={"x": 1}', "B={n}", "C={"]
    }


def test_an_expression_may_hold_braces_quotes_and_what_ends_a_word():
    assert parse("""--name {{"a}": "b c"}["a}"]} """.replace("{{", "{ {"), {}).options == {"name": "b c"}
    assert parse("--workers {[n for n in range(k)][-1]}", {"k": 5}).options == {"workers": 4}


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("--workers {nope}", "unknown-name", "name 'nope' is not defined"),
        ("--workers {1/0}", "failed-expansion", "raised ZeroDivisionError"),
        ("--workers {a b}", "bad-expansion", "{a b} is not a Python expression"),
        ("--workers {a", "bad-expansion", "{a is not a Python expression"),
        ("--workers {}", "bad-expansion", "{} is not a Python expression"),
        ("--{name} 3", "unknown-option", "There is no option --{name}"),
    ],
)
def test_an_expansion_that_fails_is_told_with_the_option(line, code, says):
    with pytest.raises(OptionError) as error:
        parse(line, {"name": "workers"})
    assert (error.value.code, says in str(error.value)) == (code, True)


def test_an_expansion_changes_nothing_in_the_namespace():
    namespace = {"n": 1}
    parse("--workers {n}", namespace)
    assert namespace == {"n": 1}


def test_flags_and_choices_are_completed():
    assert "--mode" in complete("--m")
    assert complete("", ["--mode"]) == ["docker", "kueue", "local", "ray", "rayjob"]
    assert complete("r", ["--mode"]) == ["ray", "rayjob"]
    assert complete("--mode=r") == ["--mode=ray", "--mode=rayjob"]
    assert complete("--workers", ["--workers", "4"]) == []
    assert complete("--no-w") == ["--no-wait"]
    assert "--env" in complete("--e", ["--env", "A=1"])


def test_values_that_are_known_here_are_completed_also_in_lists():
    known = {"out": lambda: ["alpha", "beta"], "env": lambda: ["HOME"]}
    assert complete("", ["-o"], known) == ["alpha", "beta"]
    assert complete("--out=alpha,", [], known) == ["--out=alpha,beta"]
    assert complete("alpha,", ["--out"], known) == ["alpha,beta"]
    assert complete("H", ["--env"], known) == ["HOME"]
    assert complete("", ["--name"], known) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ([], "")),
        ("--a b", (["--a"], "b")),
        ("--a b ", (["--a", "b"], "")),
        ("--a 'b c", (["--a"], "'b c")),
        ("--a {x + 1} {y +", (["--a", "{x + 1}"], "{y +")),
    ],
)
def test_a_line_that_is_being_typed_is_cut_where_its_words_end(text, words):
    assert unfinished(text) == words


def test_every_field_has_a_row_and_its_flags_can_be_parsed():
    rows = {row.field: row for row in table()}
    assert rows.keys() == declared().keys() == JobSpec.model_fields.keys() - {"max_workers", "gpu_type"}
    for name, row in rows.items():
        assert flag_of(name) in row.flags
        words = [flag_of(name), "x"] if row.metavar else [flag_of(name)]
        assert parse(words).options.keys() == {name}


def test_the_help_names_every_flag_in_narrow_lines():
    lines = help_text().splitlines()
    assert max(map(len, lines)) <= 100
    for row in table():
        for flag in row.flags:
            assert any(line.startswith("  ") and flag in line.replace(",", " ").split() for line in lines), flag


WORDS = st.one_of(
    st.sampled_from(
        [*(flag for row in table() for flag in row.flags), "=", " ", "'", '"', "{", "}", "{{", "\\", "{n}"]
    ),
    st.text(max_size=5),
)


@given(st.lists(WORDS, max_size=8).map(" ".join), st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_is_read_or_refused_in_words(line, expands):
    try:
        parsed = parse(line, {"n": 4} if expands else None)
    except OptionError as error:
        assert str(error)
    else:
        assert parsed.options.keys() <= declared().keys()


@given(st.fixed_dictionaries({}, optional={name: st.one_of(st.text(), st.integers(), st.lists(st.text()), st.none(),
       st.floats(), st.dictionaries(st.text(), st.text()), st.booleans()) for name in declared()}))  # fmt: skip
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_becomes_a_spec_that_json_keeps_or_is_refused_in_words(asked):
    try:
        spec = JobSpec(**asked)
    except OptionError as error:
        assert error.lines()
    else:
        assert JobSpec(**json.loads(spec.model_dump_json())) == spec
