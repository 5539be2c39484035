"""How much each caller may ask at once and in time. Pure but for the counts it keeps: the caller says what time it is.

The rate is held by the generic cell rate algorithm: one number a caller, the time at which all that was taken would be
paid back. Source of names and fields: draft-ietf-httpapi-ratelimit-headers-10, and its draft 06 for the older three fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec

__all__ = [
    "CONCURRENT",
    "CROWDED",
    "NOBODY",
    "REQUESTS",
    "SMALL_BYTES",
    "Excess",
    "House",
    "Limits",
    "Meter",
    "Meters",
    "Room",
]

# The names of the limits, as a 429 tells them.
REQUESTS, CONCURRENT = "requests", "concurrent-requests"
# No limit of a key: all callers together are too many.
CROWDED = "crowded"
_METERS_MAX = 10_000
# The caller of a body whose key is not known.
NOBODY = ""
# A body of so many bytes is no burden by itself: how many of them there are is limited as requests are.
SMALL_BYTES = 64 << 10
# Of the room for bodies, what all of them together have whose caller is not known.
_NOBODYS_SHARE = 8


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one key may ask of one process: so many requests a second on average, so many at once after a quiet time, and so
    many under way together.
    """

    requests_per_second: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 2_000
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4_000
    concurrent: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000


class Excess(NamedTuple):
    """A limit that was hit, and after how many seconds it makes sense to ask again."""

    limit: str
    retry_after_seconds: int


class House:
    """The room for all requests of a process. Once half of it is taken, a caller has no more than an equal share, one share being kept for
    whoever comes next.
    """

    __slots__ = ("_at_most", "callers", "under_way")

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self.under_way = 0
        # Keys that have a request under way.
        self.callers = 0

    def enter(self, mine: int) -> bool:
        """Take a place for a caller who has so many already; False where there is none for it."""
        callers = self.callers + (mine == 0)
        left, half_taken = self._at_most - self.under_way, 2 * self.under_way >= self._at_most
        has_its_share = half_taken and mine * (callers + 1) >= self._at_most
        # Callers may have more than their share from when they were fewer: what is kept is kept from all that have a place.
        takes_what_is_kept = mine > 0 and left <= self._at_most // (callers + 1)
        if has_its_share or takes_what_is_kept or not left:
            return False
        self.under_way += 1
        self.callers = callers
        return True

    def leave(self, mine: int) -> None:
        """Give a place back; the caller has so many left."""
        self.under_way -= 1
        self.callers -= mine == 0


class Room:
    """The bytes of all bodies that a process has in memory, and whose they are.

    Once half of the room is taken, a caller with several bodies has no more than an equal share for large ones, one share being kept for
    whoever comes next. Callers who are not known have an eighth of the room, all together.
    """

    __slots__ = ("_at_most", "_held", "taken")

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self.taken = 0
        # Caller -> bytes, and bodies.
        self._held: dict[str, tuple[int, int]] = {}

    def held(self, caller: str) -> int:
        """How many bytes are a caller's."""
        return self._held.get(caller, (0, 0))[0]

    def enter(self, caller: str) -> None:
        """Begin a body, which `leave` must end."""
        size, bodies = self._held.get(caller, (0, 0))
        self._held[caller] = size, bodies + 1

    def take(self, caller: str, size: int, length: int) -> bool:
        """Take so many bytes more for a body, which then has `length`; False where there is no room for them."""
        mine, bodies = self._held[caller]
        after = self.taken + size
        if after > self._at_most:
            return False
        if caller == NOBODY and _NOBODYS_SHARE * (mine + size) > self._at_most:
            return False
        callers = len(self._held)
        if (
            bodies > 1
            and length > SMALL_BYTES
            and 2 * after > self._at_most
            and (mine + size) * (callers + 1) > self._at_most
        ):
            return False
        self.taken = after
        self._held[caller] = mine + size, bodies
        return True

    def leave(self, caller: str, size: int) -> None:
        """End a body, and give its bytes back."""
        mine, bodies = self._held[caller]
        self.taken -= size
        if bodies > 1:
            self._held[caller] = mine - size, bodies - 1
        else:
            del self._held[caller]

    def give(self, caller: str, size: int) -> None:
        """Give bytes back of a body that goes on."""
        mine, bodies = self._held[caller]
        self.taken -= size
        self._held[caller] = mine - size, bodies


class Meter:
    """What one key has used."""

    __slots__ = ("_house", "_interval", "_limit", "_paid_at", "_policy", "_window", "limits", "under_way")

    def __init__(self, limits: Limits, house: House) -> None:
        self.limits = limits
        self.under_way = 0
        self._house = house
        self._interval = 1 / limits.requests_per_second
        self._window = limits.burst * self._interval
        self._paid_at = 0.0
        self._limit = str(limits.burst)
        self._policy = (
            f'"{REQUESTS}";q={limits.burst};w={math.ceil(self._window)}, '
            f'"{CONCURRENT}";q={limits.concurrent};qu="concurrent-requests"'
        )

    def enter(self, now: float) -> Excess | None:
        """Begin a request, which `leave` must end; or the limit that forbids it. `now` is in seconds of a steady clock."""
        if self.under_way >= self.limits.concurrent:
            return Excess(CONCURRENT, 1)
        owed = max(self._paid_at - now, 0.0)
        wait = owed + self._interval - self._window
        # A hair's breadth for what floats lose in adding up.
        if wait > 1e-9:
            return Excess(REQUESTS, max(1, math.ceil(wait)))
        if not self._house.enter(self.under_way):
            return Excess(CROWDED, 1)
        self._paid_at = now + owed + self._interval
        self.under_way += 1
        return None

    def leave(self) -> None:
        """End a request."""
        self.under_way -= 1
        self._house.leave(self.under_way)

    def fields(self, now: float) -> tuple[tuple[str, str], ...]:
        """The header fields that tell what is left."""
        owed = self._paid_at - now
        if owed <= 0:
            left, reset = self.limits.burst, 0
        else:
            left, reset = max(0, int((self._window - owed) / self._interval + 1e-6)), math.ceil(owed)
        return (
            ("RateLimit-Policy", self._policy),
            ("RateLimit", f'"{REQUESTS}";r={left};t={reset}'),
            ("RateLimit-Limit", self._limit),
            ("RateLimit-Remaining", str(left)),
            ("RateLimit-Reset", str(reset)),
        )


class Meters:
    """The meters of all callers, by the ids of their keys; `of_keys` has those whose limits are not the common ones."""

    def __init__(self, common: Limits, of_keys: Mapping[str, Limits], at_most: int) -> None:
        self.house = House(at_most)
        self._common = common
        self._of_keys = of_keys
        self._meters: dict[str, Meter] = {}

    def of(self, key_id: str) -> Meter:
        """The meter of a key."""
        found = self._meters.get(key_id)
        if found is None:
            if len(self._meters) >= _METERS_MAX:
                self._meters = {k: m for k, m in self._meters.items() if m.under_way}
            found = self._meters[key_id] = Meter(self._of_keys.get(key_id, self._common), self.house)
        return found
