import json
from dataclasses import asdict

import pytest

from jobq_magic.errors import OptionError
from jobq_magic.image import Recipe, User
from jobq_magic.recipes import recipe_of
from jobq_magic.recipes.dockerfiles import base_of, with_bases
from jobq_magic.spec import JobSpec


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'outer'\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/table.csv").write_text("a,b\n")
    return tmp_path


@pytest.fixture
def recipe(folder):
    def recipe(yaml="", environ=None, **options):
        if yaml:
            (folder / "image.yaml").write_text(yaml)
            options["image_file"] = "image.yaml"
        return recipe_of(JobSpec(**options), folder, environ or {})

    return recipe


def refusal(recipe, *args, **options):
    with pytest.raises(OptionError) as error:
        recipe(*args, **options)
    return str(error.value)


JOBQ = """
build:
  base_image: python:3.12-slim
  dependencies:
    apt: [curl, git]
    pip: [attrs, pyyaml]
  volumes:
    - /mountable/path
  user:
    name: no_admin
  config:
    env:
      var: value
    arg:
      build_arg: config
    stopsignal: 1
    shell: sh
  meta:
    labels:
      test: test
  workdir: /usr/src/
  filesystem:
    copy:
      data: target
    add:
      data: /target
"""


def test_a_declarative_file_of_jobq_is_read_as_it_is(recipe, folder):
    assert recipe(JOBQ) == Recipe(
        base="python:3.12-slim", apt=("curl", "git"), requirements=("attrs", "pyyaml"), volumes=("/mountable/path",),
        user=User(name="no_admin", create=True), env={"var": "value"}, args={"build_arg": "config"}, stopsignal="1",
        shell=("/bin/sh", "-c"), labels={"test": "test"}, workdir="/usr/src/", copy=(("data", "target"),),
        add=(("data", "/target"),), context=str(folder),
    )  # fmt: skip


def test_the_same_keys_stand_without_groups_and_in_toml(recipe, folder):
    (folder / "pyproject.toml").write_text(
        '[tool.jobq.image]\nbase = "python:3.12-slim"\napt = ["git"]\nenv = {A = 1, B = true}\nuser = "1000:0"\n'
        'stop-signal = "term"\ncopy = {data = "/data"}\nlabels = ["a=b=c"]\n'
    )
    found = recipe()
    assert (found.base, found.apt, found.env) == ("python:3.12-slim", ("git",), {"A": "1", "B": "true"})
    assert (found.user, found.stopsignal, found.labels) == (User(1000, 0), "SIGTERM", {"a": "b=c"})
    assert found.copy == (("data", "/data"),)


def test_a_recipe_comes_back_from_json_as_it_was(recipe):
    made = recipe(JOBQ)
    assert Recipe.from_json(json.loads(json.dumps(asdict(made)))) == made


def test_what_stands_nearer_to_the_cell_counts(recipe, folder):
    (folder / "pyproject.toml").write_text(
        '[tool.jobq.image]\nbase = "low:1"\nworkdir = "/low"\napt = ["git"]\nrequirements = ["numpy<2", "attrs"]\n'
        '[tool.jobq.image.env]\nA = "low"\nB = "low"\n'
    )
    found = recipe("base: mid:1\napt: curl\nenv: {A: mid}\n", base="top:1", apt=["vim"], requirement=["numpy>=2"])
    assert (found.base, found.workdir, found.apt) == ("top:1", "/low", ("git", "curl", "vim"))
    assert found.env == {"A": "mid", "B": "low"}
    assert found.requirements == ("attrs", "numpy>=2")


def test_what_only_the_default_profile_says_gives_way_to_files(folder):
    (folder / "image.yaml").write_text("base: mine:1\n")
    spec = JobSpec(image_file="image.yaml", base="house:1")
    assert recipe_of(spec, folder, {}).base == "house:1"
    assert recipe_of(spec, folder, {}, weak=frozenset({"base"})).base == "mine:1"


def test_an_image_as_it_is_has_nothing_of_what_files_say(recipe, folder):
    (folder / "pyproject.toml").write_text('[tool.jobq.image]\napt = ["git"]\n')
    found = recipe(image="team/ready:1")
    assert (found.base, found.as_it_is, found.apt) == ("team/ready:1", True, ())


# What went wrong in jobq's reading of its own files.


def test_a_file_without_a_user_is_an_image_with_the_users_of_its_base(recipe):
    assert recipe("build: {base_image: python:3}").user is None
    assert recipe("build: {base_image: python:3, user: {}}").user is None


@pytest.mark.parametrize("text", ["A=b=c", "A=", "A=two words", "A='quoted'"])
def test_a_value_may_hold_anything(recipe, text):
    name, _, value = text.partition("=")
    quoted = text.replace("'", "''")
    assert recipe(f"build: {{config: {{env: ['{quoted}']}}}}").env == {name: value}


def test_groups_may_be_empty_and_packages_of_one_kind_alone(recipe):
    assert recipe("build: {meta: {}, config: , dependencies: {pip: [attrs]}}").requirements == ("attrs",)
    assert recipe("build: {dependencies: {apt: [git]}}").apt == ("git",)


def test_pairs_of_files_are_split_at_a_colon_or_an_equals_sign(recipe):
    wanted = (("data", "/a"), ("data/table.csv", "/b"))
    assert recipe("build: {filesystem: {copy: ['data:/a', 'data/table.csv=/b']}}").copy == wanted
    assert recipe("copy: [{data: /a}, {data/table.csv: /b}]").copy == wanted
    assert recipe("add: ['https://h.org:8080/x.tgz:/x']").add == (("https://h.org:8080/x.tgz", "/x"),)
    assert "does not say what lies where: https://h.org/x.tgz" in refusal(recipe, "add: ['https://h.org/x.tgz']")


def test_files_of_requirements_are_read_and_no_name_is_asked_for_twice(recipe, folder):
    (folder / "more").mkdir()
    (folder / "more/dev.txt").write_text("-r ../base.txt\nattrs>=20 ; python_version > '3'\n")
    (folder / "base.txt").write_text(
        "numpy==2.0 \\\n    --hash=sha256:00\n\n# a comment\nattrs<99 # another\nold==1 ; python_version < '3'\n"
    )
    assert recipe("pip: ['-r more/dev.txt', numpy]").requirements == ("numpy==2.0", "attrs<99,>=20")


def test_local_projects_and_wheels_are_asked_for_by_name_and_place(recipe, folder):
    (folder / "lib").mkdir()
    (folder / "lib/pyproject.toml").write_text(
        '[build-system]\nname = "no"\n\n[project]\nversion = "1"\nname = "own-lib"\n'
    )
    (folder / "tool-1.0-py3-none-any.whl").write_text("")
    place = folder.as_uri()
    assert recipe("pip: ['-e ./lib', tool-1.0-py3-none-any.whl, '-e .']").requirements == (
        f"own-lib @ {place}/lib", f"tool @ {place}/tool-1.0-py3-none-any.whl", f"outer @ {place}",
    )  # fmt: skip
    assert recipe("pip: [lib]").requirements == (f"own-lib @ {place}/lib",)
    assert recipe("pip: ['./lib[extra]', lib]").requirements == (f"own-lib[extra] @ {place}/lib",)


def test_yaml_says_what_is_written_and_guesses_nothing(recipe):
    assert recipe("env: {A: no, B: 3.10, C: 0x10, D: 2026-01-01}").env == {
        "A": "no", "B": "3.10", "C": "0x10", "D": "2026-01-01",
    }  # fmt: skip


def test_an_argument_without_a_value_has_that_of_the_variable_here(recipe):
    assert recipe("arg: [VERSION, A=1]", environ={"VERSION": "7"}).args == {"VERSION": "7", "A": "1"}
    assert "there is no variable VERSION here" in refusal(recipe, "arg: [VERSION]")


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("build: {base_imag: x}", "There is no key build.base_imag in image.yaml\nDid you mean base_image?"),
        ("build: {dependencies: {conda: [x]}}", "There is no key build.dependencies.conda"),
        ("build: {config: 3}", "build.config in image.yaml holds no keys"),
        ("base: x\nbuild: {base_image: y}", "say the same thing twice"),
        ("base: x\nbase: y", "line 2 is not YAML: 'base' is there twice"),
        ("base: [x", "is not YAML"),
        ("- base", "says nothing of an image"),
        ("apt: ['git; rm -rf /']", "holds 'git;', which is not the name of a package"),
        ("user: {name: 'a b'}", "which is not the name of a user"),
        ("user: {uid: -1}", "holds uid '-1'"),
        ("user: {gid: 5}", "names no user"),
        ("user: {nam: x}", "Did you mean name?"),
        ("stopsignal: 0", "is no signal"),
        ("volumes: data", "Write its whole path"),
        ("workdir: $HOME/x", "Write its whole path"),
        ("env: {1A: x}", "holds '1A', which is not the name of a variable"),
        ("env: [A]", "gives A no value"),
        ("copy: {missing: /x}", "there is no such file"),
        ("copy: {../x: /x}", "lies outside of"),
        ("copy: {data/../../x: /x}", "lies outside of"),
        ("pip: ['--index-url https://h/simple']", "an option of pip"),
        ("pip: ['-r missing.txt']", "there is no such file"),
        ("pip: ['not a requirement']", "is not a requirement"),
        ("pip: [data/]", "is not a requirement"),
        ("pip: [./data]", "which is no project of Python"),
        ("context: nowhere", "which is no folder"),
        ("dockerfile: nothing", "there is no such file"),
        ("base: x\ndockerfile: 'FROM y\n\n  RUN true'", "contradict each other"),
        ("builder: kaniko", "Write append or engine"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_its_key_and_its_file(recipe, yaml, says):
    said = refusal(recipe, yaml)
    assert says in said
    assert "image.yaml" in said


def test_all_mistakes_are_told_together(recipe):
    assert refusal(recipe, "apt: ['A B']\nvolumes: x\nworkdir: y\nnope: z", apt=["q q"]).startswith("5 mistakes")


def test_files_that_cannot_be_read_are_told_with_the_other_mistakes(recipe, folder):
    (folder / "latin.txt").write_bytes("grün".encode("latin-1"))
    (folder / "long.txt").write_text("attrs\n" * 200_000)
    says = refusal(recipe, "dockerfile: latin.txt\npip: ['-r latin.txt', '-r long.txt']\nworkdir: y")
    assert says.startswith("4 mistakes")
    assert "dockerfile in image.yaml names latin.txt, which cannot be read: it is not UTF-8" in says
    assert "pip in image.yaml names latin.txt, which cannot be read" in says
    assert "names long.txt, which is longer than any image needs" in says
    assert refusal(recipe, "dockerfile: nothing").startswith("dockerfile in image.yaml names nothing, and there is no")
    (folder / "round.txt").write_text("-r round.txt\n")
    assert "too many files name one another" in refusal(recipe, "pip: ['-r round.txt']")
    assert "latin.txt cannot be read" in refusal(recipe, image_file="latin.txt")
    assert "long.txt is longer than any image needs" in refusal(recipe, image_file="long.txt")


def test_links_that_lead_out_of_the_context_are_refused(recipe, folder, tmp_path_factory):
    (folder / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert "lies outside of" in refusal(recipe, "copy: {link: /x}")


def test_credentials_have_no_place_in_an_image(recipe, folder):
    token = "ghp_" + "a1B2" * 10
    (folder / ".env").write_text("A=1")
    (folder / "Dockerfile").write_text(f"FROM x\nRUN curl -H {token}\n")
    for yaml in (
        f"env: {{A: {token}}}", "env: {API_TOKEN: x}", f"args: {{A: {token}}}", f"labels: {{a: {token}}}",
        "env: {A: 'https://me:pa55word@h.org'}", f"dockerfile: |\n  FROM x\n  RUN curl -H {token}\n",
        "dockerfile: Dockerfile",
    ):  # fmt: skip
        said = refusal(recipe, yaml)
        assert "--secret" in said
        assert token not in said
        assert "pa55word" not in said
    assert "made for credentials" in refusal(recipe, "copy: {.env: /x}")
    assert "a password in an address" in refusal(recipe, "pip: ['x @ https://me:pa55word@h.org/x.whl']")
    assert "arguments of a build are on record" in refusal(recipe, "args: [API_TOKEN]", environ={"API_TOKEN": "x"})


def test_a_file_that_is_not_there_is_named(recipe):
    assert "there is no such file" in refusal(recipe, image_file="nope.yaml")


# Dockerfiles


def test_a_dockerfile_is_known_by_its_name_or_its_first_instruction(folder):
    for name in ("Dockerfile", "Dockerfile.gpu", "gpu.dockerfile", "Containerfile", "odd"):
        (folder / name).write_text("# syntax=docker/dockerfile:1\nARG V=3.12\nFROM python:${V}-slim AS x\nRUN true\n")
        found = recipe_of(JobSpec(image_file=name), folder, {})
        assert (found.base, found.dockerfile.count("RUN"), found.context) == ("python:3.12-slim", 1, str(folder))


def test_a_dockerfile_that_a_table_names_is_read_from_there(recipe, folder):
    (folder / "docker").mkdir()
    (folder / "docker/Dockerfile").write_text("ARG V\nFROM python:$V\n")
    (folder / "pyproject.toml").write_text(
        '[tool.jobq.image]\ndockerfile = "Dockerfile"\ncontext = "docker"\nargs = {V = "3.11"}\n'
    )
    found = recipe()
    assert (found.base, found.context) == ("python:3.11", str(folder / "docker"))


def test_the_base_of_a_dockerfile_is_what_its_last_stage_stands_on():
    text = (
        "FROM golang AS build\nRUN <<EOF\nFROM nothing\nEOF\nFROM --platform=$BUILDPLATFORM debian:12 AS base\n"
        "FROM base AS \\\n  last\nCOPY --from=build /x /x\n"
    )
    assert base_of(text, {}) == "debian:12"
    changed = with_bases(text, {}, {"debian:12": "jobq-base:1"})
    assert "FROM --platform=$BUILDPLATFORM jobq-base:1 AS base\n" in changed
    assert changed.count("FROM") == text.count("FROM")


@pytest.mark.parametrize(
    ("text", "says"),
    [("RUN true\n", "has no FROM"), ("FROM a b\n", "line 1"), ("FROM $NOPE\n", "names no image"),
     ("FROM scratch\n", "no Python")],
)  # fmt: skip
def test_a_dockerfile_that_cannot_be_is_refused(folder, text, says):
    (folder / "Dockerfile").write_text(text)
    with pytest.raises(OptionError, match=says):
        recipe_of(JobSpec(image_file="Dockerfile"), folder, {})


def test_a_dockerfile_takes_the_place_of_a_base_in_a_weaker_file(recipe, folder):
    (folder / "pyproject.toml").write_text('[tool.jobq.image]\nbase = "low:1"\napt = ["git"]\n')
    (folder / "Dockerfile").write_text("FROM top:1\nRUN true\n")
    found = recipe(image_file="Dockerfile")
    assert (found.base, found.apt) == ("top:1", ("git",))
