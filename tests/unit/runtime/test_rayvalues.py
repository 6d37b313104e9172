"""What lives on Ray does not come back as a name of nothing: the sentence says where else it may go."""

from __future__ import annotations

import pytest

from jobq_magic.runtime import rayvalues, sites


def refused(kind: str) -> str:
    """What is said of a value of that class."""
    module, _, name = kind.rpartition(".")
    with pytest.raises(rayvalues.LivesOnRay) as error:
        rayvalues.refuse(type(name, (), {"__module__": module})())
    return str(error.value)


@pytest.mark.parametrize("kind", ["ray.data.dataset.Dataset", "ray.data.iterator.DataIterator"])
def test_a_dataset_goes_to_the_run_s_own_place_in_the_store(monkeypatch, kind):
    monkeypatch.setenv(sites.DATA, "s3://results/data/fit-1")
    assert refused(kind).endswith('write it with .write_parquet to os.environ["JOBQ_DATA"], s3://results/data/fit-1')


def test_without_a_store_none_is_told_of(monkeypatch):
    monkeypatch.delenv(sites.DATA, raising=False)
    assert refused("ray.data.dataset.Dataset").endswith("with .write_parquet to a store that the notebook reads, too")
    assert "JOBQ_DATA" not in refused("ray.actor.ActorHandle")
