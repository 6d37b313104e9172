from __future__ import annotations

import base64
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.registry import Blob, Reference, Registry
from tests.services.blobs import MANIFEST, Made, digest, image, layer, pulled
from tests.services.registry import authority, registry, signed

SMALL, LARGE = b"a small blob", os.urandom(3_000_001)
CANARY = "canary-77b0"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def client(service, repository, **more):
    return Registry(Reference.parse(f"{service.address}/{repository}"), service.environ, push=True, patience=5, **more)


def login(service, user, password):
    known = {"auths": {service.host: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}}
    file = service.folder / ".docker" / "config.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(known))


def test_a_blob_that_was_pushed_is_there_and_comes_back(service):
    with client(service, "blobs") as asked:
        for data in (b"", SMALL, LARGE):
            assert asked.push_blob(digest(data), len(data), Made(data)) == len(data)
            assert asked.has_blob(digest(data))
            assert b"".join(asked.blob(digest(data))) == data
        assert not asked.has_blob(digest(b"another"))
        assert asked.read_blob(digest(SMALL)) == SMALL


def test_a_large_blob_travels_in_chunks(service, monkeypatch):
    monkeypatch.setattr("jobq_magic.images.registry.upload.CHUNK", 1_000_000)
    told = []
    with client(service, "chunks") as asked:
        asked.push_blob(digest(LARGE), len(LARGE), Made(LARGE), at=told.append)
        methods = [one.method for one in asked.traffic.exchanges]
        assert methods == ["POST", "PATCH", "PATCH", "PATCH", "PUT"]
        assert b"".join(asked.blob(digest(LARGE))) == LARGE
    assert told == sorted(told)
    assert told[-1] == len(LARGE)


def test_a_blob_can_be_read_from_anywhere_on(service):
    with client(service, "ranges") as asked:
        asked.push_blob(digest(LARGE), len(LARGE), Made(LARGE))
        content = Blob(asked, digest(LARGE))
        assert b"".join(content.read(2_999_990)) == LARGE[2_999_990:]
        pieces = list(content.read())
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= 1 << 20


def test_a_blob_of_another_repository_is_mounted(service):
    with client(service, "mount/from") as source, client(service, "mount/to") as asked:
        source.push_blob(digest(LARGE), len(LARGE), Made(LARGE))
        asked.traffic.clear()
        assert asked.push_blob(digest(LARGE), len(LARGE), Made(LARGE), mount="mount/from") == 0
        assert asked.traffic.sent == 0
        assert asked.traffic.requests == 1
        assert asked.has_blob(digest(LARGE))


def test_what_cannot_be_mounted_is_uploaded(service):
    with client(service, "mount/other") as asked:
        assert asked.push_blob(digest(b"xyz"), 3, Made(b"xyz"), mount="mount/nowhere") == 3
        assert asked.read_blob(digest(b"xyz")) == b"xyz"


def test_manifests_are_found_by_tag_and_by_digest(service):
    made = image(layer(SMALL))
    with client(service, "manifests") as asked:
        assert asked.head_manifest("one") is None
        asked.push_blob(digest(SMALL), len(SMALL), Made(SMALL))
        asked.push_blob(made.config_digest, len(made.config), Made(made.config))
        assert asked.put_manifest("one", made.manifest, made.media_type) == made.digest
        for which in ("one", made.digest):
            head, whole = asked.head_manifest(which), asked.manifest(which)
            assert (head.digest, head.media_type, head.data) == (made.digest, MANIFEST, b"")
            assert (whole.digest, whole.media_type, whole.data) == (made.digest, MANIFEST, made.manifest)
        assert asked.tags() == ["one"]
        assert asked.delete_manifest(made.digest)
        assert not asked.delete_manifest(made.digest)
        assert asked.head_manifest("one") is None


def test_tags_are_listed(service):
    made = image()
    with client(service, "tags") as asked:
        assert asked.tags() == []
        asked.push_blob(made.config_digest, len(made.config), Made(made.config))
        for number in range(7):
            asked.put_manifest(f"t{number}", made.manifest, made.media_type)
        assert asked.tags() == [f"t{number}" for number in range(7)]


def test_threads_share_a_client(service):
    datas = [os.urandom(50_000 + number) for number in range(24)]
    with client(service, "threads") as asked, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda data: asked.push_blob(digest(data), len(data), Made(data)), datas))
        assert all(pool.map(lambda data: asked.read_blob(digest(data)) == data, datas))


def test_an_image_that_is_not_there_is_named(service):
    with (
        client(service, "nothing") as asked,
        pytest.raises(BackendError, match=r"no image .*/nothing:latest") as caught,
    ):
        asked.manifest("latest")
    assert caught.value.code == "registry-no-image"


def test_a_layer_that_is_not_what_its_digest_says_is_never_taken(service):
    with client(service, "wrong") as asked, pytest.raises(BackendError) as caught:
        asked.push_blob(digest(b"this"), 4, Made(b"that"))
    assert caught.value.code == "registry-refused"
    with client(service, "wrong") as asked:
        assert not asked.has_blob(digest(b"this"))


def test_a_layer_whose_file_became_shorter_is_named(service):
    with client(service, "short") as asked, pytest.raises(BackendError, match="ends at 4 bytes") as caught:
        asked.push_blob(digest(b"longer"), 6, Made(b"long"))
    assert caught.value.code == "layer-changed"


def test_a_store_that_is_damaged_is_told(service):
    data = os.urandom(1000)
    with client(service, "damaged") as asked:
        asked.push_blob(digest(data), len(data), Made(data))
        [file] = service.folder.glob(f"store/**/{digest(data)[7:]}/data")
        file.write_bytes(data[:-1] + b"?")
        with pytest.raises(BackendError, match="something else") as caught:
            asked.read_blob(digest(data))
    assert caught.value.code == "registry-digest"


def test_nobody_listens(service, tmp_path):
    from tests.services.registry import free_port

    reference = Reference.parse(f"http://127.0.0.1:{free_port()}/x")
    with Registry(reference, {}, patience=0.3) as asked, pytest.raises(BackendError, match="refused") as caught:
        asked.head_manifest("x")
    assert caught.value.code == "registry-unreachable"
    assert reference.host in caught.value.what


def test_a_registry_that_lets_nothing_be_removed_is_told(tmp_path):
    with registry(tmp_path / "kept", storage={"delete": {"enabled": False}}) as running:
        asked = client(running, "x")
        with asked, pytest.raises(BackendError, match="does not let images be removed"):
            asked.delete_manifest(digest(SMALL))


# Passwords


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with registry(tmp_path_factory.mktemp("guarded"), users={"me": CANARY}) as running:
        yield running


def test_a_password_opens_and_is_asked_for_once(guarded):
    login(guarded, "me", CANARY)
    with client(guarded, "x") as asked:
        for number in range(3):
            data = bytes([number])
            asked.push_blob(digest(data), 1, Made(data))
        assert [one.status for one in asked.traffic.exchanges].count(401) == 1


def test_a_password_that_was_renewed_meanwhile_is_found(guarded):
    login(guarded, "me", "old")
    with client(guarded, "x") as asked:
        with pytest.raises(BackendError):
            asked.head_manifest("x")
        login(guarded, "me", CANARY)
        assert asked.head_manifest("x") is None


def test_a_large_blob_whose_first_request_is_a_challenge_arrives(guarded):
    login(guarded, "me", CANARY)
    with client(guarded, "x") as asked:
        asked.push_blob(digest(LARGE), len(LARGE), Made(LARGE))
        assert b"".join(asked.blob(digest(LARGE))) == LARGE


def test_a_wrong_password_is_told_with_the_way_out_and_never_shown(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    login(guarded, "me", f"wrong-{CANARY}")
    with client(guarded, "x") as asked, pytest.raises(BackendError) as caught:
        asked.head_manifest("x")
    assert caught.value.code == "registry-password"
    assert f"docker login {guarded.host}" in str(caught.value)
    assert "of me" in str(caught.value)
    shown = f"{caught.value!r}{caught.value}{asked!r}{vars(asked)}{caplog.text}{caught.value.__cause__!r}"
    encoded = base64.b64encode(f"me:wrong-{CANARY}".encode()).decode()
    assert CANARY not in shown
    assert encoded not in shown


def test_no_password_at_all_is_told_with_the_way_out(guarded):
    (guarded.folder / ".docker" / "config.json").unlink(missing_ok=True)
    with client(guarded, "x") as asked, pytest.raises(BackendError, match="wants to know who we are") as caught:
        asked.push_blob(digest(SMALL), len(SMALL), Made(SMALL))
    assert caught.value.code == "registry-password"


def test_a_helper_that_is_missing_is_named_where_its_password_was_wanted(guarded):
    file = guarded.folder / ".docker" / "config.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"credsStore": "gone"}')
    with client(guarded, "x") as asked, pytest.raises(BackendError, match="docker-credential-gone"):
        asked.head_manifest("x")


# Certificates


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secure")
    ca = authority(folder / "ca")
    with registry(folder, ca=ca[0], certificate=signed(folder, ca)) as running:
        yield running


def test_an_authority_of_ones_own_is_named_by_the_environment(secure):
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        secure_environ = {"HOME": str(secure.folder), name: str(secure.ca)}
        with Registry(Reference.parse(f"{secure.host}/x"), secure_environ, push=True, patience=2) as asked:
            assert asked.push_blob(digest(SMALL), len(SMALL), Made(SMALL)) == len(SMALL)


def test_an_authority_of_ones_own_lies_where_docker_looks(secure, tmp_path):
    folder = tmp_path / "certs.d" / secure.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(secure.ca.read_bytes())
    environ = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    with Registry(Reference.parse(f"{secure.host}/x"), environ, patience=2) as asked:
        assert asked.head_manifest("none") is None


def test_a_certificate_that_nobody_vouches_for_is_told_at_once(secure, tmp_path):
    environ = {"HOME": str(tmp_path)}
    with Registry(Reference.parse(f"{secure.host}/x"), environ) as asked, pytest.raises(BackendError) as caught:
        asked.head_manifest("none")
    assert caught.value.code == "registry-certificate"
    assert f"certs.d/{secure.host}/ca.crt" in str(caught.value)


def test_a_bundle_that_is_no_bundle_is_named(secure, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    environ = {"HOME": str(tmp_path), "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    with Registry(Reference.parse(f"{secure.host}/x"), environ) as asked, pytest.raises(BackendError) as caught:
        asked.head_manifest("none")
    assert str(tmp_path / "ca.pem") in str(caught.value)


def test_a_registry_that_wants_a_certificate_of_ours_gets_it(tmp_path):
    folder = tmp_path / "registry"
    folder.mkdir()
    ca = authority(folder / "ca")
    wanted = {"clientcas": [str(ca[0])]}
    server = signed(folder, ca)
    tls = {"tls": {"certificate": str(server[0]), "key": str(server[1]), **wanted}}
    with registry(folder, ca=ca[0], certificate=server, http=tls) as running:
        reference = Reference.parse(f"{running.host}/x")
        with Registry(reference, running.environ, patience=0.3) as asked, pytest.raises(BackendError):
            asked.head_manifest("none")
        certificates = folder / ".docker" / "certs.d" / running.host
        certificates.mkdir(parents=True)
        mine = signed(folder, ca, "client")
        (certificates / "client.cert").write_bytes(mine[0].read_bytes())
        (certificates / "client.key").write_bytes(mine[1].read_bytes())
        with Registry(reference, running.environ, patience=2) as asked:
            assert asked.head_manifest("none") is None


def test_plain_http_is_never_spoken_unless_the_name_says_so(service):
    with (
        Registry(Reference.parse(f"{service.host}/x"), service.environ) as asked,
        pytest.raises(BackendError) as caught,
    ):
        asked.head_manifest("none")
    assert caught.value.code == "registry-plain"
    assert f"http://{service.host}/" in str(caught.value)


def test_what_the_judge_pulls_is_what_was_pushed(service):
    made = image(layer(SMALL), layer(LARGE))
    with client(service, "judged") as asked:
        for data in (SMALL, LARGE, made.config):
            asked.push_blob(digest(data), len(data), Made(data))
        asked.put_manifest("x", made.manifest, made.media_type)
    assert pulled(service.address, "judged", made.digest)[digest(LARGE)] == LARGE
