"""Kueue's certificates, and who is told to trust them: what cert-manager does in many clusters, as upstream provides.

Kueue can look after them by itself, and by default does. Then it waits, when it first starts, until the kubelet shows
it the Secret that it has filled; and whenever it starts, it writes its authority into its webhooks and CRDs, two or
three times over: each time the API server works for seconds on the CRD of workloads, even where nothing has changed.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterable, Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.admin import Object

AUTHORITY = "ca.crt"
"""The key in a Secret."""
_LASTING = dt.timedelta(days=3650)


def secrets(namespace: str, services: Mapping[str, str]) -> list[Object]:
    """Secrets with certificates of one new authority, whose own key nobody keeps.

    Args:
        namespace: of the Secrets and the Services.
        services: the Service that a certificate is for, by the name of its Secret.
    """
    signing = ec.generate_private_key(ec.SECP256R1())
    above = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kueue-ca")])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    root = (
        _begun(above, above, signing)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(signing, hashes.SHA256())
    )
    made = []
    for name, service in services.items():
        key, host = ec.generate_private_key(ec.SECP256R1()), f"{service}.{namespace}.svc"
        certificate = (
            _begun(x509.Name([]), above, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(signing, hashes.SHA256())
        )
        files = {AUTHORITY: _pem(root), "tls.crt": _pem(certificate), "tls.key": _secret(key)}
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "type": "Opaque",
                "data": {file: base64.b64encode(data).decode() for file, data in files.items()},
            }
        )
    return made


def trust(objects: Iterable[Object], authority: str) -> None:
    """Writes an authority, in base64, wherever the API server is told to ask a Service: webhooks, conversions, APIs."""
    for found in objects:
        for client in _clients(found):
            if "service" in client:
                client["caBundle"] = authority
                client.pop("insecureSkipTLSVerify", None)


def _clients(found: Object) -> Iterable[Object]:
    kind = found["kind"]
    if kind.endswith("WebhookConfiguration"):
        return [hook["clientConfig"] for hook in found["webhooks"]]
    if kind == "CustomResourceDefinition" and "webhook" in found["spec"].get("conversion", {}):
        return [found["spec"]["conversion"]["webhook"]["clientConfig"]]
    return [found["spec"]] if kind == "APIService" else []


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _LASTING)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _secret(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
