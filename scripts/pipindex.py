"""Where packages come from: pip's own settings, read without pip, and one file fetched from such an index.

Stock Debian has Python but no pip; a company's machines name their mirror in pip's settings all the same. Standard
library only.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

PYPI = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class FetchError(Exception):
    """A file could not be had, or is not the one we pinned; the message says which and what to do."""


@dataclass(frozen=True)
class PipSettings:
    """What pip would use: the index, further indexes, folders or pages of wheels, certificate file."""

    index: str
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    certificates: str = ""

    @property
    def indexes(self) -> tuple[str, ...]:
        """All indexes in the order they are asked."""
        return (self.index, *self.extra)


def pip_settings(environ: Mapping[str, str] | None = None, files: list[Path] | None = None) -> PipSettings:
    """pip's settings: its files in pip's order (global, user, site, PIP_CONFIG_FILE), then the environment."""
    given = os.environ if environ is None else environ
    found: dict[str, str] = {}
    for path in config_files(given) if files is None else files:
        reader = configparser.RawConfigParser()
        try:
            reader.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise FetchError(f"pip's settings file {path} cannot be read: {error}") from error
        for section in ("global", "install"):  # pip lets [install] override [global]
            if reader.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in reader.items(section)})
    for key in ("index-url", "extra-index-url", "find-links", "cert", "no-index"):
        value = given.get("PIP_" + key.upper().replace("-", "_"), "")
        if value:
            found[key] = value
    certificates = found.get("cert", "") or given.get("SSL_CERT_FILE", "") or given.get("REQUESTS_CA_BUNDLE", "")
    return PipSettings(
        index=found.get("index-url", PYPI).strip().rstrip("/"),
        extra=tuple(url.rstrip("/") for url in found.get("extra-index-url", "").split()),
        find_links=tuple(found.get("find-links", "").split()),
        certificates=certificates,
    )


def config_files(given: Mapping[str, str]) -> list[Path]:
    """The files pip reads, least binding first."""
    chosen = given.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path(given.get("HOME", "~")).expanduser()
    shared = [
        Path(place) / "pip" / "pip.conf" for place in given.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if place
    ]
    own = Path(given.get("XDG_CONFIG_HOME", "") or home / ".config")
    if sys.platform == "darwin":
        shared.insert(0, Path("/Library/Application Support/pip/pip.conf"))
        support = home / "Library/Application Support/pip"
        own_file = support / "pip.conf" if support.is_dir() else own / "pip/pip.conf"
    else:
        own_file = own / "pip/pip.conf"
    paths = [*shared, Path("/etc/pip.conf"), home / ".pip/pip.conf", own_file, Path(sys.prefix) / "pip.conf"]
    return [*paths, Path(chosen)] if chosen else paths


def links(page: str, content_type: str, address: str) -> dict[str, str]:
    """File name → address, from one package's page of an index (PEP 691 JSON or PEP 503 HTML) at `address`."""
    if "json" in content_type:
        told = json.loads(page)
        return {file["filename"]: urljoin(address, file["url"]) for file in told.get("files", [])}
    reader = _Links()
    reader.feed(page)
    found = {}
    for link in reader.links:
        whole = urljoin(address, link).split("#")[0]
        found[unquote(urlsplit(whole).path.rsplit("/", 1)[-1])] = whole
    return found


def fetch_pinned(package: str, filename: str, sha256: str, settings: PipSettings) -> bytes:
    """The bytes of one pinned file, from the first index that has it.

    Raises FetchError when none has it or the bytes differ from the pinned hash.
    """
    said = []
    for index in settings.indexes:
        address = f"{index}/{re.sub(r'[-_.]+', '-', package).lower()}/"
        try:
            page, kind, final = get(address, settings.certificates)
            found = links(page.decode("utf-8"), kind, final).get(filename)
            if found is None:
                said.append(f"{bare(address)}: has no {filename}")
                continue
            content, _, _ = get(_with_login(found, index), settings.certificates)
        except (OSError, ValueError) as error:  # URLError is an OSError
            said.append(f"{bare(address)}: {error}")
            continue
        have = hashlib.sha256(content).hexdigest()
        if have != sha256:
            raise FetchError(
                f"{bare(found)} is not the file we pinned: sha256 {have}, expected {sha256}. Nothing was run"
            )
        return content
    told = "\n  ".join(said)
    raise FetchError(f"{filename} could not be fetched:\n  {told}\nSet PIP_INDEX_URL to an index this machine reaches")


def get(address: str, certificates: str = "") -> tuple[bytes, str, str]:
    """Bytes, content type and final address of `address` (http, https or file; proxies as the environment says)."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        path = path / "index.html" if path.is_dir() else path
        return path.read_bytes(), "text/html", path.as_uri()
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"an index must be http, https or file, not {address!r}")
    request = urllib.request.Request(bare(address), headers={"Accept": ACCEPT, "User-Agent": "lianzao-bootstrap"})
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    trust = ssl.create_default_context(cafile=certificates or None)
    with urllib.request.urlopen(request, timeout=60, context=trust) as answer:
        return answer.read(), answer.headers.get_content_type(), answer.url


def bare(address: str) -> str:
    """The address without its login, fit to be shown."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))


def _with_login(address: str, index: str) -> str:
    """A file on the index's own host needs the index's login, which links leave out."""
    there, here = urlsplit(address), urlsplit(index)
    if here.username and there.hostname == here.hostname and not there.username:
        return urlunsplit(there._replace(netloc=f"{here.netloc.rsplit('@', 1)[0]}@{there.netloc}"))
    return address


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
