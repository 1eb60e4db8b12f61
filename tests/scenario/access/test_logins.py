"""Getting in and being kept out: passwords, lock-out, sessions, CSRF, badges, tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from lianzao.access import commands, passwords, queries, sessions
from lianzao.access.models import LoginFailure, Session, Token
from lianzao.foundation.actor import ALL
from lianzao.foundation.audit import Order
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotKnown
from tests.scenario.access.conftest import PASSWORD, SYSTEM, Browser, Door

Later = Callable[[str, str], None]


def test_a_planner_logs_in_and_is_told_who_he_is(door: Door) -> None:
    door.person("zhang", "planner", door.suzhou)
    browser = door.log_in("Zhang")
    assert browser.answer.status_code == 200
    me = browser.get("access/me").json()
    assert me["person"]["name"] == "zhang" and me["home"] == "planner" and me["roles"] == ["planner"]
    assert [site["code"] for site in me["sites"]] == ["SZ"] and me["site"] == str(door.suzhou.id)
    assert me["partner"] is None and "production.*" in me["rights"] and me["csrf"]
    assert browser.answer.json()["home"] == "planner"


def test_a_person_is_called_by_the_name_in_the_language_of_the_screen(door: Door) -> None:
    door.person("zhang", "planner", door.suzhou, name_en="Zhang Wei", language="zh-CN")
    browser = door.log_in("zhang")
    spoken = [browser.get("access/me", HTTP_ACCEPT_LANGUAGE=each).json() for each in ("zh-CN", "en")]
    assert [me["person"]["name"] for me in spoken] == ["zhang", "Zhang Wei"]
    assert [me["person"]["language"] for me in spoken] == ["zh-CN", "zh-CN"]  # what he chose stays his choice


def test_the_cookie_is_out_of_reach_of_scripts_and_only_its_digest_is_kept(door: Door) -> None:
    browser = door.log_in("root")
    cookie = browser.client.cookies["lianzao_session"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["secure"]
    session = Session.objects.get()
    assert session.digest == passwords.digest(cookie.value) and cookie.value not in str(session.__dict__)
    secure = door.log_in("root", HTTP_X_FORWARDED_PROTO="https", REMOTE_ADDR="127.0.0.1")
    assert secure.client.cookies["lianzao_session"]["secure"]


def test_unknown_wrong_and_retired_get_the_same_answer_after_the_same_work(door: Door, monkeypatch) -> None:
    gone = door.person("gone", "planner")
    commands.retire_person(door.by("root"), person=gone)
    commands.create_person(SYSTEM, login="nopass", name="badge only")
    tried: list[str] = []
    verify = passwords.verify
    monkeypatch.setattr(passwords, "verify", lambda kept, secret: tried.append(kept) or verify(kept, secret))
    answers = []
    for login, password in (("nobody", PASSWORD), ("root", "wrong horse"), ("gone", PASSWORD), ("nopass", PASSWORD)):
        answer = door.log_in(login, password).answer
        body = answer.json()
        assert answer.status_code == 401 and "lianzao_session" not in answer.cookies
        answers.append({name: value for name, value in body.items() if name != "trace_id"})
    assert all(answer == answers[0] for answer in answers) and answers[0]["code"] == "login_failed"
    assert len(tried) == 4


def test_five_failures_lock_a_login_for_a_minute_then_two(door: Door, later: Later) -> None:
    for _ in range(5):
        assert door.log_in("root", "wrong horse").answer.status_code == 401
    locked = door.log_in("root").answer
    assert locked.status_code == 423 and 0 < locked.json()["facts"]["seconds"] <= 60
    later("access_login_failure.locked_until", "61 seconds")
    assert door.log_in("root", "wrong horse").answer.status_code == 401
    assert 60 < door.log_in("root").answer.json()["facts"]["seconds"] <= 120
    later("access_login_failure.locked_until", "121 seconds")
    assert door.log_in("root").answer.status_code == 200
    assert not LoginFailure.objects.filter(key=sessions.failure_key("login", "root")).exists()


def test_an_unknown_login_locks_just_the_same(door: Door) -> None:
    codes = [door.log_in("nobody", "wrong horse").answer.status_code for _ in range(6)]
    assert codes == [401] * 5 + [423]


def test_one_address_guessing_many_logins_is_locked(door: Door) -> None:
    codes = [door.log_in(f"guess{number}", "wrong horse").answer.status_code for number in range(21)]
    assert codes == [401] * 20 + [423]
    assert door.log_in("root", REMOTE_ADDR="10.1.1.9").answer.status_code == 200


def test_a_right_login_does_not_wipe_out_the_guesses_made_from_its_address(door: Door) -> None:
    for number in range(19):
        door.log_in(f"guess{number}", "wrong horse")
    assert door.log_in("root").answer.status_code == 200
    assert door.log_in("guess", "wrong horse").answer.status_code == 401
    assert door.log_in("guess", "wrong horse").answer.status_code == 423


def test_an_administrator_unlocks(door: Door) -> None:
    person = door.person("zhang", "planner")
    for _ in range(6):
        door.log_in("zhang", "wrong horse")
    assert door.log_in("zhang").answer.status_code == 423
    commands.unlock_person(door.by("root"), person=person)
    assert door.log_in("zhang").answer.status_code == 200


def test_parallel_guesses_do_not_slip_past_the_lock(real_door: Door) -> None:
    results: list[str] = []

    def guess() -> None:
        try:
            sessions.log_in("root", "wrong horse", address="10.0.0.1")
        except (NotKnown, sessions.Locked) as error:
            results.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["locked_out"] * 7 + ["login_failed"] * 5


def test_failures_stay_counted_although_the_login_is_refused(real_door: Door) -> None:
    with pytest.raises(NotKnown):
        sessions.log_in("root", "wrong horse", address="10.0.0.1")
    connection.close()
    assert LoginFailure.objects.get(key=sessions.failure_key("login", "root")).failures == 1


def test_a_session_ends_idle_after_twelve_hours_and_after_seven_days_at_last(door: Door, later: Later) -> None:
    browser = door.log_in("root")
    later("access_session.seen_at", "11 hours")
    assert browser.get("access/me").status_code == 200  # and this slides the idle time on
    later("access_session.seen_at", "11 hours")
    assert browser.get("access/me").status_code == 200
    later("access_session.seen_at", "13 hours")
    assert browser.get("access/me").status_code == 401
    browser = door.log_in("root")
    later("access_session.ends_at", "7 days")
    assert browser.get("access/me").status_code == 401
    assert sessions.sweep() >= 1


def test_logging_out_ends_the_session(door: Door) -> None:
    browser = door.log_in("root")
    key = browser.client.cookies["lianzao_session"].value
    assert browser.post("access/logout", {}).status_code == 200
    assert queries.actor_by(session_key=key) is None
    assert browser.post("access/logout", {}).status_code == 200  # again: harmless


def test_sessions_are_listed_and_ended_one_by_one(door: Door) -> None:
    here, there = door.log_in("root", HTTP_USER_AGENT="office"), door.log_in("root", HTTP_USER_AGENT="phone")
    rows = here.get("access/sessions").json()["rows"]
    assert {(row["agent"], row["current"]) for row in rows} == {("office", True), ("phone", False)}
    other = next(row["id"] for row in rows if not row["current"])
    door.person("zhang", "planner")
    stranger = door.log_in("zhang")
    assert stranger.post("access/end_session", {"session": other}).status_code == 404
    assert here.post("access/end_session", {"session": other}).status_code == 200
    assert there.get("access/me").status_code == 401 and here.get("access/me").status_code == 200


def test_a_changed_password_ends_all_other_sessions(door: Door) -> None:
    here, there = door.log_in("root"), door.log_in("root")
    new = "齿轮 转得 很 平稳 呀"
    body = {"old_password": PASSWORD, "new_password": new}
    assert here.post("access/change_password", body).status_code == 200
    assert here.get("access/me").status_code == 200 and there.get("access/me").status_code == 401
    assert door.log_in("root").answer.status_code == 401 and door.log_in("root", new).answer.status_code == 200
    told = str(Order.objects.filter(command="access.change_password").values_list("body", "changes", "answer"))
    assert new not in told and PASSWORD not in told and "argon2" not in told


def test_guessing_the_old_password_from_an_open_session_is_locked_too(real_door: Door) -> None:
    by = queries.actor_for("root")
    for _ in range(5):
        with pytest.raises(Invalid, match="old_password_wrong"):
            commands.change_password(by, old_password="wrong horse", new_password="齿轮 转得 很 平稳 呀")
    with pytest.raises(sessions.Locked):
        commands.change_password(by, old_password=PASSWORD, new_password="齿轮 转得 很 平稳 呀")


def test_a_temporary_password_opens_nothing_but_its_change(door: Door) -> None:
    person = door.person("zhang", "planner")
    commands.set_password(door.by("root"), person=person, password="first day 2026 only", temporary=True)
    browser = door.log_in("zhang", "first day 2026 only")
    me = browser.get("access/me").json()
    assert me["must_change_password"] and all(right.startswith("access.") for right in me["rights"])
    assert browser.get("access/site").status_code == 403
    body = {"old_password": "first day 2026 only", "new_password": PASSWORD}
    assert browser.post("access/change_password", body).status_code == 200
    assert browser.get("access/site").status_code == 200


def test_a_forged_page_cannot_use_the_cookie(door: Door) -> None:
    browser = door.log_in("root")
    assert browser.post("access/set_preferences", {"theme": "dark"}, HTTP_X_CSRFTOKEN="").status_code == 403
    assert browser.post("access/set_preferences", {"theme": "dark"}).status_code == 200
    bare = Client(enforce_csrf_checks=True)
    form = bare.post("/api/access/login", {"login": "root", "password": PASSWORD})
    assert form.status_code in (403, 422) and "lianzao_session" not in form.cookies
    assert door.log_in("root", HTTP_SEC_FETCH_SITE="cross-site").answer.status_code == 403


def test_who_is_unknown_still_gets_a_csrf_cookie(door: Door) -> None:
    answer = Client().get("/api/access/me")
    assert answer.status_code == 401 and answer.json()["code"] == "not_known" and answer.cookies["csrftoken"].value


def test_demo_logins_work_on_this_machine_only(door: Door, settings) -> None:
    commands.create_person(SYSTEM, login="demo", name="demo", password="demo", demo=True)
    settings.DEMO_LOGINS = False
    assert door.log_in("demo", "demo").answer.json()["code"] == "demo_login_refused"
    assert door.log_in("demo", "wrong").answer.json()["code"] == "login_failed"
    settings.DEMO_LOGINS = True
    assert door.log_in("demo", "demo").answer.status_code == 200
    with pytest.raises(NotAllowed):
        commands.create_person(door.by("root"), login="demo2", name="demo", password="demo", demo=True)


def test_preferences_follow_the_person_and_the_site_the_session(door: Door) -> None:
    person = door.person("zhang", "planner", door.suzhou)
    commands.assign_role(SYSTEM, person=person, role=door.role("planner"), site=door.wuhan)
    browser = door.log_in("zhang")
    body = {"language": "en", "theme": "dark", "site": str(door.wuhan.id)}
    assert browser.post("access/set_preferences", body).status_code == 200
    me = browser.get("access/me").json()
    assert (me["person"]["language"], me["person"]["theme"], me["site"]) == ("en", "dark", str(door.wuhan.id))
    assert door.log_in("zhang").get("access/me").json()["site"] == str(door.wuhan.id)


# -- terminals --------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(door: Door) -> Browser:
    """A browser on the shop floor, bound to a terminal; and a worker with a badge."""
    admin = door.log_in("root")
    made = admin.post("access/register_station", {"code": "T1", "name": "一号终端", "site": str(door.suzhou.id)})
    assert admin.post("access/bind_this_device", {"station": made.json()["id"]}).status_code == 200
    worker = door.person("li", "operator", door.suzhou)
    commands.set_badge(SYSTEM, person=worker, badge="BADGE-0042", pin="2580")
    admin.post("access/logout", {})
    assert admin.client.cookies["lianzao_station"]["httponly"]
    return admin


def badge_in(terminal: Browser, badge: str = "BADGE-0042", pin: str = "2580", **more: str):
    return terminal.post("access/login_badge", {"badge": badge, "pin": pin, **more})


def test_a_worker_badges_in_at_a_terminal(door: Door, terminal: Browser) -> None:
    assert terminal.get("access/this_device").json()["code"] == "T1"
    answer = badge_in(terminal, station="T1")
    assert answer.status_code == 200 and answer.json()["station"]["code"] == "T1"
    assert answer.json()["site"] == str(door.suzhou.id)
    by = queries.actor_by(
        session_key=terminal.client.cookies["lianzao_session"].value,
        station_key=terminal.client.cookies["lianzao_station"].value,
    )
    assert by is not None and by.station is not None and by.may("production.report_operation")


def test_a_badge_session_lasts_half_an_hour_idle_and_dies_off_its_terminal(terminal: Browser, later: Later) -> None:
    badge_in(terminal)
    later("access_session.seen_at", "29 minutes")
    assert terminal.get("access/me").status_code == 200
    carried = Client()
    carried.cookies["lianzao_session"] = terminal.client.cookies["lianzao_session"].value
    assert carried.get("/api/access/me").status_code == 401
    later("access_session.seen_at", "31 minutes")
    assert terminal.get("access/me").status_code == 401


def test_a_badge_opens_no_office(door: Door, terminal: Browser) -> None:
    boss = door.person("boss", "administrator")
    commands.set_badge(SYSTEM, person=boss, badge="BADGE-0001", pin="907142")
    assert badge_in(terminal, "BADGE-0001", "907142").status_code == 200
    answer = terminal.post("access/create_person", {"login": "eve", "name": "eve"})
    assert answer.status_code == 403 and answer.json()["facts"]["right"] == "access.create_person"


def test_wrong_pins_lock_the_badge_and_strange_devices_are_refused(terminal: Browser) -> None:
    assert [badge_in(terminal, pin="1357").status_code for _ in range(6)] == [401] * 5 + [423]
    assert badge_in(terminal, "UNKNOWN-1").json()["code"] == "badge_failed"
    assert badge_in(terminal, "UNKNOWN-1", station="T9").json()["code"] == "station_unknown"
    stranger = Browser(Client(enforce_csrf_checks=True))
    assert badge_in(stranger).json()["code"] == "station_unknown"
    assert stranger.get("access/this_device").status_code == 404


def test_binding_anew_or_retiring_shuts_the_old_browser_out(door: Door, terminal: Browser) -> None:
    badge_in(terminal)
    station = terminal.get("access/this_device").json()["id"]
    admin = door.log_in("root")
    assert admin.post("access/bind_this_device", {"station": station}).status_code == 200
    assert terminal.get("access/me").status_code == 401 and terminal.get("access/this_device").status_code == 404
    assert admin.get("access/this_device").status_code == 200
    admin.post("access/retire_station", {"station": station})
    assert admin.get("access/this_device").status_code == 404


def test_a_lost_badge_is_worth_nothing(door: Door, terminal: Browser) -> None:
    badge_in(terminal)
    worker = queries.Person.objects.get(login="li")
    commands.remove_badge(door.by("root"), person=worker)
    assert terminal.get("access/me").status_code == 401 and badge_in(terminal).status_code == 401
    told = str(list(Order.objects.filter(command="access.set_badge").values_list("body", "changes")))
    assert "2580" not in told and "BADGE-0042" not in told and "argon2" not in told


def test_one_badge_has_one_holder(door: Door, terminal: Browser) -> None:
    other = door.person("wang", "operator")
    with pytest.raises(Conflict, match="badge_taken"):
        commands.set_badge(door.by("root"), person=other, badge="BADGE-0042", pin="7391")


# -- tokens -----------------------------------------------------------------------------------------------------------


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_a_program_acts_with_a_token_and_needs_no_csrf(door: Door, later: Later) -> None:
    browser = door.log_in("root")
    body = {"name": "ERP", "rights": ["access.view_*", "access.create_site"], "expires_at": in_days(30)}
    made = browser.post("access/new_token", body).json()
    assert made["token"].startswith("lz_")
    program = Client(enforce_csrf_checks=True)
    bearer: Any = {"HTTP_AUTHORIZATION": f"Bearer {made['token']}"}
    assert program.get("/api/access/site", **bearer).json()["total"] == 2
    new_site = {"code": "CD", "name": "成都"}
    answer = program.post("/api/access/create_site", new_site, content_type="application/json", **bearer)
    assert answer.status_code == 200
    refused = program.post("/api/access/set_up_roles", {}, content_type="application/json", **bearer)
    assert refused.status_code == 403
    token = Token.objects.get()
    assert token.used_at is not None and token.digest == passwords.digest(made["token"])
    assert made["token"] not in str(list(Order.objects.values_list("body", "answer", "changes")))
    later("access_token.expires_at", "31 days")
    assert program.get("/api/access/site", **bearer).status_code == 401


def test_a_token_never_has_more_than_its_holder(door: Door) -> None:
    admin = door.person("zhang", "administrator")
    browser = door.log_in("zhang")
    body = {"name": "t", "rights": ["access.view_*", "sales.*"], "expires_at": in_days(30)}
    token = browser.post("access/new_token", body).json()["token"]
    by = queries.actor_by(authorization=f"Bearer {token}")
    assert by is not None and by.rights == {"access.view_*", "sales.*"}
    assignment = admin.assignments.get()
    commands.assign_role(SYSTEM, person=admin, role=door.role("warehouse"), site=door.suzhou)
    commands.remove_assignment(door.by("root"), assignment=assignment)
    by = queries.actor_by(authorization=f"Bearer {token}")
    assert by is not None and not by.may("sales.confirm_order") and by.may("access.view_site")
    assert by.sites == frozenset({door.suzhou.id})
    commands.retire_person(door.by("root"), person=admin)
    assert queries.actor_by(authorization=f"Bearer {token}") is None


def test_tokens_end_within_a_year_and_beget_no_tokens(door: Door) -> None:
    browser = door.log_in("root")
    for days in (-1, 400):
        answer = browser.post("access/new_token", {"name": "t", "rights": ["*"], "expires_at": in_days(days)})
        assert answer.json()["code"] == "token_expiry"
    made = browser.post("access/new_token", {"name": "t", "rights": ["*"], "expires_at": in_days(1)}).json()
    bearer: Any = {"HTTP_AUTHORIZATION": f"Bearer {made['token']}"}
    body = {"name": "u", "rights": ["*"], "expires_at": in_days(1)}
    answer = Client().post("/api/access/new_token", body, content_type="application/json", **bearer)
    assert answer.json()["code"] == "token_by_person_only"
    assert browser.post("access/revoke_token", {"token": made["id"]}).status_code == 200
    assert Client().get("/api/access/me", **bearer).status_code == 401


def test_a_malformed_header_is_nobody_even_beside_a_good_cookie(door: Door) -> None:
    browser = door.log_in("root")
    for header in ("Bearer", "Bearer ", "Basic cm9vdDp4", "Bearer lz_wrong", "lz_x"):
        assert browser.get("access/me", HTTP_AUTHORIZATION=header).status_code == 401


def test_an_administrator_sees_every_site(door: Door) -> None:
    assert door.by("root").sites is ALL
