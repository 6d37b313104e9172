"""The certificate of Kueue's webhooks, made before Kueue starts.

Kueue makes one by itself, but then waits until the kubelet shows it the filled Secret, and looks for it after 1, 3, 7,
15 and 30 s. What is made here is what its certificate controller makes (github.com/open-policy-agent/cert-controller,
pkg/rotator): it finds the Secret valid, gives the authority to its webhooks, and renews both in time, as after any
restart. Keys must be RSA in PKCS#1: it takes no others.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY = "kueue-ca"
_ORGANIZATION = "kueue"
# A certificate that would expire within 90 days is renewed at once.
_YEARS = dt.timedelta(days=3650)
_YEAR = dt.timedelta(days=365)


def secret(name: str, namespace: str, service: str) -> dict[str, Any]:
    """A Secret with a new authority and a certificate by it for a Service."""
    authority, theirs = _key(), _key()
    above = _name(_AUTHORITY, _ORGANIZATION)
    host = f"{service}.{namespace}.svc"
    root = _begun(above, above, authority, _AUTHORITY, _YEARS, authority=True).sign(authority, hashes.SHA256())
    server = (
        _begun(_name(host), above, theirs, host, _YEAR, authority=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority, hashes.SHA256())
    )
    files = {"ca.crt": _pem(root), "ca.key": _pem(authority), "tls.crt": _pem(server), "tls.key": _pem(theirs)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {file: base64.b64encode(data).decode() for file, data in files.items()},
    }


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    host: str,
    lasting: dt.timedelta,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    now = dt.dt.now(dt.UTC)
    usage = x509.KeyUsage(True, False, True, False, False, authority, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + lasting)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )


def _pem(what: x509.Certificate | rsa.RSAPrivateKey) -> bytes:
    if isinstance(what, x509.Certificate):
        return what.public_bytes(serialization.Encoding.PEM)
    return what.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
