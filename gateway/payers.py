"""Payers and the routes to them, as configured. Data, not code: nothing here knows a payer by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from gateway.hours import CutOff, Maintenance
from gateway.lifecycle import RUNGS, Profile, Rung
from gateway.retry_rules import RetryRule, unknown_codes
from queues.work import SECOND

__all__ = ["Directory", "Expects", "NotSupported", "Payer", "Route", "Support", "Transactions", "UnknownPayer"]


class UnknownPayer(LookupError):
    """No payer has this id or alias; the message names similar ones."""


class NotSupported(UnknownPayer):
    """The payer is known and does not take this transaction; the message says which."""


Support = Literal["supported", "not_supported", "enrollment_required"]


_FIVE_LETTERS = re.compile(r"[A-Z]{5}")
_Hours = Annotated[float, msgspec.Meta(ge=0, le=8_784)]


class Expects(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Within what time of the sending of a claim something is expected to be said of it; 0 is never. Past it there is an alarm.

    `interchange_acknowledgement_hours` is of the TA1, `acknowledgement_hours` of the 999, `claim_acknowledgement_hours` of the first 277CA, which
    may be a clearinghouse's, `payer_acknowledgement_hours` of the payer's own behind that, `status_hours` of the 277, from the sending of the 276 on.
    """

    interchange_acknowledgement_hours: _Hours = 0
    acknowledgement_hours: _Hours = 24
    claim_acknowledgement_hours: _Hours = 48
    payer_acknowledgement_hours: _Hours = 0
    status_hours: _Hours = 48
    remittance_days: Annotated[float, msgspec.Meta(ge=0, le=366)] = 45

    @property
    def clocks(self) -> list[tuple[Rung, int]]:
        """The rungs on which something is expected, the lowest first, and within how many microseconds of the sending."""
        hours = (
            self.interchange_acknowledgement_hours,
            self.acknowledgement_hours,
            self.claim_acknowledgement_hours,
            self.payer_acknowledgement_hours,
            self.status_hours,
            self.remittance_days * 24,
        )
        return [(rung, round(span * 3600 * SECOND)) for rung, span in zip(RUNGS, hours, strict=True) if span]


class Transactions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a payer takes and gives, where its data says so; what is left out is as the adapter of its route can."""

    eligibility_check: Support | None = None
    claim_status: Support | None = None
    professional_claim: Support | None = None
    institutional_claim: Support | None = None
    dental_claim: Support | None = None
    claim_payment: Support | None = None


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
    duplicates: Literal["none", "idempotency_key", "isa13", "payload_hash", "filename"] = "none"
    # For how long it does, where not for good: an Idempotency-Key is forgotten after a day or a month.
    duplicates_hours: Annotated[float, msgspec.Meta(gt=0, le=87_840)] | None = None
    # For so long a payer without that promise may still be taking in what it says it does not have.
    absent_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60
    # What the payer bears; they hold over all processes on one database.
    requests_per_second: Annotated[float, msgspec.Meta(gt=0, le=10_000)] | None = None
    burst: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    concurrent: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    # After so many failures in a row nothing is tried for so long, twice as long after each attempt that fails then, up to a bound.
    circuit_failures: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    circuit_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30
    circuit_seconds_max: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 900
    # Hours in which nothing is sent, and by when batches must be there.
    maintenance: list[Maintenance] = []
    cut_offs: list[CutOff] = []
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
    """A payer: who it is, how it is reached, how its claims are judged, when it is asked about silent ones."""

    id: str
    name: str
    routes: list[str]
    aliases: list[str] = []
    # Other names that it is looked for by.
    names: list[str] = []
    coverage_types: list[Literal["medical", "dental", "vision"]] = []
    operating_states: list[Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{2}|NATIONAL)$")]] = []
    website: str | None = None
    transactions: Transactions = Transactions()
    follow_up_days: int = 14
    follow_up_every_days: int = 14
    # Days from the last day of service within which a claim must have come, and how many before that a person must act.
    timely_filing_days: Annotated[int, msgspec.Meta(ge=1, le=1_500)] | None = None
    timely_filing_notice_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    # Days from the day of a denial within which an appeal may be made.
    appeal_days: Annotated[int, msgspec.Meta(ge=1, le=1_500)] | None = None
    expects: Expects = Expects()
    # Of rejected eligibility checks that may wait; before the common rules.
    eligibility_retries: list[RetryRule] = []
    # SNIP levels above syntax and guide at which what is wrong with a claim only warns: what is not X12 can never be sent.
    warns_at: list[Annotated[int, msgspec.Meta(ge=3, le=7)]] = []
    # Rules, by their ids, of which it only wants a warning: `CW117` where it knows providers without NPI by their tax number alone.
    warns_of: list[str] = []
    # Names of companion guides in the data folder's `companions`: this payer's claims are judged by them too, at level 7.
    companions: list[str] = []
    # What becomes of a claim that is the very same as one that this payer was sent before.
    repeated_claims: Literal["refuse", "warn", "allow"] = "refuse"

    @property
    def hosted_id(self) -> str:
        """The id that clients of hosted services look for, wherever one is told: the five letters among its id and aliases, else its id."""
        return next((name for name in (self.id, *self.aliases) if _FIVE_LETTERS.fullmatch(name)), self.id)

    @property
    def profile(self) -> Profile:
        appeal_within = timedelta(days=self.appeal_days) if self.appeal_days is not None else None
        return Profile(timedelta(days=self.follow_up_days), timedelta(days=self.follow_up_every_days), appeal_within)


class Directory:
    """Payers by id and alias, and routes by id."""

    def __init__(self, payers: Iterable[Payer] = (), routes: Iterable[Route] = ()) -> None:
        self.payers: dict[str, Payer] = {}
        self.routes: dict[str, Route] = {}
        self._named: dict[str, Payer] = {}
        faults = self.add_routes(routes)
        for payer in payers:
            faults += self.add(payer)
        if faults:
            raise ValueError("; ".join(faults))

    def add_routes(self, routes: Iterable[Route]) -> list[str]:
        """Take routes in; what is wrong with some of them, and then with none of those taken."""
        made = list(routes)
        ids = [route.id for route in made]
        faults = [
            f"route {i}: there is another route with this id" for i in ids if i in self.routes or ids.count(i) > 1
        ]
        if not faults:
            self.routes |= {route.id: route for route in made}
        return list(dict.fromkeys(faults))

    def add(self, payer: Payer) -> list[str]:
        """Take a payer in; what is wrong with it, and then it is not taken."""
        faults: list[str] = []
        names = [name.upper() for name in (payer.id, *payer.aliases)]
        for name in names:
            if name in self._named:
                other = self._named[name].id
                faults.append(f"payer {payer.id}: the id or alias {name!r} belongs to another payer too: {other}")
        for rule in payer.eligibility_retries:
            if unknown := unknown_codes(rule):
                said = ", ".join(unknown)
                faults.append(f"payer {payer.id}: eligibility_retries: {said} is no AAA03 or AAA04 code")
        missing = [r for r in payer.routes if r not in self.routes]
        if missing or not payer.routes:
            faults.append(f"payer {payer.id}: no route is called {', '.join(missing) or 'anything'}")
        if not faults:
            self.payers[payer.id] = payer
            self._named |= dict.fromkeys(names, payer)
        return faults

    def find(self, service_id: str, transaction: str | None = None) -> Payer:
        """The payer with this id or alias; UnknownPayer when there is none, or none that takes this transaction."""
        found = self._named.get(service_id.strip().upper())
        if found is None and not service_id.strip():
            raise UnknownPayer("no payer is named: give its id, or an alias")
        if found is None:
            near = difflib.get_close_matches(service_id.strip().upper(), self._named, n=3, cutoff=0.6)
            hint = f"; similar ids are {', '.join(near)}" if near else ""
            raise UnknownPayer(f"no payer with this id is configured{hint}")
        if transaction is not None and getattr(found.transactions, transaction) == "not_supported":
            raise NotSupported(f"this payer takes no {transaction.replace('_', ' ')}s")
        return found

    def for_x12(self, service_id: str, transaction: str | None = None) -> Payer:
        """The payer that raw X12 names, or the one whose route takes any; UnknownPayer when there is neither.

        What was made for another payer is an example: it is refused for syntax, guide and sums, and warned of the rest.
        """
        try:
            return self.find(service_id, transaction)
        except NotSupported:
            raise
        except UnknownPayer:
            for payer in self.payers.values():
                if self.route(payer).takes_any_payer:
                    return msgspec.structs.replace(payer, warns_at=[4, 5, 6, 7])
            raise

    def route(self, payer: Payer, usage: str = "P") -> Route:
        """The way to a payer: the first of its ways."""
        return self.ways(payer, usage)[0]

    def ways(self, payer: Payer, usage: str = "P") -> list[Route]:
        """The ways to a payer, in order: those of the usage (ISA15) of the first, of test where something is for test and there are any."""
        routes = [self.routes[name] for name in payer.routes]
        wanted = "T" if usage == "T" and any(r.usage == "T" for r in routes) else routes[0].usage
        return [r for r in routes if r.usage == wanted]
