"""Hours of payers: closed ways open again, and batches leave before a cut-off, also over midnight and when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.hours import CutOff, Maintenance, closed_until, leaves_at

SUNDAY_NIGHT = Maintenance(begins="23:00", ends="03:00", days=["sun"], time_zone="America/New_York")
NOON = Maintenance(begins="12:00", ends="13:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-11 12:30", "2026-01-11 13:00"),
        ("2026-01-11 13:00", None),
        ("2026-01-11 11:59", None),
        # Sunday 23:00 in New York is Monday 04:00 UTC in winter, 03:00 in summer.
        ("2026-01-12 03:59", None),
        ("2026-01-12 04:00", "2026-01-12 08:00"),
        ("2026-01-12 07:59", "2026-01-12 08:00"),
        ("2026-07-13 03:00", "2026-07-13 07:00"),
        # Clocks go forward on 2026-03-08 at 2:00: that night's window is the Saturday's and does not exist.
        ("2026-03-08 07:30", None),
        # The window of 2026-03-08, after the change.
        ("2026-03-09 03:30", "2026-03-09 07:00"),
        ("2026-11-02 04:30", "2026-11-02 08:00"),
        ("2026-01-13 04:30", None),
    ],
)
def test_a_closed_way_opens_again(now: str, expected: str | None) -> None:
    assert (at(expected) if expected else None) == closed_until([SUNDAY_NIGHT, NOON], at(now))


def test_windows_that_touch_are_one() -> None:
    windows = [Maintenance(begins="12:00", ends="13:00"), Maintenance(begins="13:00", ends="14:00")]
    assert at("2026-01-11 14:00") == closed_until(windows, at("2026-01-11 12:30"))


def test_a_way_that_is_never_open_is_told_all_the_same() -> None:
    assert None is not closed_until([Maintenance(begins="00:00", ends="00:00")], at("2026-01-11 12:30"))


@pytest.mark.parametrize(
    ("now", "hours", "expected"),
    [
        # 21:00 in New York less a quarter of an hour is 01:45 UTC of the next day in winter.
        ("2026-01-13 00:30", 4, "2026-01-13 01:45"),
        ("2026-01-13 00:30", 1, "2026-01-13 01:30"),
        ("2026-01-13 01:50", 4, "2026-01-13 05:50"),
        # Not on a Saturday night.
        ("2026-01-11 00:30", 4, "2026-01-11 04:30"),
        ("2026-07-14 00:30", 4, "2026-07-14 00:45"),
    ],
)
def test_a_batch_leaves_before_the_cut_off(now: str, hours: float, expected: str) -> None:
    assert at(expected) == leaves_at([CutOff(at="21:00")], at(now), hours * 3600)


def test_a_cut_off_never_holds_a_batch_longer_than_its_window() -> None:
    for minute in range(0, 7 * 24 * 60, 37):
        now = at("2026-03-05 00:00") + timedelta(minutes=minute)
        leaves = leaves_at([CutOff(at="21:00"), CutOff(at="09:00", days=["sat"])], now, 6 * 3600)
        assert now <= leaves <= now + timedelta(hours=6)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="America/New_York"):
        Maintenance(begins="01:00", ends="02:00", time_zone="America/Nowhere")
