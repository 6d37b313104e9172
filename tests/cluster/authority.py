"""Authorities, and the certificates that they give to servers and to clients. Nothing is kept here."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LASTING = dt.timedelta(days=3650)
"""Longer than any cluster of tests."""
_EARLIER = dt.timedelta(hours=1)
"""Before now: clocks of machines differ."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as files have them (PEM)."""

    certificate: bytes
    key: bytes


def new_key() -> bytes:
    """A key, as a file has it."""
    return _written(_made())


def authority(name: str) -> Issued:
    """A new authority, which nobody knows yet."""
    key, named = _made(), _named(name)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    begun = _begun(named, named, key).add_extension(usage, critical=True)
    return _signed(begun, key, key, is_authority=True)


def server(above: Issued, name: str, addresses: Sequence[str]) -> Issued:
    """A certificate for who answers.

    Args:
        above: its authority.
        name: of who it is.
        addresses: at which it answers: names, and numbers.
    """
    alternatives = x509.SubjectAlternativeName([_alternative(text) for text in addresses])
    return _issued(above, _named(name), ExtendedKeyUsageOID.SERVER_AUTH, alternatives)


def client(above: Issued, name: str, groups: Sequence[str] = ()) -> Issued:
    """A certificate for who asks; to Kubernetes its name is the user's, and its organizations are the user's groups."""
    return _issued(above, _named(name, groups), ExtendedKeyUsageOID.CLIENT_AUTH)


def _issued(above: Issued, named: x509.Name, purpose: x509.ObjectIdentifier, *more: x509.ExtensionType) -> Issued:
    signing = serialization.load_pem_private_key(above.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key, issuer = _made(), x509.load_pem_x509_certificate(above.certificate).subject
    begun = _begun(named, issuer, key).add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    for extension in more:
        begun = begun.add_extension(extension, critical=False)
    return _signed(begun, key, signing, is_authority=False)


def _begun(named: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LASTING)
    )


def _signed(
    begun: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> Issued:
    limits = x509.BasicConstraints(ca=is_authority, path_length=None)
    made = begun.add_extension(limits, critical=True).sign(signing, hashes.SHA256())
    return Issued(made.public_bytes(serialization.Encoding.PEM), _written(key))


def _named(name: str, groups: Sequence[str] = ()) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _made() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _written(key: ec.EllipticCurvePrivateKey) -> bytes:
    # SEC 1: the one form in which the API server finds the public part of a key of this kind, for service accounts.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
