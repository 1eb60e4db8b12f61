"""The pages: web/dist out of memory. `/`, `/terminal`, `/phone`, `/portal` and `/screen`, with all paths below, are one
page each; which screen they show, the page's own router decides."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, re_path

from project.config import ROOT

DIST = ROOT / "web" / "dist"
PAGES = ("office", "terminal", "phone", "portal", "screen")
LOOK_AGAIN_S = 1.0
PRESSED = ("text/", "application/javascript", "application/json", "application/manifest+json", "image/svg+xml")
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".woff2": "font/woff2"} | {
    ".webmanifest": "application/manifest+json",
    ".map": "application/json",
}
#: Code readers run as WebAssembly and workers as blobs of our own; everything else as the house's default says.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' data: blob:; "
    "media-src 'self' blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; "
    "frame-ancestors 'none'; form-action 'self'"
)
_HASHED = re.compile(r"-([A-Za-z0-9_-]{8})(?:\.[A-Za-z0-9]+)+$")
MISSING = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>联造 Lianzao</title>
<body style="font: 16px/1.7 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>联造 Lianzao</h1>
<p>页面还没有构建。请在项目目录运行下面的命令, 然后刷新本页:</p>
<p lang="en">The screens are not built yet. Run this in the project's folder, then reload this page:</p>
<pre><code>python3 scripts/bootstrap.py screens</code></pre>
<p>接口已经可用 <span lang="en">The API is there already</span>: <a href="/api/openapi.json">/api/openapi.json</a></p>
"""


@dataclass(frozen=True)
class File:
    """One file of the build, ready to send."""

    data: bytes
    pressed: bytes | None
    content_type: str
    tag: str
    cache: str


class Build:
    """The files of web/dist. A new build is noticed within a second, because its page is newer."""

    def __init__(self, folder: Path = DIST) -> None:
        self.folder = folder
        self._files: dict[str, File] = {}
        self._state: tuple[int, ...] = ()
        self._look_at = 0.0
        self._lock = threading.Lock()

    def file(self, name: str) -> File | None:
        """A file by its path in the build; None when there is none."""
        # Who comes while the first reading is under way waits for it; later the files as they were serve meanwhile.
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=not self._state):
            try:
                if time.monotonic() >= self._look_at:
                    state = self._look()
                    if state != self._state:
                        self._files, self._state = self._read(), state
                    self._look_at = time.monotonic() + LOOK_AGAIN_S
            finally:
                self._lock.release()
        return self._files.get(name)

    def _look(self) -> tuple[int, ...]:
        pages = (self.folder / f"{name}.html" for name in PAGES)
        return tuple(page.stat().st_mtime_ns if page.is_file() else 0 for page in pages)

    def _read(self) -> dict[str, File]:
        root = self.folder.resolve()
        found: dict[str, File] = {}
        for path in sorted(root.rglob("*")) if root.is_dir() else []:
            name = path.relative_to(root).as_posix()
            if path.is_file() and not name.startswith(".") and path.resolve().is_relative_to(root):
                found[name] = _file(name, path.read_bytes())
        return found


def _file(name: str, data: bytes) -> File:
    kind = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    pressed = gzip.compress(data, 9, mtime=0) if kind.startswith(PRESSED) or kind == "application/wasm" else None
    if pressed is not None and len(pressed) > len(data) * 0.95:
        pressed = None
    text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml")
    immutable = name.startswith("assets/") and _has_hash(name)
    return File(
        data,
        pressed,
        f"{kind}; charset=utf-8" if text else kind,
        f'"{hashlib.sha256(data).hexdigest()[:20]}"',
        "public, max-age=31536000, immutable" if immutable else "no-cache",
    )


def _has_hash(name: str) -> bool:
    """Whether the name changes with the content (`main-BUqS3xk9.js`), so that it may be kept for ever."""
    found = _HASHED.search(name)
    return found is not None and not found[1].islower()


build = Build()


def page(request: HttpRequest, path: str) -> HttpResponse:
    """A file of the build by its name, else the page whose screens the path belongs to."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    file = None if path.endswith(".html") else build.file(path)
    if file is None:
        first, _, _ = path.partition("/")
        if "." in path.rpartition("/")[2] or first in ("api", "assets", "live", "healthz"):
            return HttpResponse("没有这个文件。 No such file.\n", status=404, content_type="text/plain; charset=utf-8")
        file = build.file(f"{first if first in PAGES else PAGES[0]}.html")
    if file is None:
        return HttpResponse(MISSING, status=503, headers={"Cache-Control": "no-store"})
    return _sent(request, file)


def _sent(request: HttpRequest, file: File) -> HttpResponse:
    headers = {"Cache-Control": file.cache, "ETag": file.tag, "Content-Security-Policy": POLICY}
    if file.pressed is not None:
        headers["Vary"] = "Accept-Encoding"
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if file.tag in known or "*" in known:
        return HttpResponse(status=304, headers=headers)
    data = file.data
    if file.pressed is not None and _takes_gzip(request.headers.get("Accept-Encoding", "")):
        data = file.pressed
        headers["Content-Encoding"] = "gzip"
    made = HttpResponse(b"" if request.method == "HEAD" else data, content_type=file.content_type, headers=headers)
    made["Content-Length"] = str(len(data))
    return made


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def routes() -> list[URLPattern]:
    """Behind all other routes: everything that is left."""
    return [re_path(r"^(?P<path>.*)$", page)]
