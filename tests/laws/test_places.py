"""The share of a worker that one payer may take, whatever the others do."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from gateway.places import Places


@given(total=st.integers(1, 64), asked=st.lists(st.sampled_from("abc"), max_size=120))
def test_who_holds_less_than_its_share_gets_a_place_as_long_as_there_is_one(total: int, asked: list[str]) -> None:
    places, share = Places(total), max(1, total // 4)
    held: dict[str, int] = dict.fromkeys("abc", 0)
    with ExitStack() as stack:
        for holder in asked:
            if sum(held.values()) >= total:
                break
            before = dict(held)
            got = stack.enter_context(places.one(holder, share))
            held[holder] += got
            if not got:
                assert before[holder] >= share
                assert sum(before.values()) >= total - share
    # What was held is free again.
    with places.one("d", share) as again:
        assert again


def test_one_alone_leaves_its_share_to_others() -> None:
    places = Places(16)
    with ExitStack() as stack:
        got = [stack.enter_context(places.one("slow", 4)) for _ in range(40)]
        assert 12 == sum(got)
        assert [True] * 4 == [stack.enter_context(places.one("quick", 4)) for _ in range(4)]
