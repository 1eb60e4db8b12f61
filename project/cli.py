"""The command line: `lianzao serve`, `lianzao demo`, and what an operator does by hand.

Exit codes: 0 done · 1 refused, or a check found something · 2 wrong usage · 3 the ground is not ready (database, port,
folder, configuration); the message says what to do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from project import commands, config, logs
from project.config import ConfigError
from project.postgres import GroundError

DONE, REFUSED, USAGE, NOT_READY = 0, 1, 2, 3
DESCRIPTION = "联造 Lianzao: an MES that links the whole supply chain."
EPILOG = """\
examples:
  lianzao demo                                    try it: a small plant that lives
  lianzao serve --port 8080                       run it; data in LIANZAO_DATA
  lianzao user add wang --name 王工 --role planner  let somebody in
  lianzao import catalog.item items.xlsx --dry-run
  lianzao --demo rebuild                          prove the demo plant's books
  lianzao deliveries list                         what was given up
  lianzao doctor                                  what is wrong, and what helps

exit codes: 0 done; 1 refused, or a check found something; 2 wrong usage; 3 the ground is not ready
settings: environment variables LIANZAO_…, see docs/operate/configure.md
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    given = parser().parse_args(arguments)
    try:
        return given.run(given, _configured(given)) or DONE
    except (GroundError, ConfigError) as error:
        logs.complain(os.environ.get("LIANZAO_LOG", "") if given.command == "serve" else "text", str(error))
        return NOT_READY
    except commands.Refusal as error:
        print(f"lianzao: {error}", file=sys.stderr)
        return REFUSED
    except commands.Usage as error:
        print(f"lianzao: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader (head, less) has had enough
        return DONE
    except KeyboardInterrupt:
        return REFUSED


def _configured(given: argparse.Namespace) -> config.Config:
    """The configuration, with what the flags say put into the environment, where children find it too."""
    for flag, name in (("port", "LIANZAO_PORT"), ("host", "LIANZAO_HOST")):
        if getattr(given, flag, None) is not None:
            os.environ[name] = str(getattr(given, flag))
    if getattr(given, "https", False):
        os.environ["LIANZAO_HTTPS"] = "1"
    made = config.load()
    if given.demo or given.command == "demo":
        if not made.embedded:
            raise commands.Usage(
                "the demo plant has a database of its own: unset LIANZAO_DATABASE_URL and LIANZAO_OWNER_URL for it"
            )
        os.environ["LIANZAO_DATA"] = str(made.data / "demo")
        made = config.load()
    return made


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    top = argparse.ArgumentParser(
        prog="lianzao", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--demo", action="store_true", help="work on the demo plant's data instead of your own")
    found = top.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, what: str, examples: str = "") -> argparse.ArgumentParser:
        made = found.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=getattr(commands, f"run_{name}"))
        return made

    _running(
        add(
            "serve",
            "run Lianzao: database, web, live line, workers, planner",
            "  lianzao serve --https --host 0.0.0.0 --port 443",
        )
    )
    demo = add("demo", "run Lianzao with the demo plant, and print a login for each role", "  lianzao demo --speed 600")
    _running(demo)
    demo.add_argument("--speed", type=_positive, default=60.0, help="plant seconds in a real second (default 60)")
    demo.add_argument("--no-simulator", action="store_true", help="the plant stands still")
    demo.add_argument("--fresh", action="store_true", help="delete the demo plant's data and build it anew")

    taken = add(
        "import",
        "read a file of a kind, or a folder through a connector",
        "  lianzao import catalog.item items.csv --dry-run\n"
        "  lianzao import adventureworks /data/aw --as-of 2014-03-31 --dry-run\n  lianzao import --list",
    )
    taken.add_argument("what", nargs="?", help="a kind (catalog.item), a command, or a connector (adventureworks)")
    taken.add_argument("path", nargs="?", type=Path, help="the file, or the connector's folder")
    taken.add_argument("--as-of", type=_day, help="take the data as they were on this day (connectors)")
    taken.add_argument("--mapping", type=Path, help="JSON file that says which heading is which field")
    taken.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
    taken.add_argument("--list", action="store_true", help="list the kinds and connectors there are")

    given = add(
        "export",
        "write the rows of a kind to a file",
        "  lianzao export catalog.item --output items.xlsx\n  lianzao export sales.sales_order status=confirmed",
    )
    given.add_argument("kind", help="such as catalog.item")
    given.add_argument("filters", nargs="*", metavar="field=value", help="as in the API: status=open sort=-number q=…")
    given.add_argument("--output", type=Path, help="file to write; .xlsx or .csv (default: CSV to standard output)")

    plan = add("plan", "plan a site (or all) now, from nothing but the facts", "  lianzao plan SZ\n  lianzao plan all")
    plan.add_argument("site", help="code of a site, or all")
    plan.add_argument("--why", default="", help="kept with the run")

    rebuild = add(
        "rebuild", "prove that balances and other projections equal the facts; exit code 1 if one does not",
        "  lianzao rebuild\n  lianzao rebuild --repair\n  lianzao rebuild inventory.balances",
    )  # fmt: skip
    rebuild.add_argument("names", nargs="*", help="only these proofs")
    rebuild.add_argument("--repair", action="store_true", help="set right what differs")

    backup = add(
        "backup",
        "back everything up into one file while Lianzao runs",
        "  lianzao backup\n  lianzao backup --to /mnt/usb --verify\n  lianzao backup --list",
    )
    backup.add_argument("--to", type=Path, help="file, or folder there is (default: LIANZAO_BACKUP_FOLDER)")
    backup.add_argument("--verify", action="store_true", help="restore it for a trial into a scratch database")
    backup.add_argument("--file", type=Path, help="with --verify: an old backup, instead of making a new one")
    backup.add_argument("--list", action="store_true", help="list the backups there are")
    restore = add(
        "restore",
        "bring a backup back into an empty data folder, or the empty database of LIANZAO_OWNER_URL",
        "  LIANZAO_DATA=/srv/lianzao lianzao restore lianzao-20261129-020000.zip",
    )
    restore.add_argument("file", type=Path, help="the backup")

    _database(
        add(
            "database",
            "make roles and database on a PostgreSQL server of your own",
            "  LIANZAO_ADMIN_URL=postgresql://postgres@db.example/postgres lianzao database setup\n"
            "  lianzao database sql | psql -h db.example -U postgres",
        )
    )
    _deliveries(
        add(
            "deliveries",
            "news that could not be carried out: list, read, try again, or give up",
            "  lianzao deliveries list\n  lianzao deliveries show 019ac1…\n"
            "  lianzao deliveries retry --subscriber flows.late_supply.replan\n"
            "  lianzao deliveries drop 019ac1… --reason 'order was cancelled by hand'",
        )
    )

    doctor = add("doctor", "look at everything Lianzao stands on; exit code 1 if something is wrong")
    doctor.add_argument("--port", type=int, help=argparse.SUPPRESS)
    doctor.add_argument("--host", help=argparse.SUPPRESS)
    add("docs", "write docs/reference and the API schema anew from the code")
    _user(add("user", "let people in", "  lianzao user add wang --name 王工 --role planner@SZ --generate"))
    return top


def _running(made: argparse.ArgumentParser) -> None:
    made.add_argument("--host", help="address to listen on (LIANZAO_HOST, default 127.0.0.1)")
    made.add_argument("--port", type=int, help="port to listen on (LIANZAO_PORT, default 8000)")
    made.add_argument(
        "--https", action="store_true", help="serve HTTPS, by an authority of our own unless a certificate is given"
    )
    made.add_argument("--work", type=_count, default=1, metavar="N", help="worker processes (default 1)")
    made.add_argument("--plan", type=_count, default=1, metavar="N", help="planner processes (default 1)")


def _user(made: argparse.ArgumentParser) -> None:
    found = made.add_subparsers(dest="action", required=True, metavar="action")
    add = found.add_parser("add", help="a new login; asks for the password")
    add.add_argument("login")
    add.add_argument("--name", required=True, help="such as 王工")
    add.add_argument("--name-en", default="", help="the name in English")
    add.add_argument("--language", choices=("zh-CN", "en"), default="zh-CN")
    add.add_argument("--role", action="append", default=[], metavar="ROLE[@SITE]", help="may be given several times")
    add.add_argument("--partner", default="", metavar="CODE", help="code of the party whose person this is")
    password = found.add_parser("password", help="set a password; the person's sessions end")
    password.add_argument("login")
    for each in (add, password):
        each.add_argument("--generate", action="store_true", help="make a password, print it; to be changed at login")
        each.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    role = found.add_parser("role", help="give a role, or take it away")
    role.add_argument("login")
    role.add_argument("role", metavar="ROLE[@SITE]")
    role.add_argument("--remove", action="store_true")
    found.add_parser("list", help="everybody who may log in, and the roles there are")


def _database(made: argparse.ArgumentParser) -> None:
    found = made.add_subparsers(dest="action", required=True, metavar="action")
    found.add_parser("setup", help="make what is missing, as LIANZAO_ADMIN_URL; passwords are those of the URLs")
    script = found.add_parser("sql", help="print the statements, for the server's administrator to run in psql")
    script.add_argument("--major", type=int, choices=range(15, 19), default=18, help="the server's version (18)")


def _deliveries(made: argparse.ArgumentParser) -> None:
    found = made.add_subparsers(dest="action", required=True, metavar="action")
    listing = found.add_parser("list", help="those that were parked, oldest first; exit code 1 if there are any")
    listing.add_argument("--status", choices=("parked", "pending", "dropped"), default="parked")
    listing.add_argument("--subscriber", default="", help="only of this subscriber")
    show = found.add_parser("show", help="one with its event, payload, and how the last try went")
    show.add_argument("id", type=_ids)
    for name, what in (("retry", "put parked ones back into the queue"), ("drop", "give parked ones up, for a reason")):
        made = found.add_parser(name, help=what)
        made.add_argument("id", nargs="*", type=_ids, help="ids, or the beginning of them as the list shows it")
        made.add_argument("--subscriber", default="", help="all parked ones of this subscriber")
        made.add_argument("--all", action="store_true", help="all parked ones")
        if name == "drop":
            made.add_argument("--reason", required=True, help="kept in the audit")


def _ids(text: str) -> str:
    plain = text.lower().replace("-", "")
    if not 6 <= len(plain) <= 32 or set(plain) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("an id, or at least 6 of its digits (its beginning or its end)")
    return plain


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError("a number above 0, at most 100000")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 32:
        raise argparse.ArgumentTypeError("a whole number from 1 to 32")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a day such as 2014-03-31") from error


if __name__ == "__main__":
    sys.exit(main())
