"""The page by which a device learns to trust our own authority: `/ca`, by plain HTTP too, and the certificate itself.

It is read before there is any trust, so a stranger in the network could put another page in its place: the fingerprint
to compare with stands in the terminal of `lianzao serve`, and in `lianzao doctor`.
"""

from __future__ import annotations

import html
import io
from pathlib import Path

import segno

from project import tls
from project.config import Config
from project.front import Own

PATH = "/ca"
FILE = "/ca.crt"
POLICY = b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
STEPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Android",
        (
            ("下载证书。", "Download the certificate."),
            (
                "设置 → 安全 → 更多安全设置 → 加密与凭据 → 安装证书 → CA 证书（各厂商名称略有不同，可搜索“证书”）。",
                "Settings → Security → More → Encryption & credentials → Install a certificate → CA certificate "
                "(names differ by maker: search for “certificate”).",
            ),
            ("选择下载的 ca.crt。", "Choose the downloaded ca.crt."),
        ),
    ),
    (
        "iPhone / iPad",
        (
            ("用 Safari 下载证书，允许下载描述文件。", "Download the certificate with Safari, and allow the profile."),
            ("设置 → 已下载描述文件 → 安装。", "Settings → Profile Downloaded → Install."),
            (
                "设置 → 通用 → 关于本机 → 证书信任设置 → 打开 Lianzao 的开关。",
                "Settings → General → About → Certificate Trust Settings → switch Lianzao on.",
            ),
        ),
    ),
    (
        "Windows",
        (
            (
                "下载并双击 ca.crt → 安装证书 → 本地计算机。",
                "Download and open ca.crt → Install certificate → Local machine.",
            ),
            (
                "将所有的证书都放入下列存储 → 受信任的根证书颁发机构。",
                "Place all certificates in this store → Trusted Root Certification Authorities.",
            ),
            (
                "或以管理员运行：certutil -addstore -f Root ca.crt",
                "Or as administrator: certutil -addstore -f Root ca.crt",
            ),
        ),
    ),
    (
        "macOS · Linux",
        (
            (
                "macOS：sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain ca.crt",
                "macOS: the same command.",
            ),
            (
                "Linux：复制到 /usr/local/share/ca-certificates/，运行 update-ca-certificates；"
                "Firefox 与 Chromium 在浏览器的证书设置中导入。",
                "Linux: copy it to /usr/local/share/ca-certificates/ and run update-ca-certificates; "
                "Firefox and Chromium import it in their own settings.",
            ),
        ),
    ),
)


def pages(config: Config, certificate: Path) -> dict[bytes, Own]:
    """What the front answers itself while our own authority stands."""
    data = certificate.read_bytes()
    page = _page(config, certificate).encode()
    shared = (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")
    return {
        PATH.encode(): Own(
            ((b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", POLICY), *shared), page
        ),
        FILE.encode(): Own(
            (
                (b"content-type", b"application/x-x509-ca-cert"),
                (b"content-disposition", b'attachment; filename="lianzao-ca.crt"'),
                *shared,
            ),
            data,
        ),
    }


def address(config: Config) -> str:
    """The page's address as a phone in the plant reaches it: plain HTTP, because there is no trust yet."""
    host = config.host
    if host in ("0.0.0.0", "::"):
        host = next(iter(tls.lan_addresses()), "127.0.0.1")
    port = config.http_port or config.port
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}{'' if port == 80 else f':{port}'}{PATH}"


def told(config: Config, certificate: Path) -> list[str]:
    """For the terminal: where devices are told to trust us, and what they must see there."""
    where = address(config)
    return [f"phones and terminals trust this address once: {where}", f"  SHA-256 {tls.fingerprint(certificate)}"]


def code(text: str) -> str:
    """A QR code as an SVG to put into a page."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", scale=6, border=2, xmldecl=False, title=text)
    return out.getvalue().decode()


def _page(config: Config, certificate: Path) -> str:
    where = address(config)
    steps = "".join(
        f"<section><h2>{html.escape(name)}</h2><ol>"
        + "".join(f"<li>{html.escape(zh)}<br><small lang=en>{html.escape(en)}</small></li>" for zh, en in lines)
        + "</ol></section>"
        for name, lines in STEPS
    )
    print_ = tls.fingerprint(certificate)
    return f"""<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>联造 Lianzao · 安装证书</title>
<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:1.5rem auto;padding:0 1rem;color:#1c2430}}
h1{{font-size:1.4rem}}h2{{font-size:1.05rem;margin:1.2rem 0 .2rem}}small{{color:#5a6675}}
a.get{{display:inline-block;padding:.7rem 1.2rem;background:#1f5eff;color:#fff;border-radius:8px;text-decoration:none}}
code{{word-break:break-all;background:#eef1f5;padding:.1rem .3rem;border-radius:4px}}
svg{{width:180px;height:180px;background:#fff}}
@media (prefers-color-scheme:dark){{body{{background:#12161c;color:#e6eaf0}}
small{{color:#9aa7b6}}code{{background:#222a34}}}}
</style>
<h1>让这台设备信任联造 <small lang="en">Let this device trust Lianzao</small></h1>
<p>安装一次证书，浏览器就能安全连接，相机扫码和离线使用也才可用。<br>
<small lang="en">Install the certificate once: the connection is secure then, camera and offline use work.</small></p>
<p><a class="get" href="{FILE}">下载证书 · Download certificate</a></p>
<p>安装前核对指纹（SHA-256），应与服务器终端显示的一致。
<small lang="en">Compare the fingerprint with the one in the server's terminal before you install it.</small><br>
<code>{print_}</code></p>
{steps}
<h2>其他设备 <small lang="en">Other devices</small></h2>
<p>{code(where)}<br><code>{html.escape(where)}</code></p>
"""
