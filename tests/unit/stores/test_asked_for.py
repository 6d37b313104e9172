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


def test_doctor_tries_the_store(tmp_path):
    (found,) = doctor._of_store({"site": {"store": f"file://{tmp_path}"}})
    assert (found.code, found.level) == ("store", "ok")
    assert list(tmp_path.iterdir()) == []
    assert list(doctor._of_store({})) == []
