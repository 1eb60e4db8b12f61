"""Making a checkout ready: pip's settings are honoured, both kinds of index are read, a wrong file is never run."""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from project.config import ROOT

NAME = "uv-0.13.9-py3-none-any.whl"


@pytest.fixture(scope="module")
def pipindex() -> ModuleType:
    return _script("pipindex")


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    return _script("bootstrap")


def _script(name: str) -> ModuleType:
    if str(ROOT / "scripts") not in sys.path:
        sys.path.insert(0, str(ROOT / "scripts"))
    return importlib.import_module(name)


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A ZipInfo of its own has a fixed time; writestr by name would put in the clock, and the hash would change.
        archive.writestr(zipfile.ZipInfo("uv-0.13.9.data/scripts/uv"), "#!/bin/sh\necho uv 0.13.9\n")
    return buffer.getvalue()


class Index(BaseHTTPRequestHandler):
    """A package index that wants a login and speaks JSON or HTML."""

    kind = "application/vnd.pypi.simple.v1+json"
    asked: list[str | None] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization"))
        if self.headers.get("Authorization") != "Basic bWU6c0BjcmV0":
            self.send_response(401)
            self.end_headers()
            return
        if self.path.endswith(".whl"):
            body, kind = wheel(), "application/octet-stream"
        elif "json" in self.kind:
            body, kind = f'{{"files": [{{"filename": "{NAME}", "url": "../../files/{NAME}"}}]}}'.encode(), self.kind
        else:
            body, kind = f'<a href="../../files/{NAME}#sha256=0">uv</a>'.encode(), self.kind
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def index_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://me:s%40cret@127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("kind", ["application/vnd.pypi.simple.v1+json", "text/html"])
def test_a_pinned_file_comes_from_an_index_with_login(
    pipindex: ModuleType, index_url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "kind", kind)
    settings = pipindex.PipSettings(index=index_url)
    assert pipindex.fetch_pinned("uv", NAME, hashlib.sha256(wheel()).hexdigest(), settings) == wheel()


def test_a_file_with_another_hash_is_refused(pipindex: ModuleType, index_url: str) -> None:
    with pytest.raises(pipindex.FetchError, match="not the file we pinned") as refusal:
        pipindex.fetch_pinned("uv", NAME, "0" * 64, pipindex.PipSettings(index=index_url))
    assert "cret" not in str(refusal.value)


def test_all_indexes_are_asked_and_named_when_none_has_it(pipindex: ModuleType, tmp_path: Path, index_url: str) -> None:
    folder = tmp_path / "simple" / "uv"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f'<a href="../../{NAME}#sha256=1">x</a>')
    (tmp_path / NAME).write_bytes(wheel())
    here = (tmp_path / "simple").as_uri()
    sha256 = hashlib.sha256(wheel()).hexdigest()
    wrong_login = index_url.replace("me:", "you:")
    settings = pipindex.PipSettings(index=wrong_login, extra=(here,))
    assert pipindex.fetch_pinned("uv", NAME, sha256, settings) == wheel()
    with pytest.raises(pipindex.FetchError, match="401") as refusal:
        pipindex.fetch_pinned("uv", "uv-9.whl", sha256, settings)
    assert here in str(refusal.value) and "cret" not in str(refusal.value)


def test_pips_settings_are_read_in_pips_order(pipindex: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "a.conf", tmp_path / "b.conf"
    first.write_text(
        "[global]\nindex-url = https://one/simple/\nextra_index_url = https://x/simple\n  https://y/simple\n"
    )
    second.write_text("[global]\nindex-url = https://two/simple\n[install]\ncert = /ca.pem\n")
    read = pipindex.pip_settings({}, [first, second])
    assert read.indexes == ("https://two/simple", "https://x/simple", "https://y/simple")
    assert read.certificates == "/ca.pem"
    assert pipindex.pip_settings({"PIP_INDEX_URL": "https://three"}, [first, second]).index == "https://three"
    assert pipindex.pip_settings({"SSL_CERT_FILE": "/other.pem"}, [first]).certificates == "/other.pem"
    assert pipindex.pip_settings({}, []).indexes == (pipindex.PYPI,)


def test_pips_files_are_looked_for_where_pip_does(pipindex: ModuleType, tmp_path: Path) -> None:
    paths = pipindex.config_files({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/own.conf"})
    assert paths[-1] == Path("/own.conf") and Path("/etc/pip.conf") in paths
    assert pipindex.config_files({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}) == []


def test_uv_is_told_pips_indexes_and_never_overruled(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more/simple")
    environ = bootstrap.uv_environment()
    assert (environ["UV_DEFAULT_INDEX"], environ["UV_INDEX"]) == ("https://mirror/simple", "https://more/simple")
    monkeypatch.setenv("UV_INDEX_URL", "https://chosen/simple")
    assert "UV_INDEX" not in bootstrap.uv_environment()


def test_uv_is_unpacked_ready_to_run(bootstrap: ModuleType, tmp_path: Path) -> None:
    bootstrap.unpack_uv(wheel(), tmp_path / "uv" / "uv")
    assert bootstrap._version_of(str(tmp_path / "uv" / "uv")) == (0, 13)


def test_a_failed_step_shows_its_last_words(bootstrap: ModuleType) -> None:
    order = [sys.executable, "-c", "print('the disk is full'); raise SystemExit(3)"]
    with pytest.raises(bootstrap.StepFailed, match=r"(?s)Trying failed.*the disk is full"):
        bootstrap.step("Trying", order, {})


def test_the_hash_of_sources_follows_their_content(bootstrap: ModuleType, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    source = tmp_path / "a.ts"
    source.write_text("one")
    before = bootstrap.digest([source])
    source.write_text("two")
    assert bootstrap.digest([source]) != before
    with pytest.raises(bootstrap.StepFailed, match="missing"):
        bootstrap.digest([tmp_path / "gone.ts"])
