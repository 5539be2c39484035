"""Hours of payers: when the way to one is closed, and by when a batch must leave. Pure; local times are in a named zone.

Source of zones: the IANA time zone database, as the machine or the tzdata package has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

__all__ = ["CutOff", "Day", "Maintenance", "closed_until", "leaves_at", "next_business_day"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Hour = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time_zone: {name!r} is no time zone: name one such as America/New_York") from None


class Maintenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hours in which nothing is sent. On these days it begins; where `ends` is not later than `begins` it ends on the next day."""

    begins: Hour
    ends: Hour
    days: list[Day] = msgspec.field(default_factory=lambda: list(_DAYS))
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        _zone(self.time_zone)


class CutOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By when a batch must be there to count on that day; it leaves `minutes_before`."""

    at: Hour
    days: list[Day] = msgspec.field(default_factory=lambda: list(_DAYS[:5]))
    time_zone: str = "America/New_York"
    minutes_before: Annotated[float, msgspec.Meta(ge=0, le=720)] = 15

    def __post_init__(self) -> None:
        _zone(self.time_zone)


def _on(day: datetime, hour: str, zone: ZoneInfo) -> datetime:
    """That hour of a local day, in UTC."""
    return datetime.combine(day.date(), time.fromisoformat(hour), zone).astimezone(UTC)


def next_business_day(now: datetime) -> datetime:
    """The same time of the next day from Monday to Friday."""
    ahead = {4: 3, 5: 2}.get(now.weekday(), 1)
    return now + timedelta(days=ahead)


def closed_until(windows: Sequence[Maintenance], now: datetime) -> datetime | None:
    """When the way opens again, in UTC; None where it is open now. Windows that touch or overlap are one."""
    until: datetime | None = None
    for _ in range(2 * len(windows) + 1):
        further = max((e for w in windows if (e := _end_at(w, until or now)) is not None), default=None)
        if further is None or further == until:
            return until
        until = further
    return until


def _end_at(window: Maintenance, now: datetime) -> datetime | None:
    """The end of this window where it is open at that time."""
    zone = _zone(window.time_zone)
    local = now.astimezone(zone)
    for back in (0, 1):
        day = local - timedelta(days=back)
        if _DAYS[day.weekday()] not in window.days:
            continue
        last = day + timedelta(days=1) if window.ends <= window.begins else day
        begins, ends = _on(day, window.begins, zone), _on(last, window.ends, zone)
        if begins <= now < ends:
            return ends
    return None


def leaves_at(cut_offs: Sequence[CutOff], now: datetime, window_seconds: float) -> datetime:
    """When what is gathered from now on leaves: after the window, or before the next cut-off where that is sooner."""
    latest = now + timedelta(seconds=window_seconds)
    for cut_off in cut_offs:
        zone = _zone(cut_off.time_zone)
        local = now.astimezone(zone)
        for ahead in range((latest - now).days + 2):
            day = local + timedelta(days=ahead)
            if _DAYS[day.weekday()] not in cut_off.days:
                continue
            leaves = _on(day, cut_off.at, zone) - timedelta(minutes=cut_off.minutes_before)
            if now <= leaves < latest:
                latest = leaves
    return latest
