"""A slow, plain judge of plans that shares no code with the solver: it reads columns and believes nothing.

`faults(problem, plan)` returns sentences; an empty list means the plan can be carried out as it stands.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

from lianzao.engine.columns import ConsumerKind, ItemKind, Plan, Problem, SupplyKind

Key = tuple[int, int]


def faults(problem: Problem, plan: Plan) -> list[str]:
    """Every way in which a constrained plan breaks its own promises; [] when it holds."""
    found: list[str] = []
    found += past(problem, plan)
    found += overloads(problem, plan)
    found += closed_time(problem, plan)
    found += broken_sequence(problem, plan)
    found += peg_sums(problem, plan)
    found += negative_stock(problem, plan)
    found += components(problem, plan)
    found += delivery_sums(problem, plan)
    found += lot_rules(problem, plan)
    return found


def past(problem: Problem, plan: Plan) -> list[str]:
    """Nothing new begins before now, and buying takes its lead time."""
    found = [f"operation {row} starts before now" for row in plan.placements.rows() if row["start_s"] < problem.now_s]
    for at, row in enumerate(plan.proposals.rows()):
        item = row["item"]
        if row["start_s"] < problem.now_s:
            found.append(f"proposal {at} starts before now")
        if row["finish_s"] < problem.now_s + int(problem.items.fence_s[item]):
            found.append(f"proposal {at} is inside the fence")
        if row["kind"] == ItemKind.BUY and row["finish_s"] - row["start_s"] != int(problem.items.lead_time_s[item]):
            found.append(f"purchase {at} does not take its lead time")
        if row["kind"] == ItemKind.NONE:
            found.append(f"proposal {at} is for an item that cannot be replenished")
    return found


def overloads(problem: Problem, plan: Plan) -> list[str]:
    """No machine does two things at once, and machines exist."""
    found: list[str] = []
    by_machine: dict[Key, list[Key]] = defaultdict(list)
    for row in plan.placements.rows():
        if row["centre"] < 0 or row["work_s"] == 0 or int(problem.centres.machines[row["centre"]]) == 0:
            continue
        if not 0 <= row["machine"] < int(problem.centres.machines[row["centre"]]):
            found.append(f"no such machine: {row}")
        by_machine[(row["centre"], row["machine"])].append((row["start_s"], row["end_s"]))
    for machine, times in by_machine.items():
        times.sort()
        for (_, end), (start, _) in pairwise(times):
            if start < end:
                found.append(f"machine {machine} does two things at {start}")
    return found


def closed_time(problem: Problem, plan: Plan) -> list[str]:
    """Between start and end lie exactly the working seconds the operation needs, in open hours."""
    found: list[str] = []
    hours: dict[int, list[Key]] = defaultdict(list)
    for row in problem.hours.rows():
        hours[row["centre"]].append((row["start_s"], row["end_s"]))
    for row in plan.placements.rows():
        if row["centre"] < 0:
            open_s = row["end_s"] - row["start_s"]
        else:
            open_s = sum(
                max(0, min(end, row["end_s"]) - max(start, row["start_s"])) for start, end in hours[row["centre"]]
            )
        if open_s != row["work_s"] and row["work_s"] > 0:
            found.append(f"operation works {row['work_s']} s but has {open_s} s open: {row}")
    return found


def routes(problem: Problem) -> dict[int, list[dict[str, int]]]:
    """Routing operations per item in sequence."""
    route: dict[int, list[dict[str, int]]] = defaultdict(list)
    for row in problem.routing.rows():
        route[row["item"]].append(row)
    for rows in route.values():
        rows.sort(key=lambda row: row["sequence"])
    return route


def broken_sequence(problem: Problem, plan: Plan) -> list[str]:
    """Operations follow each other with their waits, take the right time, and the order ends after the last."""
    found: list[str] = []
    route = routes(problem)
    placed: dict[Key, list[dict[str, int]]] = defaultdict(list)
    for row in plan.placements.rows():
        placed[(row["supply_kind"], row["supply"])].append(row)
    for at, proposal in enumerate(plan.proposals.rows()):
        if proposal["kind"] == ItemKind.BUY:
            continue
        rows = sorted(placed[(SupplyKind.PROPOSAL, at)], key=lambda row: row["sequence"])
        lead = int(problem.items.lead_time_s[proposal["item"]]) if proposal["kind"] == ItemKind.MAKE else 0
        steps = route.get(proposal["item"]) or [{"setup_s": lead, "run_us": 0, "fixed": 0, "wait_s": 0}]
        waits = [step["wait_s"] for step in steps]
        for step, row in zip(steps, rows, strict=False):
            run_us = step["run_us"] * (1 if step["fixed"] else Fraction(proposal["quantity"], 1_000_000))
            if not 0 <= row["work_s"] - step["setup_s"] - Fraction(run_us) / 1_000_000 < 1:
                found.append(f"operation of proposal {at} takes the wrong time: {row}")
        found += in_turn(rows, waits, proposal["start_s"], proposal["finish_s"], f"proposal {at}")
    remaining: dict[int, list[dict[str, int]]] = defaultdict(list)
    for row in problem.receipt_operations.rows():
        remaining[row["receipt"]].append(row)
    for receipt, steps in remaining.items():
        if int(plan.receipt_ready_s[receipt]) < 0:
            continue
        rows = sorted(placed[(SupplyKind.RECEIPT, receipt)], key=lambda row: row["sequence"])
        steps.sort(key=lambda row: row["sequence"])
        waits = [step["wait_s"] for step in steps]
        found += in_turn(rows, waits, None, int(plan.receipt_ready_s[receipt]), f"work order {receipt}")
    return found


def in_turn(rows: list[dict[str, int]], waits: list[int], start: int | None, finish: int, name: str) -> list[str]:
    """Faults in the sequence of one order's operations."""
    if len(rows) != len(waits):
        return [f"{name} has {len(rows)} operations placed, not {len(waits)}"]
    found: list[str] = []
    if start is not None and rows[0]["start_s"] != start:
        found.append(f"{name} does not start with its first operation")
    at = rows[0]["start_s"]
    for row, wait in zip(rows, waits, strict=True):
        if row["start_s"] < at:
            found.append(f"{name} overtakes itself at {row['start_s']}")
        at = row["end_s"] + wait
    if finish < at:
        found.append(f"{name} is finished before its last operation")
    return found


def supply_of(problem: Problem, plan: Plan) -> dict[Key, tuple[int, int, int]]:
    """(kind, row) -> (item, quantity, ready), as far as usable."""
    supply: dict[Key, tuple[int, int, int]] = {}
    for at, row in enumerate(problem.stock.rows()):
        if not row["held"]:
            supply[(SupplyKind.STOCK, at)] = (row["item"], row["quantity"], max(row["available_s"], problem.now_s))
    for at, row in enumerate(problem.receipts.rows()):
        if int(plan.receipt_ready_s[at]) >= 0:
            supply[(SupplyKind.RECEIPT, at)] = (row["item"], row["quantity"], int(plan.receipt_ready_s[at]))
    for at, row in enumerate(plan.proposals.rows()):
        supply[(SupplyKind.PROPOSAL, at)] = (row["item"], row["quantity"], row["finish_s"])
    return supply


def peg_sums(problem: Problem, plan: Plan) -> list[str]:
    """No supply gives more than it has, to another item, or before it is there."""
    found: list[str] = []
    supply, given = supply_of(problem, plan), defaultdict[Key, int](int)
    for at, peg in enumerate(plan.pegs.rows()):
        key = (peg["supply_kind"], peg["supply"])
        if key not in supply:
            found.append(f"peg {at} takes from nothing usable: {peg}")
            continue
        item, _, ready = supply[key]
        given[key] += peg["quantity"]
        if item != peg["item"]:
            found.append(f"peg {at} takes another item")
        if peg["quantity"] <= 0:
            found.append(f"peg {at} has no quantity")
        if peg["need_s"] < ready or peg["ready_s"] != ready:
            found.append(f"peg {at} is used before it is there: {peg}, ready {ready}")
    for key, quantity in given.items():
        if quantity > supply[key][1]:
            found.append(f"supply {key} gives {quantity} of {supply[key][1]}")
    return found


def negative_stock(problem: Problem, plan: Plan) -> list[str]:
    """The material of every item is never below zero at any time."""
    moves: dict[int, list[Key]] = defaultdict(list)
    for item, quantity, ready in supply_of(problem, plan).values():
        moves[item].append((ready, quantity))
    for peg in plan.pegs.rows():
        if peg["consumer_kind"] != ConsumerKind.SAFETY:
            moves[peg["item"]].append((peg["need_s"], -peg["quantity"]))
    found: list[str] = []
    for item, rows in moves.items():
        balance = 0
        for at, quantity in sorted(rows, key=lambda row: (row[0], -row[1])):
            balance += quantity
            if balance < 0:
                found.append(f"item {item} is at {balance} at {at}")
                break
    return found


def components(problem: Problem, plan: Plan) -> list[str]:
    """Every order that is carried out has all its components pegged, taken no later than it starts to need them."""
    found: list[str] = []
    phantom = {row for row in range(len(problem.items)) if int(problem.items.kind[row]) == ItemKind.PHANTOM}
    lines: dict[int, list[dict[str, int]]] = defaultdict(list)
    for row in problem.bom.rows():
        lines[row["parent"]].append(row)
    got: dict[tuple[int, int, int], int] = defaultdict(int)
    earliest: dict[tuple[int, int, int], int] = {}
    for peg in plan.pegs.rows():
        key = (peg["consumer_kind"], peg["consumer"], peg["item"])
        got[key] += peg["quantity"]
        need_s = peg["need_s"]
        earliest[key] = min(earliest[key], need_s) if key in earliest else need_s

    def net(parent: int, amount: Fraction, need: dict[int, Fraction], dated: list[int]) -> None:
        for line in lines[parent]:
            if line["effective_from_s"] > -(2**61) or line["effective_until_s"] < 2**61:
                dated.append(line["component"])
            per_order = (
                Fraction(line["quantity"]) if line["fixed"] else amount * line["quantity"] / line["per_quantity"]
            )
            gross = per_order / (1 - Fraction(line["scrap_ppm"], 1_000_000))
            if line["component"] in phantom:
                net(line["component"], gross, need, dated)
            else:
                need[line["component"]] = need.get(line["component"], Fraction(0)) + gross

    for at, proposal in enumerate(plan.proposals.rows()):
        if proposal["kind"] == ItemKind.BUY:
            continue
        need: dict[int, Fraction] = {}
        dated: list[int] = []
        net(proposal["item"], Fraction(proposal["quantity"]), need, dated)
        for component, quantity in need.items():
            key = (ConsumerKind.PROPOSAL, at, component)
            if got[key] < quantity and component not in dated:
                found.append(f"proposal {at} has {got[key]} of {float(quantity)} of item {component}")
            if key in earliest and earliest[key] < proposal["start_s"]:
                found.append(f"proposal {at} takes item {component} before it starts")
    wanted: dict[tuple[int, int, int], int] = defaultdict(int)
    for row in problem.receipt_requirements.rows():
        wanted[(ConsumerKind.WORK_ORDER, row["receipt"], row["item"])] += row["quantity"]
    for key, quantity in wanted.items():
        if int(plan.receipt_ready_s[key[1]]) >= 0 and got[key] != quantity and not begun(problem, key[1]):
            found.append(f"work order {key[1]} has {got[key]} of {quantity} of item {key[2]}")
    return found


def begun(problem: Problem, receipt: int) -> bool:
    """True when the order is on the machine: it does not wait for material."""
    return any(row["receipt"] == receipt and row["started"] for row in problem.receipt_operations.rows())


def delivery_sums(problem: Problem, plan: Plan) -> list[str]:
    """Delivered + short = ordered, per demand, and the same by pegs; one delivery is one; nothing after the latest."""
    found: list[str] = []
    delivered, pegged = defaultdict[int, int](int), defaultdict[int, int](int)
    instants: dict[int, set[int]] = defaultdict(set)
    for row in plan.deliveries.rows():
        delivered[row["demand"]] += row["quantity"]
        instants[row["demand"]].add(row["delivered_s"])
    for peg in plan.pegs.rows():
        if peg["consumer_kind"] == ConsumerKind.DEMAND:
            pegged[peg["consumer"]] += peg["quantity"]
    for at, demand in enumerate(problem.demands.rows()):
        outcome = plan.outcomes.row(at)
        if demand["due_s"] > problem.horizon_until_s:
            continue
        if outcome["delivered"] + outcome["short"] != demand["quantity"] or outcome["short"] < 0:
            found.append(f"demand {at}: {outcome} of {demand['quantity']}")
        if not outcome["delivered"] == delivered[at] == pegged[at]:
            found.append(f"demand {at}: pegged {pegged[at]}, delivered {delivered[at]}, said {outcome['delivered']}")
        if demand["one_delivery"] and (len(instants[at]) > 1 or 0 < delivered[at] < demand["quantity"]):
            found.append(f"demand {at} wants one delivery, gets {len(instants[at])}")
        if any(instant > max(demand["latest_s"], demand["due_s"]) for instant in instants[at]):
            found.append(f"demand {at} is delivered too late to be wanted")
        if any(instant < problem.now_s + demand["shipping_s"] for instant in instants[at]):
            found.append(f"demand {at} is delivered faster than it can be shipped")
    return found


def lot_rules(problem: Problem, plan: Plan) -> list[str]:
    """Every new order keeps its item's lot rules and step."""
    found: list[str] = []
    items = problem.items
    for at, row in enumerate(plan.proposals.rows()):
        item, quantity = row["item"], row["quantity"]
        if items.lot_fixed[item]:
            good = quantity == items.lot_fixed[item]
        else:
            good = quantity >= items.lot_minimum[item] and quantity > 0
            good = good and (not items.lot_multiple[item] or quantity % items.lot_multiple[item] == 0)
            good = good and (not items.lot_maximum[item] or quantity <= items.lot_maximum[item])
        if not good or quantity % max(int(items.step[item]), 1):
            found.append(f"proposal {at} of {quantity} breaks the lot rules of item {item}")
    return found
