"""What a place needs in the image: whether it will be there, and the same as here; told before anything is built."""

from __future__ import annotations

from importlib import metadata

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.image import Image, Packages, Recipe
from jobq_magic.needing import refuse, refuse_old

HERE = metadata.version("ray")
RAY = {"ray[default]": "--mode rayjob"}
ABSENT = {"absent[default]": "--mode rayjob"}


def refused(needs, recipe, packages=None) -> BackendError:
    with pytest.raises(BackendError) as caught:
        refuse(needs, recipe, packages or Packages())
    assert len(caught.value.lines()) <= 2
    return caught.value


@pytest.mark.parametrize("base", ["", "host"])
def test_what_is_neither_here_nor_in_a_base_of_ours_is_refused_with_the_way_to_get_it(base):
    error = refused(ABSENT, Recipe(base=base))
    assert (error.code, error.what) == (
        "absent-missing",
        "Absent is not installed here, and --mode rayjob needs it in the image",
    )
    assert "pip install 'jobq-magic[absent]'" in error.do


def test_a_base_of_somebody_else_may_have_what_is_not_here():
    refuse(ABSENT, Recipe(base="team/ray:1"), Packages())
    refuse(ABSENT, Recipe(base="team/ray:1", as_it_is=True), Packages())


@pytest.mark.parametrize("line", [f"ray=={HERE} \\\n    --hash=sha256:0", f"ray[default]=={HERE}", "ray[default]>=2"])
def test_what_comes_as_it_is_here_or_is_left_open_is_well(line):
    refuse(RAY, Recipe(), Packages(line))


def test_another_version_than_the_notebook_has_is_refused():
    error = refused(RAY, Recipe(), Packages("ray-more==1.0\nray==2.52.1\n"))
    assert error.what == f"The image would have Ray 2.52.1, and this notebook has {HERE}"
    assert "--requirement" in error.do


def test_an_old_ray_that_was_asked_for_is_not_called_that_of_the_notebook():
    error = refused(RAY, Recipe(), Packages("ray==2.40.0\n"))
    assert error.what == "Ray of --requirement is 2.40.0, and 2.52 or newer is needed"
    assert error.do == f"Leave ray out of --requirement, and the image gets {HERE}, as here"


def test_a_ray_without_a_token_at_its_doors_is_too_old():
    image = Image("x", "sha256:0", "0", base="rayproject/ray:2.40.0", ray="2.40.0")
    with pytest.raises(BackendError, match=r"Ray in rayproject/ray:2\.40\.0 is 2\.40\.0, and 2\.52 or newer"):
        refuse_old(("ray",), image)
    refuse_old((), image)
    refuse_old(("ray",), Image("x", "sha256:0", "0"))
