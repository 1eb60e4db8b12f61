"""The command line: flags, exit codes, and what each command really does to a database."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import psycopg
import pytest
from django.test import Client
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from lianzao.foundation import rebuild
from project import cli, doctor, migrating, pages
from project.config import load
from project.postgres import OWNER

COMMANDS = ("serve", "demo", "import", "export", "plan", "rebuild", "doctor", "user")


@pytest.fixture
def house(fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test_ground) -> str:
    """A database of this version, reached through the environment as an operator would."""
    monkeypatch.setenv("LIANZAO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIANZAO_SECRET_KEY", "k" * 40)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    name = conninfo_to_dict(fresh_database)["dbname"]
    with psycopg.connect(test_ground.cluster.url(str(name), OWNER), autocommit=True) as connection:
        mark = sql.Literal(migrating.wanted())
        connection.execute(sql.SQL("COMMENT ON TABLE django_migrations IS {}").format(mark))
    from lianzao.access.commands import set_up_roles
    from lianzao.foundation.actor import system_actor

    set_up_roles(system_actor("test"))
    return fresh_database


def run(*arguments: str) -> int:
    return cli.main(list(arguments))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(command, "--help")
    assert ended.value.code == 0 and f"lianzao {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["serve", "--port", "many"], ["demo", "--speed", "0"], ["user"], ["plan"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2


def test_wrong_settings_are_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LIANZAO_PORT", "0")
    assert run("doctor") == 3 and "LIANZAO_PORT" in capsys.readouterr().err


def test_the_demo_never_touches_a_database_of_yours(house: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo") == 2 and "unset LIANZAO_DATABASE_URL" in capsys.readouterr().err


def test_people_are_let_in_and_can_log_in(
    house: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def log_in(password: str) -> int:
        body = json.dumps({"login": "wang", "password": password})
        return Client().post("/api/access/login", body, content_type="application/json").status_code

    monkeypatch.setattr(sys, "stdin", io.StringIO("Sturdy-bridge-17\n"))
    assert run("user", "add", "wang", "--name", "王工", "--role", "planner", "--password-stdin") == 0
    assert log_in("Sturdy-bridge-17") == 200 and log_in("wrong") == 401
    assert run("user", "add", "wang", "--name", "王工", "--generate") == 1
    assert "taken already" in capsys.readouterr().err
    assert run("user", "role", "wang", "buyer") == 0 and run("user", "role", "wang", "planner", "--remove") == 0
    assert run("user", "role", "wang", "wizard") == 1
    capsys.readouterr()
    assert run("user", "list") == 0 and capsys.readouterr().out == "wang\t王工\tbuyer\n"
    assert run("user", "password", "wang", "--generate") == 0
    made = capsys.readouterr().out.split("password: ")[1].split()[0]
    assert log_in("Sturdy-bridge-17") == 401 and log_in(made) == 200


def test_a_login_whose_role_is_unknown_is_not_made(house: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("user", "add", "li", "--name", "李", "--role", "wizard", "--generate") == 1
    capsys.readouterr()
    assert run("user", "list") == 0 and capsys.readouterr().out == ""


def test_files_go_in_and_out(house: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sites.csv"
    file.write_text("code,name,name_en\nSZ,苏州,Suzhou\n", encoding="utf-8")
    assert run("import", "access.site", str(file), "--dry-run") == 0
    assert "1 made" in capsys.readouterr().out
    assert run("export", "access.site") == 0 and "苏州" not in capsys.readouterr().out
    assert run("import", "access.site", str(file)) == 0
    out = tmp_path / "out.csv"
    assert run("export", "access.site", "--output", str(out)) == 0 and "苏州" in out.read_text(encoding="utf-8-sig")
    file.write_text("code,name\nWH,武汉\n,北京\n", encoding="utf-8")
    assert run("import", "access.site", str(file)) == 1 and "nothing was imported" in capsys.readouterr().err
    assert run("import", "nosuch", str(file)) == 2 and run("import", "access.site", str(tmp_path / "none.csv")) == 2
    assert run("export", "nosuch.kind") == 2 and run("export", "access.site", "--output", "a.pdf") == 2
    assert run("import", "--list") == 0 and "  access.site\n" in capsys.readouterr().out


def test_books_that_differ_are_told_and_set_right(
    house: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("rebuild") == 0 and "✓ inventory.balances" in capsys.readouterr().out
    wrong = ["balance 5, moves 4"]
    monkeypatch.setitem(
        rebuild.CHECKS, "test.books", rebuild.Check("test.books", lambda: wrong, lambda _: wrong.clear())
    )
    assert run("rebuild") == 1 and "balance 5, moves 4" in capsys.readouterr().out
    assert run("rebuild", "test.books", "--repair") == 0 and run("rebuild", "test.books") == 0
    assert run("rebuild", "nosuch") == 2


def test_a_site_is_planned(house: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "nosuch") == 1 and "nosuch" in capsys.readouterr().err


PARKED = """
WITH told AS (
    INSERT INTO foundation_event (id, name, at, recorded_at, order_id, site_id, payload, xid)
    SELECT gen_random_uuid(), 'sales.OrderConfirmed', now(), now(), gen_random_uuid(), NULL, '{"price": "12.50"}', 1
    RETURNING id)
INSERT INTO foundation_delivery (id, event_id, subscriber, key, status, due_at, made_at, attempts, error)
SELECT gen_random_uuid(), id, %s, '', 'parked', now(), now(), 8, E'Traceback\nValueError: no account' FROM told
RETURNING id
"""


def test_what_was_given_up_is_listed_read_tried_again_and_dropped(
    house: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("deliveries", "list") == 0 and capsys.readouterr().out == ""
    with psycopg.connect(house, autocommit=True) as connection:
        one, two, three = (
            connection.execute(PARKED, [name]).fetchone()[0]  # type: ignore[index]
            for name in ("flows.a.b", "flows.a.b", "flows.c.d")
        )
        assert run("deliveries", "list") == 1
        listed = capsys.readouterr().out
        assert listed.count("ValueError: no account") == 3 and one.hex[-12:] in listed
        assert run("deliveries", "show", one.hex[-12:]) == 0
        shown = capsys.readouterr().out
        assert '"price": "12.50"' in shown and "sales.OrderConfirmed" in shown and "Traceback" in shown
        assert run("deliveries", "show", "abcdef") == 3 and run("deliveries", "retry") == 2
        assert run("deliveries", "drop", "--subscriber", "flows.a.b", "--reason", " ") == 1
        assert run("deliveries", "drop", "--subscriber", "flows.a.b", "--reason", "done by hand") == 0
        assert run("deliveries", "retry", str(three)) == 0
        assert run("deliveries", "retry", "--all") == 1, "none is parked any more"
        states = dict(connection.execute("SELECT id, status FROM foundation_delivery").fetchall())
        assert states == {one: "dropped", two: "dropped", three: "pending"}
        why = connection.execute(
            "SELECT body ->> 'reason' FROM foundation_order WHERE command = 'foundation.drop_deliveries'"
        ).fetchone()
        assert why == ("done by hand",)


def test_the_doctor_finds_what_is_wrong(
    house: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIANZAO_PORT", "1")
    monkeypatch.setattr(pages, "DIST", tmp_path)
    with psycopg.connect(house, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO foundation_delivery (id, event_id, subscriber, key, status, due_at, made_at, attempts, error)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), 'flows.x', '', 'parked', now(), now(), 8, 'ValueError: no')"
        )
    states = {each.subject: each for each in doctor.examine(load())}
    assert states["deliveries"].state == doctor.TROUBLE and "8" not in states["deliveries"].todo
    assert "1 of flows.x" in states["deliveries"].said and "ValueError: no" in states["deliveries"].said
    assert states["screens"].state == doctor.TROUBLE and "bootstrap.py screens" in states["screens"].todo
    for subject in ("data folder", "disk", "database", "roles", "clock", "migrations", "row security", "partitions"):
        assert states[subject].state != doctor.TROUBLE, states[subject]
    assert run("doctor") == 1 and "things are wrong" in capsys.readouterr().out
    with psycopg.connect(house.replace("lianzao_app", OWNER), autocommit=True) as owner:
        owner.execute("COMMENT ON TABLE django_migrations IS 'lianzao schema of yesterday'")
        owner.execute("ALTER TABLE sales_sales_order DISABLE ROW LEVEL SECURITY")
    states = {each.subject: each for each in doctor.examine(load())}
    assert states["migrations"].state == doctor.TROUBLE and "lianzao serve" in states["migrations"].todo


def test_the_pages_are_served_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in pages.PAGES:
        (tmp_path / f"{name}.html").write_text(f"<p>{name}</p>" + " " * 2000)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "main-BUqS3xk9.js").write_text("let a = 1;\n" * 200)
    (tmp_path / "assets" / "mark.svg").write_text("<svg/>")
    (tmp_path.parent / "secret.txt").write_text("no")
    monkeypatch.setattr(pages, "build", pages.Build(tmp_path))
    client = Client()
    for path, page in {"/": "office", "/orders/1": "office", "/terminal": "terminal", "/portal/a/b": "portal"}.items():
        answer = client.get(path)
        assert answer.status_code == 200 and f"<p>{page}</p>".encode() in answer.content
        assert answer["Cache-Control"] == "no-cache" and "wasm-unsafe-eval" in answer["Content-Security-Policy"]
    script = client.get("/assets/main-BUqS3xk9.js", headers={"accept-encoding": "gzip"})
    assert script["Cache-Control"].endswith("immutable") and script["Content-Encoding"] == "gzip"
    assert len(script.content) < 300 and script["Content-Type"].startswith("text/javascript")
    again = client.get("/assets/main-BUqS3xk9.js", headers={"if-none-match": script["ETag"]})
    assert again.status_code == 304 and not again.content
    assert "immutable" not in client.get("/assets/mark.svg")["Cache-Control"]
    for path in ("/assets/none-12345678.js", "/nothing.png", "/api/nothing", "/../secret.txt", "/%2e%2e/secret.txt"):
        assert client.get(path).status_code == 404, path
    assert client.post("/terminal").status_code == 405
    monkeypatch.setattr(pages, "build", pages.Build(tmp_path / "none"))
    missing = client.get("/")
    assert missing.status_code == 503 and b"scripts/bootstrap.py screens" in missing.content
