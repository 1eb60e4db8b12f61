"""How rights combine, what passwords must be, how long one waits: decided without a database."""

from __future__ import annotations

from uuid import UUID

import pytest

from lianzao.access import rules
from lianzao.access.passwords import common_passwords
from lianzao.access.roles import SHIPPED
from lianzao.access.rules import Held, common, covers, missing, standing
from lianzao.foundation.actor import right_matches
from lianzao.values.errors import Invalid

A, B, C = (UUID(int=number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ("*", "sales.confirm_order", True),
        ("*", "sales.*", True),
        ("*.*", "*", True),
        ("sales.*", "sales.view_sales_order", True),
        ("sales.*", "sales.view_*", True),
        ("sales.*", "sales_forecast.view_x", False),
        ("sales.*", "*", False),
        ("*.view_*", "sales.view_sales_order", True),
        ("*.view_*", "sales.*", False),
        ("*.view_*", "sales.confirm_order", False),
        ("sales.view_sales_order*", "sales.view_sales_order_line", True),
        ("sales.view_sales_order", "sales.view_sales_order_line", False),
        ("sales.confirm_order", "sales.confirm_*", False),
    ],
)
def test_a_pattern_covers_what_it_allows(held: str, wanted: str, expected: bool) -> None:
    assert covers(held, wanted) is expected
    if "*" not in wanted:
        assert right_matches(held, wanted) is expected  # the actor's own check must agree


def test_missing_names_the_rights_that_are_not_held() -> None:
    assert missing({"sales.*", "*.view_*"}, ["sales.x", "parties.view_party", "access.create_person"]) == [
        "access.create_person"
    ]


def test_a_token_gets_what_both_sides_allow() -> None:
    assert common(["sales.*", "*.view_*"], ["*.view_item", "sales.confirm_order", "production.start_operation"]) == {
        "*.view_item",
        "sales.view_item",
        "sales.confirm_order",
    }
    assert common(["*"], ["*"]) == {"*"}
    assert common(["sales.*"], ["*.view_*"]) == {"sales.view_*"}
    assert common(["sales.confirm_order"], ["production.*"]) == frozenset()


def test_common_allows_exactly_what_both_allow() -> None:
    rights = ["sales.view_order", "sales.confirm_order", "stock.view_order", "stock.view_item", "x.y"]
    patterns = ["*", "sales.*", "*.view_*", "*.view_order", "stock.view_item", "sales.confirm_*", "x.*"]
    for one in patterns:
        for other in patterns:
            both = common([one], [other])
            for right in rights:
                wanted = right_matches(one, right) and right_matches(other, right)
                assert any(right_matches(held, right) for held in both) is wanted, (one, other, right, both)


def held(role: str, rights: str, site: UUID | None, masks: str = "", home: str = "") -> Held:
    return Held(role, tuple(rights.split()), tuple(masks.split()), home, site)


def test_rights_hold_where_they_were_given() -> None:
    assignments = [held("planner", "planning.*", A), held("viewer", "*.view_*", B), held("viewer", "*.view_*", A)]
    at_a = standing(assignments, A, [A, B])
    assert (at_a.rights, at_a.sites) == ({"planning.*", "*.view_*"}, {A})
    at_b = standing(assignments, B, [A, B])
    assert (at_b.rights, at_b.sites) == ({"*.view_*"}, {A, B})  # he views at A as well


def test_a_site_not_given_falls_back_to_the_first_given() -> None:
    result = standing([held("viewer", "*.view_*", B)], C, [A, B, C])
    assert (result.site, result.sites) == (B, {B})


def test_an_administrator_everywhere_keeps_every_site_whatever_else_he_is() -> None:
    result = standing([held("administrator", "*", None), held("planner", "planning.*", A)], A, [A, B])
    assert result.sites is None
    assert result.rights == {"*"}


def test_an_extra_right_at_one_site_does_not_reach_the_others() -> None:
    assignments = [held("viewer", "*.view_*", None), held("planner", "planning.*", A)]
    at_a = standing(assignments, A, [A, B])
    assert at_a.sites == {A}
    at_b = standing(assignments, B, [A, B])
    assert at_b.sites is None
    assert at_b.rights == {"*.view_*"}


def test_nobody_without_assignments_sees_anything() -> None:
    nothing = standing([], A, [A, B])
    assert (nothing.site, nothing.sites, nothing.rights) == (None, frozenset(), frozenset())


def test_a_column_is_masked_only_if_every_role_masks_it() -> None:
    one = held("one", "a.*", None, "sales.sales_order.price sales.sales_order.margin")
    two = held("two", "b.*", None, "sales.sales_order.margin")
    assert standing([one, two], A, [A]).masks == {"sales.sales_order.margin"}
    assert standing([one, two, held("three", "c.*", None)], A, [A]).masks == frozenset()


@pytest.mark.parametrize("right", ["*", "sales.*", "*.view_*", "sales.view_sales_order", "access.create_person"])
def test_rights_are_well_formed(right: str) -> None:
    assert rules.check_rights([right, f" {right} "]) == [right]


@pytest.mark.parametrize("right", ["", "sales", "sales.", "Sales.view", "s*.x", "sales.*_x", "sales.view.x", "**"])
def test_a_malformed_right_is_refused(right: str) -> None:
    with pytest.raises(Invalid, match="right_malformed"):
        rules.check_rights([right])


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("我爱工厂", "password_too_short"),
        ("aaaabbbbaaaa", "password_too_simple"),
        ("wang.wei-2026", "password_like_login"),
        ("WANG.WEI!!!!", "password_like_login"),
        ("password123", "password_common"),
        ("Password123!", "password_common"),
        ("1234567890", "password_common"),
        ("abcdefghijkl", "password_common"),
        ("lianzao12345", "password_common"),
        ("x" * 300, "password_too_long"),
    ],
)
def test_weak_passwords_are_refused(password: str, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        rules.check_password(password, about=("wang.wei",), known=common_passwords())


@pytest.mark.parametrize(
    "password", ["correct horse battery", "Kx7#mm29-qpl", "我早上喜欢喝热豆浆", "齿轮 转得 很 平稳 呀"]
)
def test_strong_passwords_and_phrases_pass(password: str) -> None:
    rules.check_password(password, about=("wang.wei",), known=common_passwords())


@pytest.mark.parametrize("pin", ["123", "1234567", "12a4", "1111", "1234", "987654", "１２３９"])
def test_weak_pins_are_refused(pin: str) -> None:
    with pytest.raises(Invalid, match="pin_"):
        rules.check_pin(pin)


def test_a_pin_of_four_to_six_digits_passes() -> None:
    for pin in ("2580", "73914", "904127"):
        rules.check_pin(pin)


def test_the_wait_doubles_up_to_an_hour() -> None:
    waits = [rules.wait_after(failures, 5) for failures in range(1, 14)]
    assert waits == [0, 0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert rules.wait_after(10**6, 5) == 3600


def test_a_forwarded_address_counts_only_from_a_trusted_proxy() -> None:
    trusted = ("127.0.0.1",)
    assert rules.source_address("127.0.0.1", "6.6.6.6, 10.0.0.7", trusted) == "10.0.0.7"
    assert rules.source_address("127.0.0.1", "10.0.0.7, 127.0.0.1", trusted) == "10.0.0.7"
    assert rules.source_address("8.8.8.8", "10.0.0.7", trusted) == "8.8.8.8"
    assert rules.source_address("127.0.0.1", "", trusted) == "127.0.0.1"


def test_logins_are_compared_folded() -> None:
    assert rules.check_login(" Ｗang.Wei ") == "wang.wei"
    for bad in ("a", "two words", "x;drop", ""):
        with pytest.raises(Invalid, match="login_malformed"):
            rules.check_login(bad)


def test_shipped_roles_are_sound() -> None:
    codes = {role.code for role in SHIPPED}
    expected = "administrator planner sales buyer warehouse operator quality lead maintenance logistics manager"
    assert {*expected.split(), "supplier", "customer", "integrator"} <= codes
    for role in SHIPPED:
        assert rules.check_rights(role.rights) == list(role.rights)
        assert role.name and role.name_en and role.home
        if role.code != "administrator":
            giveaways = ["access.create_person", "access.assign_role", "access.set_password", "access.issue_token"]
            assert missing(role.rights, giveaways) == giveaways, f"{role.code} could let people in"
        if role.audience == "partner":
            assert not any(
                right.startswith("*") or right.endswith(".*") for right in role.rights if right != "portals.*"
            )


def test_a_badge_never_opens_the_offices() -> None:
    assert missing(
        rules.STATION_LIMIT, ["access.set_password", "sales.confirm_order", "planning.accept_proposals"]
    ) == [
        "access.set_password",
        "sales.confirm_order",
        "planning.accept_proposals",
    ]
