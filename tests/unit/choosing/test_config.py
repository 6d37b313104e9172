import os
from pathlib import Path

import pytest

from jobq_magic.config import HEADLESS_TIMEOUT, config_table, refuse_unhonoured, resolve
from jobq_magic.errors import OptionError, OptionErrors
from jobq_magic.spec import JobSpec, declared


@pytest.fixture
def here(hostile_environment):
    """resolve() in the working folder of this test, with its environment and what is given."""

    def resolved(options=None, *, environ=None, magics=None, cwd=None, interactive=True, **more):
        return resolve(
            options or {},
            magics=magics,
            cwd=cwd or Path.cwd(),
            environ={**os.environ, **(environ or {})},
            interactive=interactive,
            **more,
        )

    return resolved


@pytest.fixture
def write(hostile_environment):
    """Writes a file of settings: `project`, or the `user`'s own."""
    user = hostile_environment / "config" / "jobq" / "config.toml"

    def writing(which, text):
        path = user if which == "user" else Path.cwd() / "pyproject.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return writing


def test_with_nothing_said_a_cell_runs_in_a_fresh_process_here(here):
    resolved = here()
    assert resolved.spec == JobSpec()
    assert resolved.target == {"backend": "local", "where": "this machine"}
    assert (resolved.notes, resolved.asked, resolved.forced) == ((), frozenset(), False)
    assert {origin.text for origin in resolved.origins.values()} == {"default"}


PLACES = ["forced", "option", "environment", "profile", "magics", "project", "default profile", "default"]


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_first_place_in_the_order_that_has_a_value_counts(here, write, first):
    have = PLACES[first:]
    write("project", "[tool.jobq]\n" + "cpus = 6\n" * ("project" in have) + "[tool.jobq.profiles.named]\ncpus = 4\n")
    if "default profile" in have:
        write("user", "profile = 'usual'\n[profiles.usual]\ncpus = 7\n")
    environ = {}
    if "forced" in have:
        environ["JOBQ_FORCE_CPUS"] = "1"
    if "environment" in have:
        environ["JOBQ_CPUS"] = "3"
    options = {"cpus": "2"} if "option" in have else {}
    if "profile" in have:
        options["profile"] = "named"
    magics = {"cpus": 5} if "magics" in have else {}
    resolved = here(options, environ=environ, magics=magics)
    assert resolved.spec.cpus == (first + 1 if have[0] != "default" else None)
    assert resolved.origins["cpus"].kind == have[0]


def test_each_value_is_shown_with_where_it_came_from(here, write):
    write("project", "[tool.jobq]\ntimeout = '1h'\n[tool.jobq.profiles.big]\nmemory = '64Gi'\nenv = {B = '2'}\n")
    resolved = here(
        {"mode": "ray", "workers": "2..8", "env": ["A=1"], "profile": "big"},
        environ={"JOBQ_RETRIES": "2"},
        magics={"cpus": 2},
    )
    rows = {row.setting: (row.value, row.origin) for row in config_table(resolved)}
    place = f"{Path.cwd() / 'pyproject.toml'}"
    assert rows["mode"] == ("ray", "--mode")
    assert rows["workers"] == ("2..8", "--workers")
    assert rows["retries"] == ("2", "JOBQ_RETRIES")
    assert rows["memory"] == ("64Gi", f"profile big in {place}")
    assert rows["cpus"] == ("2", "%config JobqMagics.cpus")
    assert rows["timeout"] == ("3600", place)
    assert rows["env"] == ("B=2 A=1", f"--env, profile big in {place}")
    assert rows["no_out"] == ("no", "default")
    assert rows.keys() == declared().keys()


def test_variables_are_merged_name_by_name_and_lists_are_taken_whole(here, write):
    write("project", "[tool.jobq]\nenv = {A = 'project', B = 'project'}\nfiles = ['a', 'b']\n")
    resolved = here({"env": ["A=option", "C"], "files": ["c"]}, environ={"C": "here", "JOBQ_LABEL": "'a=1' b=2"})
    assert resolved.spec.env == {"A": "option", "B": "project", "C": "here"}
    assert resolved.spec.files == ("c",)
    assert resolved.spec.label == {"a": "1", "b": "2"}


def test_a_variable_that_is_not_there_is_told(here):
    with pytest.raises(OptionError, match="--env: there is no variable NOT_THERE here"):
        here({"env": ["NOT_THERE"]})


def test_the_nearest_file_with_a_section_of_ours_counts(here, write, hostile_environment):
    write("project", "[tool.jobq]\ncpus = 3\n")
    inner = Path.cwd() / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert here(cwd=inner).spec.cpus == 3
    (inner / "pyproject.toml").write_text("[tool.jobq]\ndriver-cpus = 4\n")
    resolved = here(cwd=inner)
    assert (resolved.spec.cpus, resolved.spec.driver_cpus) == (None, 4)


def test_a_file_in_the_home_folder_is_named_from_there(here, home):
    (home / "pyproject.toml").write_text("[tool.jobq]\ncpus = 3\n")
    assert here(cwd=home).origins["cpus"].text == "~/pyproject.toml"


def test_a_profile_named_default_is_used_unless_another_is_chosen(here, write):
    write("user", "[profiles.default]\ncpus = 1\n[profiles.other]\nmemory = '1Gi'\n")
    assert here().spec.cpus == 1
    assert here().spec.profile == "default"
    chosen = here({"profile": "other"})
    assert (chosen.spec.cpus, chosen.spec.memory) == (None, "1Gi")
    assert here(environ={"JOBQ_PROFILE": "other"}).origins["memory"].kind == "profile"


def test_a_project_s_profile_counts_before_the_user_s_of_the_same_name(here, write):
    write("user", "[profiles.big]\ncpus = 1\n")
    write("project", "[tool.jobq.profiles.big]\ncpus = 2\n")
    assert here({"profile": "big"}).spec.cpus == 2


def test_all_mistakes_in_files_environment_and_options_are_told_together(here, write):
    user = write("user", "wrkers = 3\n[profiles.a]\nmemmory = '1Gi'\n")
    project = write("project", "[tool.jobq]\nworker = 4\nout = 'a'\ncpus = 'many'\n")
    with pytest.raises(OptionErrors) as error:
        here({"mode": "rai", "retries": "x"}, environ={"JOBQ_FORCE_MOD": "local"}, magics={"quue": "q"})
    assert set(error.value.lines()[1:]) == {
        f"- There is no setting wrkers at the top of {user}. Known: profile, profiles.",
        f"- There is no setting memmory in [profiles.a] of {user}. Did you mean memory?",
        f"- There is no setting worker in [tool.jobq] of {project}. Did you mean workers?",
        f"- out in [tool.jobq] of {project} concerns one cell alone. Give it as an option of that cell.",
        f"- cpus = many in {project} is not a number of CPUs. Write for example 4, 0.5 or 500m.",
        "- --mode rai: there is no such mode. Did you mean ray?",
        "- --retries x is not a whole number. Write a whole number of 0 or more.",
        "- JOBQ_FORCE_MOD forces no known setting. Did you mean JOBQ_FORCE_MODE?",
        "- There is no setting quue in %config JobqMagics. Did you mean queue?",
    }


def test_a_mode_in_capital_letters_is_one_mistake_and_the_nearest_is_told(here):
    with pytest.raises(OptionErrors) as error:
        here({"mode": "KUEUE", "retries": "x"})
    assert error.value.lines()[1:] == [
        "- --mode KUEUE: there is no such mode. Did you mean kueue?",
        "- --retries x is not a whole number. Write a whole number of 0 or more.",
    ]


@pytest.mark.parametrize("which", ["user", "project"])
def test_a_file_that_is_no_toml_is_named_with_the_line(here, write, which):
    path = write(which, "[tool.jobq]\ncpus = = 3\n")
    with pytest.raises(OptionError) as error:
        here()
    assert error.value.code == "broken-settings"
    assert str(path) in error.value.what
    assert "line 2" in error.value.what


def test_a_broken_file_that_never_speaks_of_us_is_none_of_our_business(here, write):
    write("project", "[tool.other\n")
    assert here().spec == JobSpec()


def test_profiles_that_are_no_tables_are_refused(here, write):
    write("project", "[tool.jobq]\nprofiles = 'x'\n")
    with pytest.raises(OptionError, match=r"Write \[tool.jobq.profiles.NAME\]"):
        here()


def test_a_profile_that_nobody_wrote_is_refused_with_the_closest(here, write):
    write("project", "[tool.jobq.profiles.big]\ncpus = 2\n")
    with pytest.raises(OptionError, match=r"--profile bigg: there is no such profile\nDid you mean big\?"):
        here({"profile": "bigg"})
    with pytest.raises(
        OptionError, match=r"JOBQ_PROFILE=zz: there is no such profile\nKnown: big\. `jobq config --init zz`"
    ):
        here(environ={"JOBQ_PROFILE": "zz"})
    write("project", "")
    with pytest.raises(OptionError, match="such profile\n`jobq config --init lab` writes one for a cluster"):
        here({"profile": "lab"})


def test_a_forced_mode_is_said_and_what_it_makes_void_too(here):
    resolved = here({"mode": "ray", "profile": "cluster"}, environ={"JOBQ_FORCE_MODE": "local"})
    assert resolved.spec.mode == "local"
    assert resolved.target["where"] == "this machine"
    assert resolved.forced
    assert resolved.notes == (
        "JOBQ_FORCE_MODE=local: --profile cluster is not used, there is no such profile here",
        "JOBQ_FORCE_MODE=local: --mode ray is not used",
    )


def test_a_forced_value_that_changes_nothing_is_not_worth_a_note(here):
    assert here({"cpus": "0.5"}, environ={"JOBQ_FORCE_CPUS": "500m"}).notes == ()


def test_a_variable_that_looks_like_a_misspelt_setting_is_noted_and_our_others_are_not(here):
    environ = {"JOBQ_WORKER": "4", "JOBQ_RANK": "1", "JOBQ_WORLD_SIZE": "2", "JOBQ_CPUS": ""}
    resolved = here(environ=environ)
    assert resolved.notes == ("JOBQ_WORKER is no setting. Did you mean JOBQ_WORKERS?",)


def test_where_nobody_sits_in_front_the_cell_waits_and_has_a_deadline(here):
    resolved = here(interactive=False)
    assert (resolved.spec.wait, resolved.spec.timeout) == (True, HEADLESS_TIMEOUT)
    assert resolved.origins["timeout"].text == "default where nobody sits in front"
    chosen = here({"timeout": "1d", "wait": False}, interactive=False)
    assert (chosen.spec.wait, chosen.spec.timeout) == (False, 86400)
    assert here().spec.wait is None


def test_windows_is_refused_in_one_sentence(here):
    with pytest.raises(OptionError, match=r"Linux and macOS\nOn Windows, run Jupyter inside WSL"):
        here(platform="win32")


def test_an_option_that_its_place_would_ignore_is_refused(here):
    resolved = here({"workers": 4, "image": "x", "name": "n", "no_lock": False})
    with pytest.raises(OptionErrors) as error:
        refuse_unhonoured(resolved.spec, resolved.asked, {"cpus"})
    assert [mistake.what for mistake in error.value.each] == [
        "--image x has no effect with --mode local",
        "--workers 4 has no effect with --mode local",
    ]
    assert refuse_unhonoured(resolved.spec, resolved.asked, {"workers", "image"}) == ()


def test_a_setting_that_its_place_would_ignore_is_not_refused(here, write):
    write("project", "[tool.jobq]\nqueue = 'team-a'\n")
    resolved = here()
    assert refuse_unhonoured(resolved.spec, resolved.asked, set()) == ()


def test_under_a_forced_mode_what_has_no_effect_is_a_note(here):
    resolved = here({"mode": "ray", "workers": 4, "gpus": 1}, environ={"JOBQ_FORCE_MODE": "local"})
    assert refuse_unhonoured(resolved.spec, resolved.asked, set(), forced=resolved.forced) == (
        "--gpus 1 has no effect with --mode local",
        "--workers 4 has no effect with --mode local",
    )


def test_a_range_or_a_type_that_the_place_cannot_tell_apart_is_refused():
    spec = JobSpec(mode="ray", workers="2..8", gpus="a100:1")
    with pytest.raises(OptionErrors) as error:
        refuse_unhonoured(spec, {"workers", "gpus"}, {"workers", "gpus"})
    assert [mistake.do for mistake in error.value.each] == ["Write --gpus 1", "Write one number"]
    assert refuse_unhonoured(spec, {"workers"}, {"workers", "max_workers", "gpus", "gpu_type"}) == ()


def test_inside_a_job_the_number_of_its_workers_is_no_setting(here):
    assert here(environ={"JOBQ_WORKERS": "3"}).spec.workers == 3
    assert here(environ={"JOBQ_WORKERS": "3", "JOBQ_RUN": "pi-1a2b3c4d"}).spec.workers is None


def test_a_cell_for_docker_has_its_image_in_the_engine_unless_it_asks_for_a_registry(here, write):
    write("project", "[tool.jobq]\npush = 'host:5000/team/jobq'\n")
    assert here({"mode": "docker"}).target == {
        "backend": "docker", "where": "Docker on this machine", "here": True, "to": "engine",
    }  # fmt: skip
    asked = here({"mode": "docker", "push": "http://host:5000/jobq", "pull": "registry:5000/jobq"}).target
    assert (asked["to"], asked["push"], asked["pull"]) == ("registry", "http://host:5000/jobq", "registry:5000/jobq")
    assert here({"mode": "docker", "push": "host:5000/jobq"}).target["pull"] == "host:5000/jobq"


def test_an_image_that_the_cell_names_as_it_is_takes_the_place_of_what_files_say_of_making_one(here, write):
    write("project", "[tool.jobq]\nbase = 'python:3.12'\napt = ['git']\nrequirement = ['numpy']\n")
    spec = here({"image": "team/ready:1"}).spec
    assert (spec.image, spec.base, spec.apt, spec.requirement) == ("team/ready:1", None, (), ())


def test_a_base_that_the_cell_names_takes_the_place_of_an_image_in_a_file(here, write):
    write("project", "[tool.jobq]\nimage = 'team/ready:1'\n")
    spec = here({"base": "python:3.12"}).spec
    assert (spec.image, spec.base) == (None, "python:3.12")


def test_what_is_added_to_an_image_that_is_run_as_it_is_is_refused(here, write):
    write("project", "[tool.jobq]\nimage = 'team/ready:1'\n")
    with pytest.raises(OptionError, match="and --apt git contradict each other"):
        here({"apt": ["git"]})
    with pytest.raises(
        OptionError, match="--image a and --base b contradict each other: an image that is run as it is"
    ):
        here({"image": "a", "base": "b"})


def test_only_a_cell_asks_for_an_image_alone(here, write):
    write("project", "[tool.jobq]\nbuild-only = true\n")
    with pytest.raises(OptionError, match=r"build-only in .* concerns one cell alone"):
        here()
