"""Stories of selling: an order changes, a promise moves and is answered, goods go out and come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lianzao.foundation import audit, clock
from lianzao.sales import commands as sales
from lianzao.sales import queries
from lianzao.sales.commands import OrderLine, Projection, Reason
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound, RuleBroken
from tests.scenario.commerce import Trade, day

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def trade(db: None) -> Iterator[Trade]:
    try:
        yield Trade()
    finally:
        clock.freeze(None)


def test_an_order_keeps_what_the_paper_says_and_plans_in_pieces(trade: Trade) -> None:
    order = trade.sell(
        OrderLine(trade.pump, D(3), unit=trade.box, price=D("199.995")),
        OrderLine(trade.screw, D(500), price=D("0.111"), requested_on=day(9)),
        confirmed=False,
        customer_reference="PO 4711",
    )
    assert order.number.startswith("SO-2603-")
    first, second = trade.line(order), trade.line(order, 2)
    assert (first.quantity, first.typed_quantity, first.unit_id) == (12, 3, trade.box.id)
    assert (first.amount, second.amount, order.amount) == (D("599.99"), D("55.50"), D("655.49"))
    assert (first.requested_on, second.requested_on) == (day(20), day(9))
    assert queries.demand_columns(trade.site_id)["line_id"] == []  # a draft is no demand
    sales.confirm_order(trade.by, order=order)
    columns = queries.demand_columns(trade.site_id)
    assert columns["line_id"] == [second.id, first.id]  # the earlier first
    assert columns["quantity"] == [500, 12]
    assert columns["transit_days"] == [2, 2]
    assert columns["label"][0] == f"{order.number}/2"
    assert trade.news("OrderConfirmed")[0]["sales_order_line_ids"] == [str(first.id), str(second.id)]


def test_important_orders_stand_first_in_the_demand(trade: Trade) -> None:
    late = trade.sell(OrderLine(trade.screw, D(1), requested_on=day(28)), priority=1)
    soon = trade.sell(OrderLine(trade.screw, D(1), requested_on=day(4)))
    assert queries.demand_columns(trade.site_id)["order_id"] == [late.id, soon.id]
    sales.set_priority(trade.by, order=late, priority=60)
    assert queries.demand_columns(trade.site_id)["order_id"] == [soon.id, late.id]


def test_every_change_of_a_promise_is_history(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)))
    line = trade.line(order)
    sales.promise_line(trade.by, line=line, promised_on=day(18))
    sales.promise_line(trade.by, line=line, promised_on=day(17))  # earlier needs nobody's leave
    with pytest.raises(Conflict, match="promise_needs_consent"):
        sales.promise_line(trade.by, line=line, promised_on=day(19))

    chain = [
        Reason("line 1 waits for steel", "sales.sales_order_line", str(line.id)),
        Reason("the mill is three days late"),
    ]
    sales.offer_new_promise(trade.by, line=line, new_on=day(21), reasons=chain)
    offer = sales.offer_new_promise(trade.by, line=line, new_on=day(22), reasons=chain)
    same = sales.offer_new_promise(trade.by, line=line, new_on=day(22))
    assert same.id == offer.id  # said again, nothing new
    line = trade.line(order)
    assert line.promised_on == day(17)  # our word stands until he answers
    assert offer.reasons[1]["text"] == "the mill is three days late"

    dealer = trade.partner(trade.dealer, "sales.accept_promise", "sales.decline_promise", "sales.confirm_order")
    trade.later(hours=3)
    sales.accept_promise(dealer, promise=offer, answer="fine")
    line = trade.line(order)
    assert (line.promised_on, line.requested_on) == (day(22), day(20))
    told = [(each.old_on, each.new_on, each.status) for each in queries.promise_history(line.id)]
    assert told == [
        (None, day(18), "made"),
        (day(18), day(17), "made"),
        (day(17), day(21), "withdrawn"),
        (day(17), day(22), "accepted"),
    ]
    answered = queries.promise_history(line.id)[-1]
    assert (answered.answered_by, answered.answered_at) == (dealer.id, clock.now())
    news = trade.news("PromiseAccepted")[0]
    assert (news["old_on"], news["new_on"], news["partner_ids"]) == ("2026-03-17", "2026-03-22", [str(trade.dealer.id)])
    with pytest.raises(Conflict, match="wrong_status"):
        sales.decline_promise(dealer, promise=offer)


def test_a_declined_date_leaves_the_old_promise(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)))
    sales.promise_line(trade.by, line=trade.line(order), promised_on=day(18))
    offer = sales.offer_new_promise(trade.by, line=trade.line(order), new_on=day(25))
    dealer = trade.partner(trade.dealer, "sales.decline_promise")
    sales.decline_promise(dealer, promise=offer, answer="our line would stand")
    assert trade.line(order).promised_on == day(18)
    assert trade.news("PromiseDeclined")[0]["why"] == "our line would stand"
    assert queries.open_offer(trade.line(order).id) is None


def test_a_customer_answers_for_himself_only(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)))
    offer = sales.offer_new_promise(trade.by, line=trade.line(order), new_on=day(25))
    builder = trade.partner(trade.builder, "sales.accept_promise")
    with pytest.raises(NotFound):
        sales.accept_promise(builder, promise=offer)
    nobody = trade.partner(trade.dealer)
    with pytest.raises(NotAllowed):
        sales.accept_promise(nobody, promise=offer)


def test_a_changed_line_tells_what_it_was(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(3), unit=trade.box, price=D(200)))
    line = trade.line(order)
    sales.change_line(trade.by, line=line, quantity=D(5), requested_on=day(25), why="they grow")
    line = trade.line(order)
    assert (line.quantity, line.typed_quantity, line.amount) == (20, 5, 1000)
    order.refresh_from_db()
    assert order.amount == 1000
    told = trade.news("OrderLineChanged")[0]
    assert (D(told["old_quantity"]), D(told["new_quantity"]), told["new_requested_on"]) == (12, 20, "2026-03-25")
    sales.change_line(trade.by, line=line, price=D(190))  # the price is no news for planning
    assert len(trade.news("OrderLineChanged")) == 1
    assert [each.command for each in audit.history(line.id)][:2] == ["sales.change_line", "sales.change_line"]


def test_shipped_delivered_closed(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)), OrderLine(trade.screw, D(5)))
    sales.promise_line(trade.by, line=trade.line(order), promised_on=day(2))
    sales.record_shipped(trade.by, line=trade.line(order), quantity=D(6))
    with pytest.raises(RuleBroken, match="shipped_more_than_ordered"):
        sales.record_shipped(trade.by, line=trade.line(order), quantity=D(5))
    with pytest.raises(RuleBroken, match="less_than_shipped"):
        sales.change_line(trade.by, line=trade.line(order), quantity=D(5))
    with pytest.raises(RuleBroken, match="already_shipped"):
        sales.cancel_order(trade.by, order=order, why="no")
    assert queries.demand_columns(trade.site_id)["quantity"] == [4, 5]
    sales.record_shipped(trade.by, line=trade.line(order), quantity=D(4))
    trade.later(days=3)
    sales.record_delivered(trade.by, line=trade.line(order), quantity=D(10))
    line = trade.line(order)
    assert (line.status, line.delivered_on) == ("delivered", day(5))
    assert trade.news("LineDelivered")[0]["days_late"] == 3
    order.refresh_from_db()
    assert order.status == "confirmed"  # the screws are still owed
    with pytest.raises(Invalid, match="field_missing"):
        sales.close_order(trade.by, order=order)
    sales.close_order(trade.by, order=order, why="no screws needed")
    assert queries.demand_columns(trade.site_id)["line_id"] == []
    score = queries.on_time_delivery(trade.site_id, day(1), day(31))
    assert score == [{"customer_id": trade.dealer.id, "lines": 1, "as_promised": 0, "as_requested": 1}]


@pytest.mark.parametrize("meanwhile", ["reopen", "cancel", "cancel line"])
def test_goods_that_left_before_the_news_was_heard_stand_on_the_line_whatever_became_of_it(
    trade: Trade, meanwhile: str
) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)), OrderLine(trade.screw, D(5)))
    if meanwhile == "cancel line":
        sales.cancel_line(trade.by, line=trade.line(order), why="too late")
    else:
        command = sales.reopen_order if meanwhile == "reopen" else sales.cancel_order
        command(trade.by, order=order, why="too late")
    sales.record_shipped(trade.by, line=trade.line(order), quantity=D(10))
    line = trade.line(order)
    assert (line.shipped_quantity, line.status) == (10, "open" if meanwhile == "reopen" else "cancelled")
    assert line.id not in queries.demand_columns(trade.site_id)["line_id"], "nothing of it is owed"
    if meanwhile == "reopen":
        with pytest.raises(RuleBroken, match="already_shipped"):
            sales.cancel_order(trade.by, order=order, why="they have left")
        sales.confirm_order(trade.by, order=order)
        assert trade.line(order).status == "shipped"
    sales.record_delivered(trade.by, line=trade.line(order), quantity=D(10))
    line = trade.line(order)
    assert (line.delivered_quantity, line.status) == (10, "delivered" if meanwhile == "reopen" else "cancelled")


def test_goods_that_come_back_are_owed_again(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)))
    sales.record_shipped(trade.by, line=trade.line(order), quantity=D(10))
    order.refresh_from_db()
    assert order.status == "shipped"
    sales.record_returned(trade.by, line=trade.line(order), quantity=D(10))
    order.refresh_from_db()
    assert (order.status, trade.line(order).status) == ("confirmed", "confirmed")
    assert queries.demand_columns(trade.site_id)["quantity"] == [10]
    with pytest.raises(Conflict, match="more_than_under_way"):
        sales.record_returned(trade.by, line=trade.line(order), quantity=D(1))


def test_planning_projects_many_lines_with_one_statement(trade: Trade) -> None:
    order = trade.sell(*[OrderLine(trade.screw, D(1), requested_on=day(10)) for _ in range(20)])
    lines = list(order.lines.order_by("sequence"))
    at = datetime(2026, 3, 12, 4, tzinfo=UTC)
    with CaptureQueriesContext(
        connection,
    ) as few:
        done = sales.project_lines(trade.by, projections=[Projection(line.id, at) for line in lines])
    assert done == {"changed": 20}
    assert len([each for each in few if "UPDATE sales_sales_order_line" in each["sql"]]) == 1
    told = trade.news("LineProjected")
    assert len(told) == 20
    assert told[0]["days_late"] == 2
    # The same hour again changes nothing; another hour of the same day in Shanghai is no news.
    assert sales.project_lines(trade.by, projections=[Projection(lines[0].id, at)]) == {"changed": 0}
    sales.project_line(trade.by, line=lines[0].id, projected_at=at.replace(hour=9))
    assert len(trade.news("LineProjected")) == 20
    sales.project_line(trade.by, line=lines[0].id, projected_at=at.replace(hour=17))  # the thirteenth there
    assert trade.news("LineProjected")[-1]["days_late"] == 3
    assert trade.line(order).version == lines[0].version + 3


def test_cancelling_and_taking_back(trade: Trade) -> None:
    order = trade.sell(OrderLine(trade.pump, D(10)), OrderLine(trade.screw, D(5)))
    sales.cancel_line(trade.by, line=trade.line(order), why="wrong pump")
    assert queries.demand_columns(trade.site_id)["quantity"] == [5]
    sales.reopen_order(trade.by, order=order, why="price was wrong")
    assert queries.demand_columns(trade.site_id)["quantity"] == []
    sales.confirm_order(trade.by, order=order, promised_on=day(15))
    assert trade.line(order, 2).promised_on == day(15)
    sales.record_reserved(trade.by, line=trade.line(order, 2), quantity=D(2))
    with pytest.raises(RuleBroken, match="line_is_reserved"):
        sales.cancel_order(trade.by, order=order, why="gone")
    sales.record_reserved(trade.by, line=trade.line(order, 2), quantity=D(0))
    sales.cancel_line(trade.by, line=trade.line(order, 2), why="gone")
    order.refresh_from_db()
    assert (order.status, order.amount) == ("cancelled", 0)
    assert len(trade.news("OrderCancelled")) == 1


def test_an_order_must_be_possible(trade: Trade) -> None:
    with pytest.raises(RuleBroken, match="not_a_customer"):
        trade.sell(OrderLine(trade.screw, D(1)), customer=trade.mill)
    with pytest.raises(RuleBroken, match="not_in_steps"):
        trade.sell(OrderLine(trade.screw, D("0.5")))
    with pytest.raises(RuleBroken, match="no_conversion"):
        trade.sell(OrderLine(trade.screw, D(1), unit=trade.box))
    with pytest.raises(Invalid, match="field_missing"):
        trade.sell()
    order = trade.sell(OrderLine(trade.screw, D(1)), confirmed=False)
    with pytest.raises(Conflict, match="wrong_status"):
        sales.promise_line(trade.by, line=trade.line(order), promised_on=day(9))
    added = sales.add_line(trade.by, order=order, line=OrderLine(trade.pump, D(2), requested_on=day(9)))
    assert (added.sequence, added.status) == (2, "open")
