"""Who vouches for whom: certificates of the cluster, and those that Kueue's servers are given."""

from __future__ import annotations

import base64
import json
import stat

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster import addons, authority, build, certificates, pki
from tests.cluster.authority import Issued


def belongs(given: Issued, above: Issued) -> x509.Certificate:
    """The certificate, which an authority has signed, and which is its key's."""
    found = x509.load_pem_x509_certificate(given.certificate)
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(above.certificate))
    assert serialization.load_pem_private_key(given.key, None).public_key() == found.public_key()
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    return found


def purposes(found: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cluster's certificates, made from nothing."""
    monkeypatch.setattr(pki, "PKI", tmp_path / "pki")
    monkeypatch.setattr(pki, "KUBECONFIGS", tmp_path / "kubeconfigs")
    pki.ensure()
    return tmp_path


def issued(name: str) -> Issued:
    return Issued(pki.certificate(name).read_bytes(), pki.key(name).read_bytes())


def test_a_server_is_known_by_its_names_and_numbers():
    above = authority.authority("one")
    found = belongs(authority.server(above, "server", ("a.test", "198.18.0.1")), above)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.test"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["198.18.0.1"]
    assert purposes(found) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_client_is_a_user_in_groups():
    above = authority.authority("one")
    found = belongs(authority.client(above, "ada", ("team-blue", "others")), above)
    told = {
        kind: [each.value for each in found.subject.get_attributes_for_oid(kind)]
        for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    assert told == {NameOID.COMMON_NAME: ["ada"], NameOID.ORGANIZATION_NAME: ["team-blue", "others"]}
    assert purposes(found) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_the_front_proxy_has_an_authority_of_its_own(kept):
    belongs(issued("apiserver"), issued("ca"))
    belongs(issued("admin"), issued("ca"))
    belongs(issued("front-proxy-client"), issued("front-proxy-ca"))
    with pytest.raises(ValueError, match="does not match"):
        belongs(issued("front-proxy-client"), issued("ca"))


def test_what_is_there_is_kept_and_is_roots_alone(kept):
    def files() -> dict[str, tuple[bytes, int]]:
        found = [path for path in kept.rglob("*") if path.is_file()]
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    before = files()
    pki.ensure()
    assert files() == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.rglob("*") if path.is_file()} == {0o600}
    assert stat.S_IMODE(pki.PKI.stat().st_mode) == 0o700


def test_a_key_for_service_accounts_is_in_the_form_that_the_api_server_reads(kept):
    text = pki.key("service-accounts").read_bytes()
    assert text.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    assert isinstance(serialization.load_pem_private_key(text, None), ec.EllipticCurvePrivateKey)


def test_a_kubeconfig_says_all_by_itself(kept):
    path = pki.kubeconfig("ada", namespace="team-blue", groups=("team-blue",))
    settings = yaml.safe_load(path.read_text())
    assert settings["contexts"][0]["context"]["namespace"] == "team-blue"
    user = {name: base64.b64decode(text) for name, text in settings["users"][0]["user"].items()}
    above = base64.b64decode(settings["clusters"][0]["cluster"]["certificate-authority-data"])
    assert above == pki.certificate("ca").read_bytes()
    belongs(Issued(user["client-certificate-data"], user["client-key-data"]), Issued(above, b""))


def test_servers_of_kueue_have_certificates_of_one_authority():
    services = {"one": "kueue-webhook-service", "two": "kueue-visibility-server"}
    made = certificates.secrets("kueue-system", services)
    files = [{name: base64.b64decode(text) for name, text in found["data"].items()} for found in made]
    assert files[0]["ca.crt"] == files[1]["ca.crt"]
    for found, service in zip(files, services.values(), strict=True):
        server = belongs(Issued(found["tls.crt"], found["tls.key"]), Issued(found["ca.crt"], b""))
        names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [f"{service}.kueue-system.svc"]


def test_whoever_asks_kueue_knows_its_authority():
    build.ensure(["kube"], lambda _: None)
    objects = addons.manifests(addons.KUEUE, "any")
    certificates.trust(objects, "QQ==")
    asked = [found for found in objects if '"service"' in json.dumps(found) and found["kind"] != "Service"]
    kinds = {found["kind"] for found in asked}
    assert {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService"} <= kinds
    text = json.dumps(asked)
    assert text.count('"caBundle": "QQ=="') == text.count('"name": "kueue-webhook-service"') + len(addons.VISIBILITY)
    assert "insecureSkipTLSVerify" not in text
