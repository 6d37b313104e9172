from __future__ import annotations

import pytest

from jobq_magic.bundle import Account, Requirement, Stayed, Traveller
from jobq_magic.cluster.preflight import pods_of_ray
from jobq_magic.render.account import explained, explained_html, folded, goes, shipped
from jobq_magic.render.style import STYLE
from jobq_magic.site import RayGroup, Site
from jobq_magic.spec import JobSpec
from tests.support import golden

ACCOUNT = Account(
    travellers=(
        Traveller("df", "value", "cell", 4_000_000, "Cell [2]", "ab12" * 16),
        Traveller("np", "import", "cell → fit", origin="numpy"),
        Traveller("fit", "source", "cell → train", 812, "Cell [3]", "cd34" * 16),
        Traveller("lock", "remade", "cell → fit", 24, "Cell [1]", "ef56" * 16),
    ),
    requirements=(
        Requirement("numpy", "2.4.6", why="cell → fit → numpy"),
        Requirement("tools", "0.1", "editable", "~/tools", "cell → tools"),
        Requirement("pyarrow", "", "asked", "pyarrow>=18", "--requirement"),
    ),
    stayed=(Stayed("big", "left out with --exclude"),),
    notes=("made travels by value, as its source is not known (in made)",),
    digest="0123456789abcdef" * 4,
    seconds=0.0123,
)


def test_what_travels_is_told_with_reason_cell_size_and_digest_and_what_stays_with_its_reason():
    golden("render/account.txt", explained(ACCOUNT) + "\n")
    golden("render/account.html", explained_html(ACCOUNT).removeprefix(STYLE) + "\n")


def test_a_cell_that_needs_nothing_says_so():
    assert explained(Account()).startswith("Nothing but the cell itself\n")
    assert folded(Account()) == folded(None) == ""


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, ", and get what that gives to who asks for nothing"),
        ({"cpus": "500m", "memory": "8Gi"}, ", and ask for 0.5 cpus, 8Gi of memory"),
        ({"workers": 3, "cpus": 4, "gpus": 1}, ": 3 workers, each with 4 cpus, 1 GPU; 12 cpus, 3 GPUs in all"),
        ({"workers": 2}, ": 2 workers"),
    ],
)
def test_where_a_cell_would_go_is_told_with_what_it_would_ask_for(asked, told):
    assert (
        goes(JobSpec(mode="kueue", **asked), "queue main of team-blue")
        == f"It would go to queue main of team-blue{told}"
    )


@pytest.mark.parametrize(
    ("asked", "site", "told"),
    [
        (
            {"workers": "2..8", "cpus": 4, "memory": "8Gi", "gpus": 1, "driver_cpus": 2, "driver_memory": "8Gi"},
            Site(ray_groups={"loaders": RayGroup(workers=2, cpus=4)}),
            (
                "the head with 2.2 cpus, 9.5Gi of memory; 2 to 8 workers, each with 4 cpus, 8Gi of memory, 1 GPU; "
                "2 workers of loaders, each with 4 cpus; the submitter with 0.2 cpus, 300Mi of memory; "
                "18.4 cpus, 25.8Gi of memory, 2 GPUs in all at first"
            ),
        ),
        ({"workers": 2, "cpus": 1}, Site(store="s3://b"), "the head; 2 workers, each with 1 cpu; 2 cpus in all"),
        ({}, Site(store="s3://b"), "the head; a worker; each gets what that gives to who asks for nothing"),
    ],
)
def test_of_a_ray_cluster_of_its_own_all_that_it_is_made_of_is_told(asked, site, told):
    spec = JobSpec(mode="rayjob", **asked)
    pods = pods_of_ray(spec.model_dump(mode="json"), site)
    assert goes(spec, "Ray in queue main", pods) == f"It would go to Ray in queue main: {told}"


def test_a_card_folds_it_away_under_how_much_it_is():
    assert shipped(ACCOUNT) == "4 names, 4.0 MB; 3 packages"
    assert folded(ACCOUNT).startswith("<details><summary>What travelled: 4 names, 4.0 MB; 3 packages</summary>")


def test_what_a_name_is_called_is_shown_as_text_and_is_no_markup():
    evil = "<script>x</script>"
    account = Account((Traveller(evil, evil, evil, 1, evil, evil),), (Requirement(evil, evil, evil, evil, evil),))
    assert "<script" not in explained_html(account) + folded(account)


def test_nothing_in_it_acts_on_a_terminal():
    evil = "a\x1b]0;title\x07\x1b[2J\u202e\nb"
    account = Account((Traveller(evil, evil, evil, 1, evil, evil),), (), (Stayed(evil, evil),), (evil,), evil)
    told = explained(account)
    assert not {"\x1b", "\x07", "\u202e"} & set(told)
    assert "\nb" not in told


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("travellers", [{**ACCOUNT.to_json()["travellers"][0], "size": "large"}]),
        ("travellers", [{**ACCOUNT.to_json()["travellers"][0], "name": ["df"]}]),
        ("stayed", [{"name": 1, "why": ""}]),
        ("notes", [None]),
        ("digest", 7),
        ("seconds", "soon"),
    ],
)
def test_one_that_was_changed_into_something_else_is_none(part, wrong):
    with pytest.raises(TypeError):
        Account.from_json({**ACCOUNT.to_json(), part: wrong})


def test_it_survives_being_kept():
    assert Account.from_json(ACCOUNT.to_json()) == ACCOUNT
