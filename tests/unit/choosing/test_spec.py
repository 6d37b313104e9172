import json

import pytest

from jobq_magic.errors import OptionError, OptionErrors
from jobq_magic.spec import JobSpec, declared, read


def test_a_spec_that_nobody_asked_anything_of_is_a_local_job():
    spec = JobSpec()
    assert (spec.mode, spec.workers, spec.env, spec.out, spec.retries) == ("local", None, {}, None, 0)


def test_a_spec_comes_back_from_json_as_it_was():
    spec = JobSpec(
        mode="ray", workers="2..8", gpus="a100:2", cpus="500m", memory="8Gi", timeout="1h30m", retries=2,
        env=["A=1", "B=x=y"], secret="TOKEN_NAME=OTHER", label={"team": "a"}, volume=["data:/data:ro"],
        requirement="pandas>=2", out="a,b", include=["c", "d,e"], wait="no", job="handle", name="my run",
    )  # fmt: skip
    assert JobSpec(**json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
    assert (spec.workers, spec.max_workers, spec.gpus, spec.gpu_type) == (2, 8, 2, "a100")
    assert spec.env == {"A": "1", "B": "x=y"}
    assert spec.include == ("c", "d", "e")


def test_a_spec_cannot_be_changed():
    with pytest.raises(Exception, match="frozen"):
        JobSpec().mode = "ray"


def test_none_means_that_nothing_was_asked():
    assert JobSpec(retries=None, mode=None, env=None, max_workers=None) == JobSpec()


def test_all_mistakes_of_a_spec_are_told_together_in_one_error():
    with pytest.raises(OptionError) as error:
        JobSpec(workers="x", memory="8gb", modee="ray", out="1a")
    assert isinstance(error.value, OptionErrors)
    assert error.value.lines() == [
        "4 mistakes",
        "- workers = x is not a number of workers. Write N or MIN..MAX, for example 4 or 2..8.",
        "- memory = 8gb is not an amount of memory. Write 8Gi.",
        "- out = 1a holds '1a', which is not a Python name",
        "- There is no option modee. Did you mean mode?",
    ]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("mode", "Local!", "is not a mode"),
        ("address", "ray://host:10001", "is an address of Ray Client"),
        ("address", "host:8265", "is not an address"),
        ("base", "Python:3", "is not the name of an image"),
        ("base", "https://host/python:3", "Write host/python:3"),
        ("base", "http://me:canary@host/python:3", "Write host/python:3"),
        ("image", "user:pass@host/python", "users are asked elsewhere"),
        ("image", "a b", "is not the name of an image"),
        ("push", "team/jobq", "Write for example docker.io/team/jobq"),
        ("push", "host:5000", "names a registry, and no place in it"),
        ("push", "host:5000/team/jobq:1", "Write host:5000/team/jobq: the tag is made of the content"),
        ("push", "https://me:secret@host.org/x", "docker login keeps who you are"),
        ("pull", "ftp://host.org/x", "is no place in a registry"),
        ("pull", "host.org/Team", "is no place in a registry"),
        ("platform", "arm64", "Write linux/arm64"),
        ("platform", "windows/amd64", "Write linux/amd64"),
        ("platform", "linux", "Write for example linux/amd64"),
        ("builder", "kaniko", "Write append or engine"),
        ("queue", "My Queue", "is not a name in Kubernetes"),
        ("env", ["1A=2"], "is not the name of a variable"),
        ("env", {"A B": "2"}, "is not the name of a variable"),
        ("env", "HF_TOKEN=x", "would write HF_TOKEN into the record"),
        ("env", {"AWS_SECRET_ACCESS_KEY": "x"}, "would write AWS_SECRET_ACCESS_KEY into the record"),
        ("secret", "A B", "is not the name of a variable"),
        ("label", "team", "gives team no value"),
        ("label", "team=-x", "which no label can have"),
        ("label", "te am=x", "is not a key of a label"),
        ("volume", "data", "is not a volume"),
        ("requirement", "pandas==", "is not a requirement"),
        ("include", "a,,b", "has an empty part"),
        ("exclude", "class", "is not a Python name"),
        ("remake", 3, "is not a list"),
        ("out", "a.b", "is not a Python name"),
        ("job", "my job", "is not a Python name"),
        ("name", "-1", "is not a name for a run"),
        ("name", "x" * 64, "is not a name for a run"),
        ("image_file", "  ", "is empty"),
        ("retries", "many", "is not a whole number"),
        ("wait", "maybe", "is neither yes nor no"),
        ("max_workers", "x", "cannot be"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_sentence_that_names_it(field, value, says):
    with pytest.raises(OptionError) as error:
        JobSpec(**{field: value})
    assert error.value.code == "bad-value"
    assert error.value.what.startswith(field)
    assert says in str(error.value)
    assert "me:secret" not in str(error.value)
    assert len(error.value.lines()) <= 2


def test_names_that_only_sound_like_credentials_are_no_credentials():
    assert read("env", ["TOKENIZERS_PARALLELISM=false", "KEY_COUNT=3"]) == {
        "TOKENIZERS_PARALLELISM": "false",
        "KEY_COUNT": "3",
    }


@pytest.mark.parametrize(
    ("field", "value"), [("secret", "HF=hf_8Ef$23"), ("env", "MY_TOKEN=hf_8Ef$23"), ("address", "http://u:hf_8Ef$23@h")]
)
def test_a_refusal_never_repeats_what_may_be_a_secret(field, value):
    with pytest.raises(OptionError) as error:
        JobSpec(**{field: value})
    assert "hf_8Ef" not in str(error.value) + repr(error.value)


def test_names_to_bring_back_and_none_to_bring_back_contradict_each_other():
    with pytest.raises(OptionError, match="--out and --no-out contradict each other"):
        JobSpec(out="a", no_out=True)


def test_every_field_that_a_user_can_write_has_a_help_text():
    for name in declared():
        told = JobSpec.model_fields[name].description
        assert told
        assert told[0].islower() or told.split()[0] in {"CPUs", "GPUs"}
        assert not told.endswith(".")


@pytest.mark.parametrize(
    ("field", "value", "means"),
    [
        ("base", "host", "host"),
        ("base", "host:5000/a/b_c:1.2-x", "host:5000/a/b_c:1.2-x"),
        ("image", "python@sha256:" + "0" * 64, "python@sha256:" + "0" * 64),
        ("push", "https://host.org/a/", "host.org/a"),
        ("push", "http://localhost:5000/a", "http://localhost:5000/a"),
        ("pull", "[::1]:5000/a", "[::1]:5000/a"),
        ("platform", "linux/x86_64", "linux/amd64"),
        ("platform", "linux/arm/v7", "linux/arm/v7"),
    ],
)
def test_images_places_and_platforms_are_read_as_docker_writes_them(field, value, means):
    assert read(field, value) == means


def test_a_base_may_be_in_a_registry_that_speaks_plain_http():
    assert JobSpec(base="http://127.0.0.1:5000/bases/python:3.11").base == "http://127.0.0.1:5000/bases/python:3.11"
