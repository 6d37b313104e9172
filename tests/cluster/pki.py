"""Certificates and kubeconfigs: who is who in the cluster. One authority for all, another one for the front proxy."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.layout import API_SERVER, API_SERVICE, DOMAIN, FIRST, KUBECONFIGS, NODES, PKI

_YEARS = dt.timedelta(days=3650)
_SERVICE = "kubernetes.default.svc"


def certificate(name: str) -> Path:
    """The file of a certificate."""
    return PKI / f"{name}.crt"


def key(name: str) -> Path:
    """The file of its key."""
    return PKI / f"{name}.key"


def ensure() -> None:
    """Everything that the cluster's own parts need; what is there is kept."""
    PKI.mkdir(parents=True, exist_ok=True)
    PKI.chmod(0o700)
    _authority("ca", "jobq-cluster")
    _authority("front-proxy-ca", "jobq-cluster-front-proxy")
    names = ("kubernetes", "kubernetes.default", _SERVICE, f"{_SERVICE}.{DOMAIN}", "localhost")
    _issue("apiserver", "kube-apiserver", server=(*names, "127.0.0.1", FIRST.address, API_SERVICE))
    _issue("apiserver-kubelet", "kube-apiserver-kubelet-client", groups=("system:masters",))
    _issue("front-proxy-client", "front-proxy-client", authority="front-proxy-ca")
    for node in NODES:
        _issue(f"{node.name}-serving", f"system:node:{node.name}", server=(node.name, node.address))
        kubeconfig(node.name, user=f"system:node:{node.name}", groups=("system:nodes",))
    for part in ("controller-manager", "scheduler"):
        kubeconfig(part, user=f"system:kube-{part}")
    kubeconfig("proxy", user="system:kube-proxy")
    kubeconfig("admin", groups=("system:masters",))
    if not key("service-accounts").exists():
        _write(key("service-accounts"), _pem(ec.generate_private_key(ec.SECP256R1())))


def client(name: str, groups: Sequence[str] = (), *, user: str = "") -> tuple[Path, Path]:
    """A client's certificate and its key.

    Args:
        name: of its files.
        groups: that the user is in.
        user: its name in the cluster; `name` where it is not said.
    """
    _issue(name, user or name, groups=groups)
    return certificate(name), key(name)


def kubeconfig(name: str, *, namespace: str = "default", groups: Sequence[str] = (), user: str = "") -> Path:
    """The kubeconfig of a user, with everything in it, so that it can be copied elsewhere."""
    shown, secret = client(name, groups, user=user)
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "jobq",
                "cluster": {"server": API_SERVER, "certificate-authority-data": _encoded(certificate("ca"))},
            }
        ],
        "users": [
            {"name": name, "user": {"client-certificate-data": _encoded(shown), "client-key-data": _encoded(secret)}}
        ],
        "contexts": [{"name": "jobq", "context": {"cluster": "jobq", "user": name, "namespace": namespace}}],
        "current-context": "jobq",
    }
    KUBECONFIGS.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(settings, sort_keys=False).encode()
    path = KUBECONFIGS / name
    if not path.exists() or path.read_bytes() != text:  # kube-proxy ends when its files are written, even with the same
        _write(path, text)
    return path


def _authority(name: str, common: str) -> None:
    if certificate(name).exists():
        return
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    made = (
        _begun(subject, subject, secret.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(secret, hashes.SHA256())
    )
    _write(key(name), _pem(secret))
    _write(certificate(name), made.public_bytes(serialization.Encoding.PEM))


def _issue(
    name: str, common: str, *, groups: Sequence[str] = (), server: Sequence[str] = (), authority: str = "ca"
) -> None:
    if certificate(name).exists():
        return
    above = x509.load_pem_x509_certificate(certificate(authority).read_bytes())
    signing = serialization.load_pem_private_key(key(authority).read_bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _begun(subject, above.subject, secret.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if server:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(text) for text in server]), False)
    _write(key(name), _pem(secret))
    _write(certificate(name), builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _begun(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _YEARS)
    )


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(secret: ec.EllipticCurvePrivateKey) -> bytes:
    return secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}")
    beside.unlink(missing_ok=True)
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as handle:
        handle.write(data)
    beside.replace(path)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
