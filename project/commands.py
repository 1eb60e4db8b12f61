"""What the command line's commands do. The house is opened only by those that need it."""

from __future__ import annotations

import argparse
import getpass
import importlib
import importlib.util
import json
import os
import pkgutil
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg

from project import backup, database, doctor, logs, migrating, opening, postgres, progress
from project.config import ROOT, Config
from project.postgres import GroundError
from project.processes import module
from project.supervisor import Plan, Supervisor, alone

if TYPE_CHECKING:
    from lianzao.foundation.actor import Actor


class Refusal(Exception):
    """What was asked for is not done; the message says why. Exit code 1."""


class Usage(Exception):
    """The flags do not go together. Exit code 2."""


def say(text: str) -> None:
    """A line to the person at the terminal, at once."""
    print(text, flush=True)


def whisper(text: str) -> None:
    """A line about what goes on; standard output belongs to the result."""
    print(text, file=sys.stderr, flush=True)


def _actor() -> Actor:
    from lianzao.foundation.actor import system_actor

    return system_actor("command_line")


def _refusal(error: Any) -> Refusal:
    """A DomainError as its sentence."""
    from lianzao.foundation import words

    language = "en" if os.environ.get("LANG", "").startswith("en") else "zh-CN"
    facts = {**error.facts, **({"field": error.field} if error.field else {})}
    if "entity" in facts:
        facts["entity"] = words.title(language, str(facts["entity"]))
    row = f"row {error.row}: " if error.row is not None else ""
    which = f": {error.facts['id']}" if "id" in error.facts else ""
    return Refusal(f"{row}{words.say(f'error.{error.code}', language, **facts)} [{error.code}{which}]")


# -- running ----------------------------------------------------------------------------------------------------------


def run_serve(given: argparse.Namespace, config: Config) -> int:
    """Start everything and stay until told to stop."""

    def told() -> list[str]:
        with psycopg.connect(postgres.application_url(config), autocommit=True) as connection:
            row = connection.execute("SELECT EXISTS (SELECT 1 FROM access_person)").fetchone()
        if row is not None and row[0]:
            return []
        return ["nobody can log in yet: lianzao user add NAME --name … --role administrator"]

    Supervisor(config, Plan(config.web_workers, given.work, given.plan, told=told), logs.sayer(config.log, say)).run()
    return 0


LOGIN_HEAD = "角色 role       登录 login     密码 password  姓名 name"


def run_demo(given: argparse.Namespace, config: Config) -> int:
    """Build the demo plant if there is none, and run it."""
    if importlib.util.find_spec("demo") is None:
        raise GroundError("this installation has no demo plant (demo/plant.py): get it from the source tree")
    if given.fresh:
        with alone(config):
            postgres.cluster_of(config).destroy()
            _built(config).unlink(missing_ok=True)
            for name in ("secret_key", "postgres", "run"):
                place = config.data / name
                shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)
    speed = None if given.no_simulator else given.speed

    def told() -> list[str]:
        return [
            "",
            "角色 role           登录 login      密码 password",
            *_built(config).read_text("utf-8").splitlines(),
        ]

    first = DemoPlant(config)
    Supervisor(config, Plan(2, given.work, given.plan, speed=speed, backup=False, first=first, told=told), say).run()
    return 0


def _built(config: Config) -> Path:
    """Written when the plant is whole: its logins, as lines."""
    return config.data / "built"


class DemoPlant:
    """Builds the demo plant in an empty database; one that was broken off is begun anew."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, environ: dict[str, str]) -> None:
        mark = _built(self.config)
        if mark.is_file() and self._has_people():
            return
        mark.unlink(missing_ok=True)
        if self._has_people():
            say("the demo plant was not completed: beginning anew …")
            cluster = postgres.cluster_of(self.config)
            cluster.drop_database(postgres.DATABASE)
            postgres.start_embedded(self.config)
            migrating.bring_up_to_date(self.config)
        with progress.telling("building the demo plant", at_once=True):
            done = subprocess.run(
                [sys.executable, "-m", "project.commands"], env=environ, stdout=subprocess.PIPE, text=True
            )
        if done.returncode:
            raise GroundError("the demo plant could not be built; what went wrong stands above")
        draft = mark.with_name("built.new")
        draft.write_text(done.stdout, encoding="utf-8")
        draft.rename(mark)

    def _has_people(self) -> bool:
        with psycopg.connect(postgres.application_url(self.config), autocommit=True) as connection:
            row = connection.execute("SELECT EXISTS (SELECT 1 FROM access_person)").fetchone()
        return row is not None and bool(row[0])


def build_demo() -> None:
    """In a process of its own: build the plant, then print one login for each role, and what to try."""
    from project.processes import django_is_set_up

    django_is_set_up()
    made = importlib.import_module("demo.plant").build()
    first_of_role = {each.role: each for each in reversed(made.logins)}
    for each in made.logins:
        if first_of_role[each.role] is each:
            badge = f"   badge {each.badge}, PIN {each.pin}" if each.badge else ""
            print(f"{each.role:15} {each.login:14} {each.password:14} {each.name} {each.name_en}{badge}")
    print()
    print(made.hint.said("zh-CN"))
    print(made.hint.said("en"))


# -- files ------------------------------------------------------------------------------------------------------------


def run_import(given: argparse.Namespace, config: Config) -> int:
    """A file of a kind, or a folder through a connector."""
    if not given.list and (given.what is None or given.path is None):
        raise Usage("say what to import, and from where: lianzao import catalog.item items.csv (or --list)")
    if not given.list and not given.path.exists():
        raise Usage(f"there is no {given.path}")
    with opening.house(config):
        if given.list:
            return _list_imports()
        from lianzao.values.errors import DomainError

        try:
            if "." in given.what:
                return _import_file(given)
            return _run_connector(given)
        except DomainError as error:
            raise _refusal(error) from error


def _list_imports() -> int:
    from lianzao.foundation import registry

    say("kinds:")
    for kind in sorted(kind for kind, resource in registry.RESOURCES.items() if resource.writable_names):
        say(f"  {kind}")
    say("connectors:")
    for name in _connectors():
        say(f"  {name}")
    return 0


def _connectors() -> list[str]:
    package = module("lianzao.integration.connectors")
    return [] if package is None else sorted(each.name for each in pkgutil.iter_modules(package.__path__))


def _import_file(given: argparse.Namespace) -> int:
    from lianzao.foundation import transfer

    mapping = json.loads(given.mapping.read_text(encoding="utf-8")) if given.mapping else None
    result = transfer.import_file(
        _actor(),
        kind=given.what,
        data=given.path.read_bytes(),
        filename=given.path.name,
        mapping=mapping,
        dry_run=given.dry_run,
    )
    would = " (dry run: nothing was changed)" if given.dry_run else ""
    say(f"{result.rows} rows: {result.created} made, {result.changed} changed, {result.unchanged} as they were{would}")
    if result.ignored:
        say(f"headings that fit no field: {', '.join(result.ignored)}")
    for error in result.errors:
        whisper(str(error))
    if result.error_count:
        raise Refusal(f"{result.error_count} rows are wrong; nothing was imported")
    return 0


def _run_connector(given: argparse.Namespace) -> int:
    if given.what not in _connectors():
        raise Usage(f"there is no kind or connector {given.what!r}: see lianzao import --list")
    connector = importlib.import_module(f"lianzao.integration.connectors.{given.what}")
    refused = connector.load(_actor(), given.path, as_of=given.as_of, dry_run=given.dry_run, say=say)
    return 1 if refused else 0


def run_export(given: argparse.Namespace, config: Config) -> int:
    """Rows of a kind into a file, or as CSV to standard output."""
    form = given.output.suffix.lstrip(".").lower() if given.output else "csv"
    if form not in ("csv", "xlsx"):
        raise Usage("the file's name must end in .csv or .xlsx")
    if any("=" not in each for each in given.filters):
        raise Usage("filters are given as field=value")
    query = dict(each.split("=", 1) for each in given.filters)
    with opening.house(config):
        from lianzao.foundation import registry, transfer
        from lianzao.values.errors import DomainError

        resource = registry.RESOURCES.get(given.kind)
        if resource is None:
            raise Usage(f"there is no kind {given.kind!r}; there are: {', '.join(sorted(registry.RESOURCES))}")
        try:
            data, _ = transfer.export_rows(_actor(), resource, query, form)
        except DomainError as error:
            raise _refusal(error) from error
    if given.output:
        given.output.write_bytes(cast(bytes, data))
        whisper(f"{given.output}: {len(data)} bytes")
    else:
        sys.stdout.buffer.write(cast(bytes, data))
        sys.stdout.flush()
    return 0


# -- planning and proving ---------------------------------------------------------------------------------------------


def run_plan(given: argparse.Namespace, config: Config) -> int:
    """Plan a site, or all."""
    with opening.house(config):
        planning = module("lianzao.planning.commands")
        if planning is None:
            raise GroundError("this installation has no planning room")
        from lianzao.access.queries import site_by_code, sites_of
        from lianzao.engine import solver
        from lianzao.values.errors import DomainError

        solver.warm()
        by = _actor()
        try:
            sites = sites_of(by) if given.site == "all" else [site_by_code(given.site)]
            for site in sites:
                run = planning.plan_site(by, site=site, why=given.why)
                say(f"{site.code}: {getattr(run, 'number', '') or run.id} {getattr(run, 'status', '')}".rstrip())
        except DomainError as error:
            raise _refusal(error) from error
    return 0


SHOWN = 20


def run_rebuild(given: argparse.Namespace, config: Config) -> int:
    """Prove the projections; with --repair set right what differs."""
    with opening.house(config):
        checks = _checks()
        unknown = sorted(set(given.names) - set(checks))
        if unknown:
            raise Usage(f"there is no proof {', '.join(unknown)}; there are: {', '.join(sorted(checks))}")
        wrong = 0
        for name in given.names or sorted(checks):
            found = list(checks[name].find())
            if not found:
                say(f"✓ {name}")
                continue
            say(f"✗ {name}: {len(found)} differ")
            for each in found[:SHOWN]:
                say(f"    {each}")
            if given.repair and checks[name].repair is not None:
                checks[name].repair(_actor())
                left = len(checks[name].find())
                say(f"    set right; {left} differ now")
                wrong += bool(left)
            else:
                wrong += 1
    return 1 if wrong else 0


def _checks() -> dict[str, Any]:
    from lianzao.foundation import rebuild

    inventory, repairs = module("lianzao.inventory.queries"), module("lianzao.inventory.commands")
    if inventory is not None and "inventory.balances" not in rebuild.CHECKS:
        repair = getattr(repairs, "rebuild_balances", None)
        rebuild.proves("inventory.balances", repair)(inventory.rebuild_balances)
    return dict(rebuild.CHECKS)


def run_backup(given: argparse.Namespace, config: Config) -> int:
    """Back up, or try a backup out."""
    if given.file is not None and not given.verify:
        raise Usage("--file names a backup to --verify; to bring one back: lianzao restore FILE")
    if given.list:
        for each in backup.kept(config):
            verified = f"verified {each.verified_at:%Y-%m-%d %H:%M}" if each.verified_at else "not verified"
            size = each.path.stat().st_size / 1e6
            say(f"{each.path}  {each.made_at:%Y-%m-%d %H:%M} UTC  {size:.1f} MB  {verified}")
        return 0
    made = given.file
    if made is None:
        with opening.database(config):
            made = backup.make(config, given.to)
        say(str(made))
    if given.verify:
        backup.verify(config, made, whisper)
        whisper("it can be restored, whole, and its books agree")
    return 0


def run_restore(given: argparse.Namespace, config: Config) -> int:
    """Bring a backup back."""
    backup.check(given.file)
    with alone(config), opening.database(config):
        backup.restore(config, given.file, whisper)
        migrating.bring_up_to_date(config)
    say("restored: lianzao serve")
    return 0


def run_database(given: argparse.Namespace, config: Config) -> int:
    """Roles and database on a server that is not ours."""
    if given.action == "sql":
        say(database.script(config, given.major))
        return 0
    database.logins(config)
    if not config.admin_url:
        raise GroundError(
            "Set LIANZAO_ADMIN_URL, for this command alone, to the URL of somebody who may make roles and databases; "
            "or hand what `lianzao database sql` prints to the server's administrator"
        )
    for line in database.set_up(config, config.admin_url):
        say(line)
    migrating.bring_up_to_date(config)
    say("the database is ready: lianzao doctor, lianzao serve")
    return 0


def run_deliveries(given: argparse.Namespace, config: Config) -> int:
    """News that could not be carried out."""
    if given.action in ("retry", "drop") and not (given.id or given.subscriber or given.all):
        raise Usage("say which: ids, --subscriber NAME, or --all")
    with opening.house(config):
        from project import deliveries

        if given.action == "list":
            found = deliveries.listed(given.status, given.subscriber)
            for line in found:
                say(line)
            return 1 if found and given.status == "parked" else 0
        if given.action == "show":
            for line in deliveries.shown(given.id):
                say(line)
            return 0
        ids = deliveries.chosen(given.id, given.subscriber)
        moved = deliveries.retry(_actor(), ids) if given.action == "retry" else _dropped(ids, given.reason)
        say(f"{moved} {'wait to be tried again' if given.action == 'retry' else 'dropped'}")
    return 0 if moved else 1


def _dropped(ids: list[Any], reason: str) -> int:
    from lianzao.values.errors import DomainError
    from project import deliveries

    try:
        return deliveries.drop(_actor(), ids, reason)
    except DomainError as error:
        raise _refusal(error) from error


def run_docs(given: argparse.Namespace, config: Config) -> int:
    """The reference, from what the house declares; needs no database."""
    from project import docs, processes

    processes.django_is_set_up()
    made = docs.write()
    docs.SCHEMA.write_text(docs.schema(), encoding="utf-8")
    say(f"{len(made)} pages in {docs.FOLDER}, the API schema in {docs.SCHEMA}")
    return 0


def run_doctor(given: argparse.Namespace, config: Config) -> int:
    """Look at everything."""
    set_now = doctor.settings(dict(os.environ))
    found = doctor.examine(config)
    for each in found:
        say(doctor.told(each))
    if set_now:
        say("settings from the environment:")
        for line in set_now:
            say(line)
    wrong = sum(each.state == doctor.TROUBLE for each in found)
    say("all is well" if not wrong else f"{wrong} things are wrong")
    return 1 if wrong else 0


# -- people -----------------------------------------------------------------------------------------------------------


def run_user(given: argparse.Namespace, config: Config) -> int:
    """Add people, set passwords, give roles, list."""
    secret = _secret(given) if given.action in ("add", "password") else ""
    with opening.house(config):
        from lianzao.values.errors import DomainError

        try:
            {"add": _add, "password": _password, "role": _role, "list": _list}[given.action](given, secret)
        except DomainError as error:
            raise _refusal(error) from error
    if given.action in ("add", "password") and given.generate:
        say(f"password: {secret}   (to be changed at the first login)")
    return 0


def _secret(given: argparse.Namespace) -> str:
    if given.generate and given.password_stdin:
        raise Usage("--generate and --password-stdin do not go together")
    if given.generate:
        return secrets.token_urlsafe(12)
    if given.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Usage("no terminal to ask for the password: use --generate or --password-stdin")
    first = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != first:
        raise Usage("the two passwords differ")
    return first


def _person(login: str) -> Any:
    from lianzao.access.models import Person
    from lianzao.values.errors import NotFound

    found = Person.objects.filter(login=login, retired_at=None).first()
    if found is None:
        raise NotFound("not_found", entity="access.person", id=login)
    return found


def _role_at(text: str) -> tuple[Any, Any]:
    from lianzao.access.models import Role
    from lianzao.access.queries import site_by_code
    from lianzao.values.errors import NotFound

    code, _, place = text.partition("@")
    role = Role.objects.filter(code=code, retired_at=None).first()
    if role is None:
        raise NotFound("not_found", entity="access.role", id=code)
    return role, site_by_code(place) if place else None


def _add(given: argparse.Namespace, secret: str) -> None:
    from django.db import transaction

    from lianzao.access import commands

    with transaction.atomic():
        by = _actor()
        partner = _party(given.partner) if given.partner else None
        person = commands.create_person(
            by,
            login=given.login,
            name=given.name,
            name_en=given.name_en,
            language=given.language,
            partner_id=partner,
        )
        person = _person(given.login)
        commands.set_password(by, person=person, password=secret, temporary=given.generate)
        for each in given.role:
            role, site = _role_at(each)
            commands.assign_role(by, person=person, role=role, site=site)
    say(f"{given.login} may log in" + ("" if given.role else "; no role yet: lianzao user role LOGIN ROLE"))


def _party(code: str) -> Any:
    from django.apps import apps

    from lianzao.values.errors import NotFound

    found = cast(Any, apps.get_model("parties", "Party")).objects.filter(code=code).first()
    if found is None:
        raise NotFound("not_found", entity="parties.party", id=code)
    return found.id


def _password(given: argparse.Namespace, secret: str) -> None:
    from lianzao.access import commands

    commands.set_password(_actor(), person=_person(given.login), password=secret, temporary=given.generate)
    say(f"{given.login} has a new password")


def _role(given: argparse.Namespace, _: str) -> None:
    from lianzao.access import commands
    from lianzao.access.models import Assignment
    from lianzao.values.errors import NotFound

    person = _person(given.login)
    role, site = _role_at(given.role)
    if not given.remove:
        commands.assign_role(_actor(), person=person, role=role, site=site)
        say(f"{given.login} is {given.role}")
        return
    held = Assignment.objects.filter(person=person, role=role, site=site).first()
    if held is None:
        raise NotFound("not_found", entity="access.assignment", id=given.role)
    commands.remove_assignment(_actor(), assignment=held)
    say(f"{given.login} is no longer {given.role}")


PEOPLE = """
SELECT p.login, p.name, coalesce(string_agg(r.code || coalesce('@' || s.code, ''), ' ' ORDER BY r.code), '—')
FROM access_person p LEFT JOIN access_assignment a ON a.person_id = p.id
LEFT JOIN access_role r ON r.id = a.role_id LEFT JOIN access_site s ON s.id = a.site_id
WHERE p.retired_at IS NULL GROUP BY p.login, p.name ORDER BY p.login
"""


def _list(given: argparse.Namespace, _: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(PEOPLE)
        for login, name, roles in cursor.fetchall():
            say(f"{login}\t{name}\t{roles}")
        cursor.execute("SELECT code FROM access_role WHERE retired_at IS NULL ORDER BY code")
        whisper("roles: " + " ".join(row[0] for row in cursor.fetchall()))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    build_demo()
