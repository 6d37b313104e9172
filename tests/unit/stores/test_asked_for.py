"""What a store asks of images and of whoever looks whether cells will run."""

from __future__ import annotations

from jobq_magic import doctor
from jobq_magic.building import of_store
from jobq_magic.bundle import Requirement

S3 = {"site": {"store": "s3://results/blue"}}


def test_an_image_gets_what_the_store_needs():
    assert [(one.name, one.source, one.origin) for one in of_store(S3, ())] == [
        ("fsspec", "asked", "fsspec>=2024.6"),
        ("s3fs", "asked", "s3fs>=2024.6"),
    ]


def test_what_the_cell_needs_by_itself_stays_at_its_version():
    mine = Requirement("s3fs", "2025.3.0")
    assert [one.name for one in of_store(S3, (mine,))] == ["fsspec"]


def test_without_a_store_nothing_is_added():
    assert of_store({"backend": "docker"}, ()) == ()
    assert of_store({"site": {"store": "pvc://results/blue"}}, ()) == ()


class Place:
    """One where a log carries what fits into it."""

    enlarge = "Name a store"

    def carries(self, target):
        return None if target.get("site") else 262144


def test_doctor_tries_the_store(tmp_path):
    (found,) = doctor._of_store(Place(), {"site": {"store": f"file://{tmp_path}"}})
    assert (found.code, found.level) == ("store", "ok")
    assert list(tmp_path.iterdir()) == []


def test_where_no_store_is_named_doctor_says_how_much_comes_back_and_how_more_would():
    (found,) = doctor._of_store(Place(), {})
    assert (found.code, found.level, found.advice) == ("store", "ok", "Name a store")
    assert found.what == "No store is named: 262 kB of values come back through a log, and what is larger is lost"
    assert list(doctor._of_store(object(), {})) == []
