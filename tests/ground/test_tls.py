"""HTTPS by real TLS clients: our own authority, renewal, one port for both, the install page, and a proxy in front."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from project import alive, config, tls, trust
from project.front import Front, Upstream
from project.postgres import GroundError
from project.supervisor import refuse_plain
from tests.ground.test_front import Echo


def settings(tmp_path: Path, **more: str) -> config.Config:
    return config.load({"LIANZAO_DATA": str(tmp_path), "LIANZAO_HTTPS": "1", **more})


def test_the_authority_is_made_once_and_its_keys_are_ours_alone(tmp_path: Path) -> None:
    pair = tls.prepare(settings(tmp_path))
    assert pair is not None and pair.own
    folder = tmp_path / "tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    first = {name: (folder / name).read_bytes() for name in ("ca.crt", "ca.key", "server.crt", "server.key")}
    assert tls.prepare(settings(tmp_path)) == pair
    assert {name: (folder / name).read_bytes() for name in first} == first
    assert 80 < tls.days_left(pair.certificate) < 91 and tls.days_left(folder / "ca.crt") > 3000


def test_the_certificate_is_made_anew_in_time_or_for_another_name(tmp_path: Path) -> None:
    tls.prepare(settings(tmp_path))
    authority = tls.Authority(tmp_path / "tls")
    names = tls.names(settings(tmp_path))
    kept = tls.certificate(authority.pair.certificate).serial_number
    assert not authority.leaf(names, datetime.now(UTC) + timedelta(days=tls.LEAF_DAYS - tls.RENEW_DAYS - 1))
    assert authority.leaf(names, datetime.now(UTC) + timedelta(days=tls.LEAF_DAYS - tls.RENEW_DAYS + 1))
    assert authority.leaf([*names, "mes.plant"])
    assert not authority.leaf(["mes.plant"]), "one that is good for more serves"
    authority.pair.key.write_bytes(b"torn")
    assert authority.leaf(names)
    assert tls.certificate(authority.pair.certificate).serial_number != kept
    tls.context(authority.pair)


def test_half_an_authority_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    tls.prepare(settings(tmp_path))
    (tmp_path / "tls" / "ca.key").unlink()
    with pytest.raises(GroundError, match=r"bring back ca\.crt and ca\.key from a backup"):
        tls.prepare(settings(tmp_path))


def test_a_given_certificate_must_fit_its_key_and_names_our_hosts(tmp_path: Path) -> None:
    tls.prepare(settings(tmp_path / "a", LIANZAO_ALLOWED_HOSTS="mes.plant"))
    tls.prepare(settings(tmp_path / "b"))
    given = {
        "LIANZAO_TLS_CERT": str(tmp_path / "a" / "tls" / "server.crt"),
        "LIANZAO_TLS_KEY": str(tmp_path / "a" / "tls" / "server.key"),
    }
    pair = tls.prepare(settings(tmp_path, **given))
    assert pair is not None and not pair.own and not (tmp_path / "tls").exists()
    assert "mes.plant" in tls.hosts(settings(tmp_path, **given)) and "[::1]" in tls.hosts(settings(tmp_path, **given))
    with pytest.raises(GroundError, match="LIANZAO_TLS_KEY"):
        tls.prepare(settings(tmp_path, **given | {"LIANZAO_TLS_KEY": str(tmp_path / "b" / "tls" / "server.key")}))
    with pytest.raises(GroundError, match="LIANZAO_TLS_CERT"):
        tls.prepare(settings(tmp_path, **given | {"LIANZAO_TLS_CERT": str(tmp_path / "none.crt")}))
    with pytest.raises(config.ConfigError, match="go together"):
        settings(tmp_path, LIANZAO_TLS_CERT="a.crt")


def test_plain_http_is_for_this_machine_alone(tmp_path: Path) -> None:
    def plain(**more: str) -> None:
        refuse_plain(config.load({"LIANZAO_DATA": str(tmp_path), **more}))

    plain()
    plain(LIANZAO_HOST="::1")
    plain(LIANZAO_HOST="localhost")
    for host in ("0.0.0.0", "::", "192.0.2.7"):
        with pytest.raises(GroundError, match="--https"):
            plain(LIANZAO_HOST=host)
        plain(LIANZAO_HOST=host, LIANZAO_HTTPS="1")
        plain(LIANZAO_HOST=host, LIANZAO_PROXY="10.0.0.5")


# -- on the wire ------------------------------------------------------------------------------------------------------


class Running:
    """A front with an echo behind it, in a thread."""

    def __init__(self, folder: Path, **doors: Any) -> None:
        self.path = str(folder / "web.sock")
        self.echo = Echo()
        self.doors = doors
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.call(self.open())

    async def open(self) -> None:
        self.server = await asyncio.start_unix_server(self.echo.serve, self.path)
        self.front = Front(Upstream("web", self.path), {b"/live": Upstream("live", self.path)}, **self.doors)
        await self.front.start([self.listening])

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def end(self) -> None:
        self.server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def close(self) -> None:
        self.call(self.front.stop(0.2))
        self.call(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def last(self) -> dict[str, str]:
        lines = self.echo.heads[-1].decode().lower().split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines if line)


Make = Callable[..., Running]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Make]:
    made: list[Running] = []

    def make(**doors: Any) -> Running:
        folder = tmp_path / f"front{len(made)}"
        folder.mkdir()
        made.append(Running(folder, **doors))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def secure(tmp_path: Path, running: Make) -> Running:
    """A front that speaks HTTPS by an authority of its own."""
    said = settings(tmp_path)
    pair = tls.prepare(said)
    assert pair is not None
    return running(ssl=tls.context(pair), own=trust.pages(said, tmp_path / "tls" / "ca.crt"), hsts_s=1000)


def trusting(tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.crt"))


def test_who_trusts_the_authority_is_served_and_nobody_else(tmp_path: Path, secure: Running) -> None:
    with httpx.Client(verify=trusting(tmp_path), trust_env=False) as client:
        for name in ("127.0.0.1", "localhost"):
            answer = client.post(f"https://{name}:{secure.port}/echo", content=b"x" * 300_000)
            assert answer.status_code == 200 and answer.content == b"x" * 300_000
        assert secure.last()["x-forwarded-proto"] == "https"
        assert len(client.get(f"https://localhost:{secure.port}/big").content) == 16_000_000
        assert "strict-transport-security" not in answer.headers, "localhost belongs to other programs too"
        named = client.get(f"https://127.0.0.1:{secure.port}/", headers={"host": f"mes.plant:{secure.port}"})
        assert named.headers["strict-transport-security"] == "max-age=1000"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{secure.port}/", trust_env=False)
    assert secure.front.ssl is not None and secure.front.ssl.minimum_version == ssl.TLSVersion.TLSv1_2


def test_plain_http_on_the_same_port_is_sent_to_https(secure: Running) -> None:
    url = f"http://127.0.0.1:{secure.port}"
    answer = httpx.get(f"{url}/orders?a=1", trust_env=False)
    assert answer.status_code == 308 and answer.headers["location"] == f"https://127.0.0.1:{secure.port}/orders?a=1"
    posted = httpx.post(f"{url}/api/access/login", json={"password": "secret"}, trust_env=False)
    assert posted.status_code == 308
    assert httpx.get(url, headers={"host": "evil.example/@a"}, trust_env=False).status_code == 400
    assert secure.echo.heads == [], "nothing of it reaches the house"


def test_a_second_port_sends_to_the_one_of_https(tmp_path: Path, running: Make) -> None:
    pair = tls.prepare(settings(tmp_path))
    assert pair is not None
    front = running(ssl=tls.context(pair), https_port=443)
    answer = httpx.get(f"http://127.0.0.1:{front.port}/a", trust_env=False)
    assert answer.headers["location"] == "https://127.0.0.1/a"


def test_the_install_page_is_read_before_there_is_trust(tmp_path: Path, secure: Running) -> None:
    page = httpx.get(f"http://127.0.0.1:{secure.port}/ca", trust_env=False)
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    assert tls.fingerprint(tmp_path / "tls" / "ca.crt") in page.text and "<svg" in page.text
    for words in ("Android", "iPhone", "Windows", "证书信任设置", "Certificate Trust Settings"):
        assert words in page.text
    taken = httpx.get(f"http://127.0.0.1:{secure.port}/ca.crt", trust_env=False)
    assert taken.headers["content-type"] == "application/x-x509-ca-cert"
    trusts = ssl.create_default_context(cadata=taken.text)
    assert httpx.get(f"https://localhost:{secure.port}/ca", verify=trusts, trust_env=False).status_code == 200
    assert httpx.get(f"http://127.0.0.1:{secure.port}/ca.key", trust_env=False).status_code == 308


def test_news_streams_through_tls(tmp_path: Path, secure: Running) -> None:
    with (
        httpx.Client(verify=trusting(tmp_path), trust_env=False, timeout=10) as client,
        client.stream("GET", f"https://localhost:{secure.port}/live?topics=a") as answer,
    ):
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        assert secure.echo.release is not None
        secure.loop.call_soon_threadsafe(secure.echo.release.set)
        assert b"".join(pieces) == b"second"


def test_a_renewed_certificate_is_shown_to_the_next_caller(tmp_path: Path, secure: Running) -> None:
    def shown() -> int:
        context = trusting(tmp_path)
        with (
            socket.create_connection(("127.0.0.1", secure.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as made,
        ):
            said = made.getpeercert()
            assert said is not None
            return int(str(said["serialNumber"]), 16)

    before = shown()
    authority = tls.Authority(tmp_path / "tls")
    assert authority.leaf([*tls.names(settings(tmp_path)), "new.plant"])
    assert secure.front.ssl is not None
    tls.load(secure.front.ssl, authority.pair)
    assert shown() != before and shown() == tls.certificate(authority.pair.certificate).serial_number


def test_who_connects_and_says_nothing_or_nonsense_holds_nobody_up(
    tmp_path: Path, secure: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("project.front.HEAD_S", 0.3)
    silent = [socket.create_connection(("127.0.0.1", secure.port), 5) for _ in range(20)]
    torn = socket.create_connection(("127.0.0.1", secure.port), 5)
    torn.sendall(b"\x16\x03\x01\x02\x00nonsense" + b"\0" * 600)
    with httpx.Client(verify=trusting(tmp_path), trust_env=False) as client:
        assert client.get(f"https://localhost:{secure.port}/a").status_code == 200
    until = time.monotonic() + 5
    for each in (*silent, torn):
        each.settimeout(max(0.1, until - time.monotonic()))
        while each.recv(1000):  # an alert perhaps, then the end
            pass
        each.close()
    assert not secure.front._greeted


def test_only_the_proxy_in_front_is_believed(running: Make) -> None:
    def asked(front: Running, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"http://127.0.0.1:{front.port}/a", headers=given, trust_env=False)

    nobody = running(proxies=())
    asked(nobody, x_forwarded_for="6.6.6.6", x_forwarded_proto="https")
    assert nobody.last()["x-forwarded-for"] == "127.0.0.1" and nobody.last()["x-forwarded-proto"] == "http"

    networks = config.load({"LIANZAO_PROXY": "127.0.0.1,10.0.0.0/8"}).proxies
    trusting = running(proxies=networks)
    seen = "6.6.6.6, 192.0.2.9, 10.1.1.1"
    answer = asked(trusting, x_forwarded_for=seen, x_forwarded_proto="https", host="mes.plant")
    assert trusting.last()["x-forwarded-for"] == "192.0.2.9", "the last whom the proxies saw"
    assert trusting.last()["x-forwarded-proto"] == "https" and "strict-transport-security" in answer.headers
    assert "x-lianzao-local" not in trusting.last()
    asked(trusting, x_forwarded_for='"><script>')
    assert trusting.last()["x-forwarded-for"] == "127.0.0.1" and trusting.last()["x-forwarded-proto"] == "http"

    other = running(proxies=config.load({"LIANZAO_PROXY": "10.0.0.0/8"}).proxies)
    asked(other, x_forwarded_for="6.6.6.6", x_forwarded_proto="https")
    assert other.last()["x-forwarded-for"] == "127.0.0.1" and other.last()["x-forwarded-proto"] == "http"


def test_only_the_proxy_in_front_says_what_trace_a_request_belongs_to(running: Make) -> None:
    ours = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "x=1"}

    def asked(front: Running, **headers: str) -> dict[str, str]:
        httpx.get(f"http://127.0.0.1:{front.port}/a", headers=headers, trust_env=False)
        return front.last()

    proxies = config.load({"LIANZAO_PROXY": "127.0.0.1"}).proxies
    believing = running(proxies=proxies, traced=True)
    told = asked(believing, **ours)
    assert told["traceparent"] == ours["traceparent"] and told["x-trace-id"] == "a" * 32 and told["tracestate"] == "x=1"
    told = asked(believing, **(ours | {"traceparent": "nonsense"}))
    assert "traceparent" not in told and "tracestate" not in told and told["x-trace-id"] != "a" * 32
    told = asked(running(proxies=(), traced=True), **ours)
    assert "traceparent" not in told and "tracestate" not in told and told["x-trace-id"] != "a" * 32
    told = asked(running(proxies=proxies), **ours)
    assert told["x-trace-id"] != "a" * 32, "where nobody asked for traces nothing is looked at"


def test_past_the_proxy_there_is_no_way_but_for_monitors(running: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.front.LOOPBACK", frozenset())  # so that this machine counts as another
    front = running(proxies=config.load({"LIANZAO_PROXY": "10.0.0.0/8"}).proxies)
    refused = httpx.get(f"http://127.0.0.1:{front.port}/orders", trust_env=False)
    assert refused.status_code == 403 and refused.json()["code"] == "not_by_the_proxy" and front.echo.heads == []
    assert httpx.get(f"http://127.0.0.1:{front.port}/healthz", trust_env=False).status_code == 200


def test_the_health_check_of_a_container_asks_as_we_are_served(running: Make, secure: Running, tmp_path: Path) -> None:
    plain = running()
    asked = {"LIANZAO_DATA": str(tmp_path), "LIANZAO_HOST": "0.0.0.0"}
    assert alive.answers(asked | {"LIANZAO_PORT": str(plain.port)})
    assert alive.answers(asked | {"LIANZAO_PORT": str(secure.port), "LIANZAO_HTTPS": "1"})
    with socket.create_server(("127.0.0.1", 0)) as made:
        free = made.getsockname()[1]
    assert not alive.answers(asked | {"LIANZAO_PORT": str(free)})
