"""Laws of the limits of callers: never more than was allowed, and what is told is what holds."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import CONCURRENT, CROWDED, NOBODY, REQUESTS, SMALL_BYTES, House, Limits, Meter, Meters, Room

RATES = st.sampled_from((0.5, 1, 3, 7.5, 100, 2_000))
BURSTS = st.integers(1, 50)
PAUSES = st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=80)


def told(meter: Meter, now: float) -> dict[str, str]:
    return dict(meter.fields(now))


@given(RATES, BURSTS, PAUSES)
def test_in_no_span_more_is_taken_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    meter = Meter(Limits(requests_per_second=rate, burst=burst), House(1_000))
    now, taken = 1_000.0, list[float]()
    for pause in pauses:
        now += pause
        if meter.enter(now) is None:
            meter.leave()
            taken.append(now)
    for first, at in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - at) * rate + 1e-6


@given(RATES, BURSTS, PAUSES)
def test_what_remains_can_be_taken_and_not_one_more(rate: float, burst: int, pauses: list[float]) -> None:
    meter = Meter(Limits(requests_per_second=rate, burst=burst), House(1_000))
    now = 1_000.0
    for pause in pauses:
        now += pause
        meter.enter(now)
    left = int(told(meter, now)["RateLimit-Remaining"])
    assert 0 <= left <= burst
    assert [None] * left == [meter.enter(now) for _ in range(left)]
    refused = meter.enter(now)
    assert refused is not None
    assert REQUESTS == refused.limit
    assert "0" == told(meter, now)["RateLimit-Remaining"]


@given(RATES, BURSTS)
def test_after_what_a_refusal_says_the_next_one_is_taken(rate: float, burst: int) -> None:
    meter = Meter(Limits(requests_per_second=rate, burst=burst), House(1_000))
    for _ in range(burst):
        assert meter.enter(5.0) is None
    refused = meter.enter(5.0)
    assert refused is not None
    assert 1 <= refused.retry_after_seconds <= max(1, 1 / rate + 1)
    assert meter.enter(5.0 + refused.retry_after_seconds) is None
    assert burst == int(told(meter, 5.0 + int(told(meter, 5.0)["RateLimit-Reset"]) + 1 / rate)["RateLimit-Limit"])


def test_so_many_are_under_way_and_not_one_more() -> None:
    meter = Meter(Limits(concurrent=2), House(1_000))
    assert [None, None] == [meter.enter(1.0), meter.enter(1.0)]
    refused = meter.enter(1.0)
    assert refused is not None
    assert CONCURRENT == refused.limit
    meter.leave()
    assert meter.enter(1.0) is None


def test_fields_are_structured_and_agree() -> None:
    """draft-ietf-httpapi-ratelimit-headers: names are strings, quota and window are integers."""
    meter = Meter(Limits(requests_per_second=2, burst=5, concurrent=3), House(1_000))
    meter.enter(7.0)
    fields = told(meter, 7.0)
    assert '"requests";q=5;w=3, "concurrent-requests";q=3;qu="concurrent-requests"' == fields["RateLimit-Policy"]
    assert '"requests";r=4;t=1' == fields["RateLimit"]
    assert ("5", "4", "1") == tuple(fields[f"RateLimit-{n}"] for n in ("Limit", "Remaining", "Reset"))
    assert all(re.fullmatch(r"[\x20-\x7e]+", v) for v in fields.values())


def test_each_key_has_its_own_meter_and_some_their_own_limits() -> None:
    meters = Meters(Limits(), {"a": Limits(burst=1)}, 1_000)
    assert (1, 4_000) == (meters.of("a").limits.burst, meters.of("b").limits.burst)
    assert meters.of("a") is meters.of("a")
    assert meters.of("a") is not meters.of("b")


def test_meters_of_keys_that_ask_no_more_are_forgotten_and_those_under_way_are_not() -> None:
    meters = Meters(Limits(), {}, 1_000)
    busy = meters.of("busy")
    busy.enter(1.0)
    for number in range(20_001):
        meters.of(str(number))
    assert meters.of("busy") is busy


@given(st.integers(2, 60), st.integers(1, 8), st.lists(st.integers(0, 7), max_size=300))
def test_whoever_asks_for_more_than_a_share_leaves_room_for_who_comes_next(
    at_most: int, callers: int, asking: list[int]
) -> None:
    house = House(at_most)
    meters = [Meter(Limits(burst=1_000), house) for _ in range(callers)]
    for who in asking:
        meters[who % callers].enter(0.0)
        assert house.under_way == sum(meter.under_way for meter in meters) <= at_most
        assert house.callers == sum(meter.under_way > 0 for meter in meters)
    if (house.callers + 2) ** 2 <= 4 * at_most:
        # However many places each came for, and in whatever order: the share that was kept is larger than the number of those who came since.
        assert Meter(Limits(), house).enter(0.0) is None


def test_callers_that_came_when_there_were_fewer_leave_a_place_for_the_next() -> None:
    house = House(8)
    first, second, third = (Meter(Limits(), house) for _ in range(3))
    assert [4, 2, 1] == [sum(meter.enter(0.0) is None for _ in range(9)) for meter in (first, second, third)]
    assert Meter(Limits(), house).enter(0.0) is None


def test_a_caller_alone_has_half_of_the_room_and_gets_more_only_when_it_leaves() -> None:
    house = House(10)
    meter = Meter(Limits(), house)
    assert [None] * 5 == [meter.enter(0.0) for _ in range(5)]
    refused = meter.enter(0.0)
    assert refused is not None
    assert (CROWDED, 1) == refused
    meter.leave()
    assert meter.enter(0.0) is None


def test_what_a_crowded_house_refuses_is_not_counted_against_the_key() -> None:
    meter = Meter(Limits(burst=3), House(1))
    assert meter.enter(0.0) is None
    for _ in range(5):
        assert meter.enter(0.0) == (CROWDED, 1)
    assert "2" == told(meter, 0.0)["RateLimit-Remaining"]


# --- the room for bodies ---

_ROOM = 16 * SMALL_BYTES
_STEPS = st.lists(
    st.tuples(st.sampled_from((NOBODY, "a", "b", "c")), st.integers(1, 8 * SMALL_BYTES), st.booleans()), max_size=60
)


@given(_STEPS)
def test_bodies_never_have_more_than_the_room_and_strangers_no_more_than_an_eighth(
    steps: list[tuple[str, int, bool]],
) -> None:
    room, under_way = Room(_ROOM), list[tuple[str, int]]()
    for caller, size, leaves in steps:
        room.enter(caller)
        before = {c: room.held(c) for c, _, _ in steps}
        if room.take(caller, size, size):
            under_way.append((caller, size))
        else:
            assert before == {c: room.held(c) for c, _, _ in steps}
            room.leave(caller, 0)
        if leaves and under_way:
            room.leave(*under_way.pop(0))
        assert room.taken == sum(size for _, size in under_way) <= _ROOM
        assert {c: room.held(c) for c in before} == {c: sum(s for o, s in under_way if o == c) for c in before}
        assert 8 * room.held(NOBODY) <= _ROOM
    for body in under_way:
        room.leave(*body)
    assert 0 == room.taken


@given(st.integers(1, 4), st.integers(SMALL_BYTES + 1, 3 * SMALL_BYTES))
def test_who_floods_the_room_with_large_bodies_leaves_a_share_for_whoever_comes_next(callers: int, size: int) -> None:
    room, share = Room(_ROOM), _ROOM // (callers + 1)
    for number in range(200):
        caller = f"caller {number % callers}"
        room.enter(caller)
        if not room.take(caller, size, size):
            room.leave(caller, 0)
    assert 2 * room.taken > _ROOM - 2 * callers * size
    assert all(room.held(f"caller {n}") <= share for n in range(callers)) or 2 * room.taken <= _ROOM
    room.enter("next")
    assert room.take("next", share, share)


def test_one_body_of_a_caller_and_small_ones_are_bounded_by_the_room_alone() -> None:
    room = Room(_ROOM)
    room.enter("a")
    assert room.take("a", 14 * SMALL_BYTES, 14 * SMALL_BYTES)
    for size, taken in ((SMALL_BYTES + 1, False), (SMALL_BYTES, True)):
        room.enter("a")
        assert taken == room.take("a", size, size)
    room.enter("b")
    assert not room.take("b", SMALL_BYTES + 1, SMALL_BYTES + 1)
    assert room.take("b", SMALL_BYTES, SMALL_BYTES)
