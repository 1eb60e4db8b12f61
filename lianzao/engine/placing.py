"""Finding room on work centres: the latest place before a date, the earliest place after one.

An operation pauses while its centre is closed but is never interrupted by another operation, so it needs one gap
between bookings of one machine that holds its working seconds.
"""

from __future__ import annotations

from lianzao.engine.arithmetic import NEVER_S
from lianzao.engine.compiling import kernel
from lianzao.engine.state import Given, Work


@kernel
def worked_until(g: Given, centre: int, at: int) -> int:
    """Working seconds of the centre before the instant."""
    low, high = g.hours_first[centre], g.hours_first[centre + 1]
    first = low
    while low < high:  # number of intervals that start at or before `at`
        middle = (low + high) // 2
        if g.hours_start[middle] <= at:
            low = middle + 1
        else:
            high = middle
    if low == first:
        return 0
    return g.hours_before[low - 1] + min(at, g.hours_end[low - 1]) - g.hours_start[low - 1]


@kernel
def worked_in_all(g: Given, centre: int) -> int:
    """Working seconds of the centre over the whole calendar."""
    last = g.hours_first[centre + 1] - 1
    if last < g.hours_first[centre]:
        return 0
    return g.hours_before[last] + g.hours_end[last] - g.hours_start[last]


@kernel
def instant_worked(g: Given, centre: int, worked: int, latest: bool) -> int:
    """The latest (as a start) or earliest (as an end) instant at which so many seconds have been worked."""
    low, high = g.hours_first[centre], g.hours_first[centre + 1]
    first = low
    while low < high:
        middle = (low + high) // 2
        before = g.hours_before[middle]
        if before < worked or (latest and before == worked):
            low = middle + 1
        else:
            high = middle
    if low == first:
        return g.hours_start[first] - (g.hours_before[first] - worked)
    return g.hours_start[low - 1] + worked - g.hours_before[low - 1]


@kernel
def last_fit(g: Given, centre: int, work: int, low: int, high: int) -> tuple[int, int]:
    """The latest (start, end) inside [low, high] by the calendar alone; start = -NEVER_S when there is none."""
    if g.hours_first[centre] == g.hours_first[centre + 1]:
        return -NEVER_S, -NEVER_S
    until = worked_until(g, centre, high)
    if until - work < worked_until(g, centre, low):
        return -NEVER_S, -NEVER_S
    return instant_worked(g, centre, until - work, True), instant_worked(g, centre, until, False)


@kernel
def first_fit(g: Given, centre: int, work: int, low: int, high: int) -> tuple[int, int]:
    """The earliest (start, end) inside [low, high] by the calendar alone; start = NEVER_S when there is none."""
    if low >= NEVER_S:
        return NEVER_S, NEVER_S
    since = worked_until(g, centre, low)
    if since + work > worked_in_all(g, centre):
        return NEVER_S, NEVER_S
    end = instant_worked(g, centre, since + work, False)
    if end > high:
        return NEVER_S, NEVER_S
    return instant_worked(g, centre, since, True), end


@kernel
def insert_booking(w: Work, place: int, machine: int, after: int) -> None:
    """Link a placement into its machine's bookings behind `after` (-1 = at the front)."""
    following = w.head[machine] if after < 0 else w.place_next[after]
    w.place_previous[place] = after
    w.place_next[place] = following
    if after < 0:
        w.head[machine] = place
    else:
        w.place_next[after] = place
    if following < 0:
        w.tail[machine] = place
    else:
        w.place_previous[following] = place


@kernel
def release_booking(g: Given, w: Work, place: int) -> None:
    """Take a placement off its machine, if it is on one."""
    if w.place_machine[place] < 0:
        return
    machine = g.machine_first[w.place_centre[place]] + w.place_machine[place]
    before, after = w.place_previous[place], w.place_next[place]
    if before < 0:
        w.head[machine] = after
    else:
        w.place_next[before] = after
    if after < 0:
        w.tail[machine] = before
    else:
        w.place_previous[after] = before
    w.place_machine[place] = -1


@kernel
def booking_before(w: Work, row: int, worked: int) -> int:
    """The last booking of a machine before so many worked seconds (-1 = none), sought from the nearer end."""
    node = w.tail[row]
    if node < 0 or w.place_worked[node] < worked:
        return node
    first = w.head[row]
    if worked - w.place_worked[first] > w.place_worked[node] - worked:
        while node >= 0 and w.place_worked[node] >= worked:
            node = w.place_previous[node]
        return node
    node = first
    while w.place_worked[node] < worked:  # ends: the tail does not start before
        node = w.place_next[node]
    return w.place_previous[node]


@kernel
def place_latest(g: Given, w: Work, place: int, floor: int, limit: int) -> bool:
    """Put a placement as late as possible, ending at or before limit, starting at or after floor. False: no room."""
    centre, work = w.place_centre[place], w.place_work[place]
    w.place_machine[place] = -1
    if centre < 0 or work == 0:
        w.place_start[place], w.place_end[place] = limit - work, limit
        return limit - work >= floor
    if g.machines[centre] == 0:
        start, end = last_fit(g, centre, work, floor, limit)
        w.place_start[place], w.place_end[place] = start, end
        return start > -NEVER_S
    # Everything below is counted in worked seconds of the centre: bookings and gaps are plain intervals there.
    floor_worked, limit_worked = worked_until(g, centre, floor), worked_until(g, centre, limit)
    best, best_machine, best_after = -1, -1, -1
    for machine in range(g.machines[centre]):
        row = g.machine_first[centre] + machine
        high = limit_worked
        if high - work < floor_worked or high <= best:
            continue
        node = booking_before(w, row, limit_worked)
        while high - work >= floor_worked and high > best:
            low = floor_worked if node < 0 else max(floor_worked, w.place_worked[node] + w.place_work[node])
            if high - low >= work:
                best, best_machine, best_after = high, machine, node
                break
            if node < 0:
                break
            high = min(high, w.place_worked[node])
            node = w.place_previous[node]
    if best_machine < 0:
        return False
    book(g, w, place, best - work, best_machine, best_after)
    return True


@kernel
def book(g: Given, w: Work, place: int, worked: int, machine: int, after: int) -> None:
    """Put a placement on a machine from so many worked seconds on."""
    centre = w.place_centre[place]
    w.place_worked[place], w.place_machine[place] = worked, machine
    w.place_start[place] = instant_worked(g, centre, worked, True)
    w.place_end[place] = instant_worked(g, centre, worked + w.place_work[place], False)
    insert_booking(w, place, g.machine_first[centre] + machine, after)


@kernel
def place_earliest(g: Given, w: Work, place: int, ready: int, only_machine: int) -> bool:
    """Put a placement as early as possible at or after ready. False: the calendar ends before."""
    centre, work = w.place_centre[place], w.place_work[place]
    w.place_machine[place] = -1
    if centre < 0 or work == 0:
        w.place_start[place], w.place_end[place] = ready, ready + work
        return True
    if g.machines[centre] == 0:
        start, end = first_fit(g, centre, work, ready, NEVER_S)
        w.place_start[place], w.place_end[place] = start, end
        return start < NEVER_S
    ready_worked, all_worked = worked_until(g, centre, ready), worked_in_all(g, centre)
    best, best_machine, best_after = NEVER_S, -1, -1
    for machine in range(g.machines[centre]):
        if only_machine >= 0 and machine != only_machine:
            continue
        row = g.machine_first[centre] + machine
        low = ready_worked
        if low + work > all_worked or low >= best:
            continue
        node = booking_before(w, row, ready_worked)
        after = -1 if node < 0 else w.place_previous[node]
        if node < 0:
            node = w.head[row]
        while low + work <= all_worked and low < best:
            high = all_worked if node < 0 else w.place_worked[node]
            if high - low >= work:
                best, best_machine, best_after = low, machine, after
                break
            if node < 0:
                break
            low = max(low, w.place_worked[node] + w.place_work[node])
            after, node = node, w.place_next[node]
    if best_machine < 0:
        return False
    book(g, w, place, best, best_machine, best_after)
    return True


@kernel
def release_order(g: Given, w: Work, order: int) -> None:
    """Take all operations of an order off their machines."""
    for k in range(w.order_ops[order]):
        release_booking(g, w, w.order_op[order] + k)


@kernel
def order_latest(g: Given, w: Work, order: int, need: int) -> bool:
    """Place an order just in time: as late as possible, finished at need. False (and unplaced): no room since now.

    Each operation starts no earlier than its material (`place_ready`).
    """
    now, constrained = g.numbers[0], g.numbers[1]
    limit = need
    for k in range(w.order_ops[order] - 1, -1, -1):
        place = w.order_op[order] + k
        limit -= w.place_wait[place]
        if constrained == 0:
            place_free(g, w, place, limit)
        elif not place_latest(g, w, place, max(now, w.place_ready[place]), limit):
            release_order(g, w, order)
            return False
        limit = w.place_start[place]
    last = w.order_op[order] + w.order_ops[order] - 1
    w.order_finish[order] = w.place_end[last] + w.place_wait[last]
    return True


@kernel
def place_free(g: Given, w: Work, place: int, limit: int) -> None:
    """Unconstrained: end at limit by the calendar, whatever else is on the centre; before the calendar begins and after
    it ends, time counts round the clock."""
    centre, work = w.place_centre[place], w.place_work[place]
    w.place_machine[place] = -1
    start, end = limit - work, limit
    if centre >= 0 and g.hours_first[centre] < g.hours_first[centre + 1] and work > 0:
        last = g.hours_end[g.hours_first[centre + 1] - 1]
        if limit <= last:
            until = worked_until(g, centre, limit)
            start, end = instant_worked(g, centre, until - work, True), instant_worked(g, centre, until, False)
    w.place_start[place], w.place_end[place] = start, end


@kernel
def order_earliest(g: Given, w: Work, order: int) -> bool:
    """Place an order as early as its material, its machines and now allow. False: never."""
    at = g.numbers[0]
    committed = order < g.numbers[3]
    for k in range(w.order_ops[order]):
        place = w.order_op[order] + k
        at = max(at, w.place_ready[place])
        machine = -1
        if committed:
            row = g.rop_first[order] + k
            machine = g.rop_machine[row]
            if g.rop_started[row] == 1:
                at = g.numbers[0] if k == 0 else max(g.numbers[0], w.place_end[place - 1])
            elif g.rop_start_s[row] >= 0:
                at = max(at, g.rop_start_s[row])
        if at >= NEVER_S or not place_earliest(g, w, place, at, machine):
            w.place_start[place], w.place_end[place] = NEVER_S, NEVER_S
            release_order(g, w, order)
            w.order_finish[order] = NEVER_S
            return False
        at = w.place_end[place] + w.place_wait[place]
    w.order_finish[order] = at
    return True
