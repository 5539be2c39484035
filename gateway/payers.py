"""Payers and the routes to them, as configured. Data, not code: nothing here knows a payer by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from gateway.lifecycle import Profile
from gateway.retry_rules import RetryRule, unknown_codes

__all__ = ["Directory", "Payer", "Route", "UnknownPayer"]


class UnknownPayer(LookupError):
    """No payer has this id or alias; the message names similar ones."""


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way to one payer: an adapter, its settings, and the identifiers of the envelopes on this way."""

    id: str
    adapter: str
    usage: Literal["T", "P"]
    sender_id: str
    receiver_id: str
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"
    settings: dict[str, str] = {}
    secrets: dict[str, str] = {}
    batch_window_seconds: float = 60
    batch_claims_max: int = 5_000
    poll_seconds: float = 60
    deadline_seconds: float = 20
    # How the payer recognises an interchange it already has; without it nothing in doubt is sent again.
    duplicates: Literal["none", "isa13", "idempotency_key"] = "none"
    # The sandbox takes raw X12 for whatever payer it names: there is no other payer it could reach.
    takes_any_payer: bool = False

    @property
    def series(self) -> str:
        """The series of interchange control numbers: sender, receiver and usage."""
        return f"isa:{self.sender_qualifier}:{self.sender_id}:{self.receiver_qualifier}:{self.receiver_id}:{self.usage}"

    def __repr__(self) -> str:
        return f"<Route {self.id}>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        # Rich, which tracebacks are printed with, would else show the secrets.
        return [("id", self.id)]


class Payer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A payer: who it is, how it is reached, when it is asked about silent claims."""

    id: str
    name: str
    routes: list[str]
    aliases: list[str] = []
    follow_up_days: int = 14
    follow_up_every_days: int = 14
    # Of rejected eligibility checks that may wait; before the common rules.
    eligibility_retries: list[RetryRule] = []

    @property
    def profile(self) -> Profile:
        return Profile(timedelta(days=self.follow_up_days), timedelta(days=self.follow_up_every_days))


class Directory:
    """Payers by id and alias, and routes by id."""

    def __init__(self, payers: Iterable[Payer], routes: Iterable[Route]) -> None:
        self.payers: Mapping[str, Payer] = {p.id: p for p in payers}
        self.routes: Mapping[str, Route] = {r.id: r for r in routes}
        self._named: dict[str, Payer] = {}
        for payer in self.payers.values():
            for name in (payer.id, *payer.aliases):
                if self._named.setdefault(name.upper(), payer) is not payer:
                    raise ValueError(f"payer {payer.id}: the id or alias {name!r} belongs to another payer too")
            for rule in payer.eligibility_retries:
                if unknown := unknown_codes(rule):
                    raise ValueError(
                        f"payer {payer.id}: eligibility_retries: {', '.join(unknown)} is no AAA03 or AAA04 code"
                    )
            missing = [r for r in payer.routes if r not in self.routes]
            if missing or not payer.routes:
                raise ValueError(f"payer {payer.id}: no route is called {', '.join(missing) or 'anything'}")

    def find(self, service_id: str) -> Payer:
        """The payer with this id or alias; UnknownPayer when there is none."""
        found = self._named.get(service_id.strip().upper())
        if found is None:
            near = difflib.get_close_matches(service_id.strip().upper(), self._named, n=3, cutoff=0.6)
            hint = f"; similar ids are {', '.join(near)}" if near else ""
            raise UnknownPayer(f"no payer with this id is configured{hint}")
        return found

    def for_x12(self, service_id: str) -> Payer:
        """The payer that raw X12 names, or the one whose route takes any; UnknownPayer when there is neither."""
        try:
            return self.find(service_id)
        except UnknownPayer:
            for payer in self.payers.values():
                if self.route(payer).takes_any_payer:
                    return payer
            raise

    def route(self, payer: Payer) -> Route:
        """The first way to a payer."""
        return self.routes[payer.routes[0]]
