from __future__ import annotations

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.registry import Reference

DIGEST = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest", "address"),
    [
        ("python", "docker.io/library/python", "", "", "https://registry-1.docker.io"),
        ("python:3.11-slim", "docker.io/library/python", "3.11-slim", "", "https://registry-1.docker.io"),
        ("rayproject/ray", "docker.io/rayproject/ray", "", "", "https://registry-1.docker.io"),
        ("index.docker.io/a/b", "docker.io/a/b", "", "", "https://registry-1.docker.io"),
        ("docker.io/python", "docker.io/library/python", "", "", "https://registry-1.docker.io"),
        ("ghcr.io/a/b/c:x", "ghcr.io/a/b/c", "x", "", "https://ghcr.io"),
        (f"host:5000/a/b@{DIGEST}", "host:5000/a/b", "", DIGEST, "https://host:5000"),
        (f"host:5000/a:t@{DIGEST}", "host:5000/a", "t", DIGEST, "https://host:5000"),
        ("localhost/x", "localhost/x", "", "", "https://localhost"),
        ("http://127.0.0.1:5000/x", "127.0.0.1:5000/x", "", "", "http://127.0.0.1:5000"),
        ("https://reg.example.org/x/", "reg.example.org/x", "", "", "https://reg.example.org"),
        ("[::1]:5000/x", "[::1]:5000/x", "", "", "https://[::1]:5000"),
        ("Host/x", "Host/x", "", "", "https://Host"),
        (" a__b/c-d.e_f \n", "docker.io/a__b/c-d.e_f", "", "", "https://registry-1.docker.io"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(text, name, tag, digest, address):
    found = Reference.parse(text)
    assert (found.name, found.tag, found.digest, found.address) == (name, tag, digest, address)
    assert Reference.parse(str(found)).name == found.name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "no repository"),
        ("host:5000/", "names a registry and no repository: host:5000/NAME"),
        ("https://h.org", "names a registry and no repository: h.org/NAME"),
        ("http://registry/x", "write registry:80/"),
        ("ftp://h.org/x", "begins with https://"),
        ("host:5000/Team/x", "lower case: team/x"),
        ("host:5000/a//b", "'' is no part"),
        ("host:5000/a:", "'' is no tag"),
        ("host:5000/a b", "'a b' is no part"),
        ("host:5000/a:x y", "'x y' is no tag"),
        ("host:5000/a@sha256:12", "no digest"),
        ("ho_st:5000/a", "'ho_st:5000' is no name of a registry"),
        ("a..b/c", "'a..b' is no name of a registry"),
        (f"{'a' * 64}.org/c", "is no name of a registry"),
        (f"h.org/{'a/' * 128}b", "at most 255"),
    ],
)
def test_what_is_no_name_is_refused_with_its_culprit(text, hint):
    with pytest.raises(BackendError, match=hint) as caught:
        Reference.parse(text)
    assert caught.value.code == "image-name"
    assert caught.value.do


@pytest.mark.parametrize("text", ["https://me:canary@host/x", "me:canary@host:5000/x", "http://canary@host/x"])
def test_a_password_in_a_name_is_refused_and_not_told(text):
    with pytest.raises(BackendError, match="docker login") as caught:
        Reference.parse(text)
    assert "canary" not in repr(caught.value)


def test_what_a_registry_is_asked_for_is_the_digest_or_the_tag_or_latest():
    assert [Reference.parse(text).which for text in ("a", "a:t", f"a:t@{DIGEST}")] == ["latest", "t", DIGEST]


def test_a_pinned_reference_has_no_tag():
    assert str(Reference.parse("http://h:1/a:t").pinned(DIGEST)) == f"h:1/a@{DIGEST}"
