from __future__ import annotations

import os

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images import destinations
from jobq_magic.images.cache import Cache
from jobq_magic.images.destinations import RegistryDestination, lasting, tag_of
from jobq_magic.images.registry import Reference, Registry
from jobq_magic.snapshot import Progress
from tests.services.blobs import digest, image, layer, pulled
from tests.services.proxy import Says, proxy
from tests.services.registry import registry

LARGE = os.urandom(2_500_000)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def destination(service, tmp_path, request):
    opened = []
    name = request.node.name.replace("_", "-").lower()

    def made(address="", repository=name, machine="machine", pull=""):
        push = f"{address or service.address}/{repository}"
        client = Registry(Reference.parse(push), service.environ, push=True, patience=5)
        opened.append(RegistryDestination(push, pull, service.environ, Cache(tmp_path / machine), registry=client))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def report(_):
    pass


def repository(destination):
    return destination.registry.reference.repository


def test_an_image_that_was_put_there_can_be_pulled_and_is_found(service, destination):
    place = destination()
    made = image(layer(b"one"), layer(LARGE))
    assert place.find(made.key, "") is None
    sent = place.put(made, report)
    assert sent.reference == f"{service.host}/{repository(place)}@{made.digest}"
    assert sent.pushed == {digest(b"one"), digest(LARGE)}
    assert sent.bytes == len(LARGE) + 3 + len(made.config) + len(made.manifest)
    assert pulled(service.address, repository(place), made.digest)[digest(LARGE)] == LARGE
    assert place.find(made.key, "") == place.find(made.key, made.digest) == sent.reference


def test_a_changed_cell_takes_four_round_trips_and_sends_only_what_is_new(destination):
    place = destination()
    base, packages = layer(b"base" * 9999), layer(LARGE)
    place.put(image(base, packages, layer(os.urandom(20_000))), report)
    place.registry.traffic.clear()
    made = image(base, packages, layer(os.urandom(20_000)))
    assert place.find(made.key, "") is None
    sent = place.put(made, report)
    assert len(sent.pushed) == 1
    assert place.registry.traffic.rounds <= 4
    assert place.registry.traffic.requests <= 6
    assert place.registry.traffic.sent == sent.bytes < 22_000


def test_an_unchanged_cell_takes_one_round_trip_and_sends_nothing(destination):
    place = destination()
    made = image(layer(b"same"))
    place.put(made, report)
    place.registry.traffic.clear()
    assert place.find(made.key, made.digest)
    assert (place.registry.traffic.requests, place.registry.traffic.sent) == (1, 0)


def test_a_process_keeps_its_connections_for_the_next_image(service, tmp_path):
    push, cache = f"{service.address}/lasting", Cache(tmp_path)
    first = lasting(push, "", service.environ, cache)
    try:
        first.put(image(layer(b"1")), report)
        assert lasting(push, "", service.environ, cache) is first
        other = lasting(push, "", {**service.environ, "DOCKER_CONFIG": "/elsewhere"}, cache)
        assert other is not first
        other.close()
    finally:
        first.close()
        destinations.forget()


def test_another_machine_sends_again_only_what_is_small(destination):
    first, second = destination(machine="one"), destination(machine="two")
    made = image(layer(LARGE), layer(b"small"))
    first.put(made, report)
    sent = second.put(image(layer(LARGE), layer(b"other")), report)
    assert sent.pushed == {digest(b"other")}


def test_what_is_known_to_be_there_and_is_not_is_sent_once_more(service, destination):
    place = destination()
    base = layer(os.urandom(5000))
    gone = image(base, layer(b"first"))
    place.put(gone, report)
    # What a registry's own sweep does: the repository no longer has the layer.
    [link] = service.folder.glob(f"store/**/{repository(place)}/_layers/sha256/{base.digest[7:]}/link")
    link.unlink()
    with Registry(Reference.parse(f"{service.address}/{repository(place)}"), service.environ) as another:
        assert not another.has_blob(base.digest)
    made = image(base, layer(b"second"))
    sent = place.put(made, report)
    assert base.digest in sent.pushed
    assert pulled(service.address, repository(place), made.digest)


def test_layers_of_a_base_in_the_same_registry_are_mounted(service, destination):
    source, place = destination(repository="bases/python"), destination()
    source.put(image(layer(LARGE)), report)
    base = layer(LARGE, origin=f"{service.host}/bases/python", here=False)
    made = image(base, layer(b"code"))
    sent = place.put(made, report)
    assert sent.pushed == {digest(b"code")}
    assert place.registry.traffic.sent < 2000
    assert pulled(service.address, repository(place), made.digest)[digest(LARGE)] == LARGE


def test_layers_of_a_base_elsewhere_are_streamed_through(service, destination, tmp_path, monkeypatch):
    with registry(tmp_path / "another") as other:
        source = destination(address=other.address, repository="bases/python")
        source.put(image(layer(LARGE)), report)
        place = destination()
        # A registry on this machine, in plain http: only what its own name says so of is spoken to like this.
        elsewhere = Registry(Reference.parse(f"{other.address}/bases/python"), other.environ)
        place._others[f"{other.host}/bases/python"] = elsewhere
        made = image(layer(LARGE, origin=f"{other.host}/bases/python", here=False))
        assert place.put(made, report).pushed == {digest(LARGE)}
    assert pulled(service.address, repository(place), made.digest)[digest(LARGE)] == LARGE


def test_a_layer_that_is_nowhere_is_named(destination):
    with pytest.raises(BackendError, match="neither here") as caught:
        destination().put(image(layer(b"gone", here=False)), report)
    assert caught.value.code == "layer-missing"


def test_what_is_pulled_may_have_another_name_than_what_is_pushed(service, destination):
    place = destination(pull="registry:5000/team/x:ignored")
    made = image(layer(b"x"))
    assert place.put(made, report).reference == f"registry:5000/team/x@{made.digest}"
    assert place.find(made.key, "") == f"registry:5000/team/x@{made.digest}"
    assert place.name == f"{service.address}/{repository(place)}"
    assert Reference.parse(place.name).plain


def test_the_same_content_in_other_bytes_counts_where_it_is_not_known(service, destination):
    place = destination()
    ours, theirs = image(layer(b"ours"), key="k" * 64), image(layer(b"theirs"), key="k" * 64)
    place.put(ours, report)
    place.put(theirs, report)
    assert place.find("k" * 64, "").endswith(theirs.digest)
    assert place.find("k" * 64, ours.digest).endswith(ours.digest)
    place.registry.delete_manifest(ours.digest)
    assert place.find("k" * 64, ours.digest) is None


@pytest.mark.parametrize(
    ("status", "code"), [(400, "TAG_IMMUTABLE"), (409, "CONFLICT"), (412, "PRECONDITION"), (403, "DENIED")]
)
def test_a_tag_that_may_not_be_changed_is_left_alone(service, destination, status, code):
    name = f"immutable/{status}"
    first, second = image(layer(b"1"), key="i" * 64), image(layer(b"2"), key="i" * 64)
    with proxy(service.port) as between:
        place = destination(address=between.address, repository=name)
        place.put(first, report)
        body = b'{"errors": [{"code": "%s", "message": "the tag exists"}]}' % code.encode()

        def refuse(request):
            return Says(status, body=body) if request.method == "PUT" and tag_of("i" * 64) in request.path else None

        between.rule = refuse
        assert place.put(first, report).digest == first.digest
        assert place.put(second, report).digest == second.digest
    assert pulled(service.address, name, first.digest)
    assert pulled(service.address, name, second.digest)
    with Registry(Reference.parse(f"{service.address}/{name}"), service.environ) as asked:
        assert asked.head_manifest(tag_of("i" * 64)).digest == first.digest


def test_how_far_it_is_is_told_in_bytes(destination):
    told: list[tuple[Progress, ...]] = []
    destination().put(image(layer(LARGE, name="numpy"), layer(b"x", name="code")), told.append)
    assert set(told[-1]) == {Progress("numpy", 2_500_000, 2_500_000, "bytes"), Progress("code", 1, 1, "bytes")}


def test_the_first_upload_that_fails_ends_the_others_and_what_arrived_is_remembered(service, destination):
    arrived, wrong = layer(os.urandom(9)), layer(LARGE)
    with proxy(service.port) as between:

        def refuse(request):
            if request.method == "PUT" and request.size == len(LARGE):
                return Says(507)
            return None

        between.rule = refuse
        place = destination(address=between.address)
        with pytest.raises(BackendError) as caught:
            place.put(image(arrived, wrong), report)
        assert caught.value.code == "registry-full"
        between.rule = lambda _: None
        sent = place.put(image(arrived, wrong), report)
    assert digest(LARGE) in sent.pushed
    assert pulled(service.address, repository(place), sent.digest)
