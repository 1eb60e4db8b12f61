"""A PostgreSQL server as somebody else's administrator runs it: TCP, passwords by SCRAM, TLS by its own authority."""

from __future__ import annotations

import secrets
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg

from project import tls
from project.programs import SYSTEM_HOME, GroundError, ServerUser

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
#: The administrator as hosted servers give one: may make roles and databases, but is no superuser.
BOSS = "boss"


class Server:
    """Debian's PostgreSQL 15 on a port of 127.0.0.1, that lets in nobody without TLS and password."""

    def __init__(self, folder: Path) -> None:
        self.user = ServerUser()
        self.home = SYSTEM_HOME / f"server-{secrets.token_hex(4)}" if self.user.as_root else folder / "server"
        self.authority = tls.Authority(folder / "authority")
        self.words = {name: secrets.token_urlsafe(12) for name in ("postgres", BOSS)}
        with socket.create_server(("127.0.0.1", 0)) as made:
            self.port = int(made.getsockname()[1])

    def url(self, user: str, password: str, dbname: str, **more: str) -> str:
        """The address of a database for a login, its certificate checked."""
        options = {"sslmode": "verify-full", "sslrootcert": str(self.authority.certificate)} | more
        return f"postgresql://{user}:{quote(password)}@localhost:{self.port}/{dbname}?{urlencode(options)}"

    def start(self) -> None:
        """Make and start it."""
        self.authority.ensure()
        self.authority.leaf(["localhost"])
        self.user.private_folder(self.home)
        data, word = self.home / "data", self.home / "word"
        word.write_text(self.words["postgres"])
        self.user.give(word)
        self._run("initdb", "-D", str(data), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={word}", "--no-sync")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        for name, source in (("own.crt", self.authority.pair.certificate), ("own.key", self.authority.pair.key)):
            (data / name).write_bytes(source.read_bytes())
            self.user.give(data / name)
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off",
            "synchronous_commit": "off", "ssl": "on", "ssl_cert_file": "own.crt", "ssl_key_file": "own.key",
            "max_connections": 100,
        }  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._run("pg_ctl", "-D", str(data), "-l", str(self.home / "log"), "-w", "start")
        with self.connect() as connection:
            connection.execute(f"CREATE ROLE {BOSS} LOGIN CREATEROLE CREATEDB PASSWORD '{self.words[BOSS]}'")  # type: ignore[arg-type]

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as superuser, for looking."""
        return psycopg.connect(
            self.url("postgres", self.words["postgres"], dbname), autocommit=True, client_encoding="utf8"
        )

    def stop(self) -> None:
        """Stop it and delete its data."""
        self.user.run([str(DEBIAN_15 / "pg_ctl"), "-D", str(self.home / "data"), "-m", "immediate", "-w", "stop"])
        shutil.rmtree(self.home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = self.user.run([str(DEBIAN_15 / program), *arguments])
        if done.returncode:
            raise GroundError(f"{program} of PostgreSQL 15 failed: {done.stdout}{done.stderr}")
