"""The certificate of our own address: a given one, or one of a small authority of this installation's own.

A phone's camera and a page that works without the network need a secure origin, also where no public authority will
sign for `192.168.1.5`. So with `--https` and no certificate given, an authority is made in the data folder at first
use; each device is told once to trust it (`/ca`), and the address's own certificate is made anew by itself.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from project.config import Config
from project.postgres import GroundError

AUTHORITY_DAYS = 3650
#: Well below the 825 days that Apple's devices accept of an authority a person installed.
LEAF_DAYS = 90
RENEW_DAYS = 30
BACKDATED = timedelta(days=1)  # a terminal whose clock is a little slow


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its key, as files."""

    certificate: Path
    key: Path
    own: bool  # by the authority in the data folder


def prepare(config: Config) -> Pair | None:
    """The files to serve HTTPS with, made or renewed if they are our own; None for plain HTTP. Raises GroundError."""
    if not config.secure:
        return None
    if config.tls_certificate is not None and config.tls_key is not None:
        pair = Pair(config.tls_certificate, config.tls_key, own=False)
        context(pair)
        return pair
    authority = Authority(config.tls_folder)
    authority.ensure()
    authority.leaf(names(config))
    return authority.pair


def context(pair: Pair) -> ssl.SSLContext:
    """A server's context. Raises GroundError when certificate and key cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    load(made, pair)
    return made


def load(into: ssl.SSLContext, pair: Pair) -> None:
    """Read certificate and key, also anew: who connects from now on gets them. Raises GroundError."""
    try:
        into.load_cert_chain(pair.certificate, pair.key)
    except (OSError, ssl.SSLError) as error:
        raise GroundError(
            f"The certificate {pair.certificate} with the key {pair.key} cannot be used ({error}): give a PEM chain, "
            "its own certificate first, and the PEM key that belongs to it (LIANZAO_TLS_CERT, LIANZAO_TLS_KEY)"
        ) from error


def certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file. Raises ValueError, OSError."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def days_left(path: Path, now: datetime | None = None) -> float:
    """How many days the first certificate of a file is good for; negative when it is over."""
    return (certificate(path).not_valid_after_utc - (now or datetime.now(UTC))) / timedelta(days=1)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a certificate as devices show it."""
    return certificate(path).fingerprint(hashes.SHA256()).hex(":").upper()


class Authority:
    """The installation's own authority and the one certificate it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        self.pair = Pair(folder / "server.crt", folder / "server.key", own=True)

    def ensure(self) -> None:
        """Make the authority if there is none. Raises GroundError when half of it is lost."""
        if self.certificate.exists() and self.key.exists():
            return
        if self.certificate.exists() or self.key.exists():
            raise GroundError(
                f"{self.folder} holds only half of our authority: bring back ca.crt and ca.key from a backup, or "
                "remove both, and have every device trust the new one"
            )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lianzao"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Lianzao {socket.gethostname()[:30]} {secrets.token_hex(3)}"),
            ]
        )
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(self.key, _pem(key), 0o600)
        _write(self.certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)

    def leaf(self, wanted: list[str], now: datetime | None = None) -> bool:
        """Make the address's certificate unless the one there is good for these names and for long enough."""
        now = now or datetime.now(UTC)
        if self._is_good(set(wanted), now):
            return False
        ours = certificate(self.certificate)
        signer = serialization.load_pem_private_key(self.key.read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise GroundError(f"{self.key} is no key of ours: bring it back from a backup")
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted[0][:64])]))
            .issuer_name(ours.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + timedelta(days=LEAF_DAYS), ours.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in wanted]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        # The key first: who reads between the two finds a pair that does not fit, keeps the old, and looks again.
        _write(self.pair.key, _pem(key), 0o600)
        _write(self.pair.certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
        return True

    def _is_good(self, wanted: set[str], now: datetime) -> bool:
        try:
            kept, ours = certificate(self.pair.certificate), certificate(self.certificate)
            kept.verify_directly_issued_by(ours)
            key = serialization.load_pem_private_key(self.pair.key.read_bytes(), None)
            said = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return False
        fits = key.public_key() == kept.public_key()
        return fits and wanted <= _names_in(said) and kept.not_valid_after_utc - now > timedelta(days=RENEW_DAYS)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_in(said: x509.SubjectAlternativeName) -> set[str]:
    return {*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))}


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put a whole file in place; nobody sees a half of it, nor, of a key, anything at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


# -- what we are called -----------------------------------------------------------------------------------------------


def names(config: Config) -> list[str]:
    """The names and addresses our certificate is for: those allowed, and those this machine has."""
    found: dict[str, None] = {}
    for name in (*config.allowed_hosts, *machine_names()):
        plain = name.strip("[]").lower()
        if plain and "*" not in plain and not plain.startswith("."):
            with contextlib.suppress(UnicodeError):
                found[plain.encode("idna").decode() if not plain.isascii() else plain] = None
    return list(found)


def hosts(config: Config) -> list[str]:
    """As which hosts requests are taken, in Django's spelling: those allowed, and those the certificate is for."""
    if config.tls_certificate is None:
        known = names(config)
    else:
        said = certificate(config.tls_certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        known = sorted(_names_in(said.value))
    shown = [f"[{each}]" if ":" in each else each.removeprefix("*") for each in known]
    return list(dict.fromkeys([*config.allowed_hosts, *shown]))


def machine_names() -> list[str]:
    """Host name and addresses of this machine, as others may reach it; the one it goes out by first."""
    host = socket.gethostname().lower()
    found: dict[str, None] = dict.fromkeys(lan_addresses())
    found |= dict.fromkeys((host, f"{host}.local") if host and "." not in host else (host,))
    return [name for name in (*found, "localhost", "127.0.0.1", "::1") if name]


def lan_addresses() -> list[str]:
    """The addresses of this machine in its networks."""
    found: dict[str, None] = {}
    # Nothing is sent: the system is only asked by which of its addresses it would.
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((far, 9))
            found[asked.getsockname()[0]] = None
    with contextlib.suppress(OSError):
        for _, _, _, _, address in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM):
            found[str(address[0]).partition("%")[0]] = None
    return [each for each in found if not ipaddress.ip_address(each).is_loopback]
