"""Certificates for tests, made anew: an authority's, and those that it signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["kept", "made"]


def made(
    name: str, signer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None, days: float = 1
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for this machine that ends after so many days, signed by `signer`, or an authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, issuer_key = signer or (subject, key)
    today = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256()), key


def kept(
    folder: Path,
    name: str,
    signer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None,
    password: str = "",
    days: float = 1,
) -> tuple[Path, tuple[x509.Name, ec.EllipticCurvePrivateKey]]:
    """A file of a certificate and its key, PEM, and what others are signed with."""
    certificate, key = made(name, signer, days)
    sealed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path, (certificate.subject, key)
