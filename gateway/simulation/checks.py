"""What must hold after every event of a simulation, held against what really arrived at the payers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from gateway.ledger import audit
from gateway.simulation.payers import Arrival
from queues.database import Row, SQLite, Transaction, driven

__all__ = ["Broken", "Carried", "Observer", "restless"]

_HOUR = 3600 * 1_000_000


class Broken(AssertionError):
    """Something that must hold does not."""


class Carried:
    """What left, as it arrived at the payers. `rules` says of each payer how it knows a copy."""

    def __init__(self, rules: dict[str, str]) -> None:
        self._rules = rules
        # Patient control number -> the interchanges that it was in where they arrived.
        self._carried: dict[str, list[Arrival]] = {}
        # What a person let go out once more: interchanges, or claims in another one.
        self.resent: set[tuple[str, str]] = set()
        self.rebuilt: set[str] = set()

    def arrived(self, arrival: Arrival) -> None:
        """Broken where a claim is with a payer twice, but by the payer's own rule or a person's word."""
        if arrival.set_id != "837":
            return
        for claim in arrival.claims:
            before = self._carried.setdefault(claim, [])
            for other in before:
                if (other.payer, other.control_number) != (arrival.payer, arrival.control_number):
                    if claim not in self.rebuilt:
                        raise Broken(f"claim {claim} is in {other.control_number} and {arrival.control_number}")
                elif other.sha256 != arrival.sha256:
                    raise Broken(f"interchange {arrival.control_number} left with other bytes")
                elif (
                    self._rules[arrival.payer] == "none" and (arrival.payer, arrival.control_number) not in self.resent
                ):
                    raise Broken(f"interchange {arrival.control_number} left twice to {arrival.payer}")
            before.append(arrival)


class Observer:
    """Looks at the database from outside, and remembers what left. `rules` says of each payer how it knows a copy."""

    def __init__(self, path: Path, vfs: str, rules: dict[str, str]) -> None:
        self._opened = lambda: SQLite(path, vfs=vfs)
        self._database = self._opened()
        self._carried = Carried(rules)
        self.resent, self.rebuilt = self._carried.resent, self._carried.rebuilt

    def rows(self, sql: str, *values: str | int) -> Sequence[Row]:
        """What a question to the committed ledger gives."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(sql, *values)

        return driven(self._database.read(body))

    def close(self) -> None:
        """Look no more."""
        driven(self._database.close())

    def reopen(self) -> None:
        """Look again."""
        self._database = self._opened()

    def committed(self) -> None:
        """After each commit: the ledger is true to itself."""
        found = driven(self._database.read(audit.faults))
        if found:
            raise Broken("; ".join(f"not so: {one.rule} ({', '.join(one.examples)})" for one in found))

    def arrived(self, arrival: Arrival) -> None:
        """After each sending: no claim is with a payer twice, but by the payer's own rule or a person's word."""
        self._carried.arrived(arrival)

    def settling(self, content: bytes) -> None:
        """Before a payer lets go of a file: it is here."""
        digest = hashlib.sha256(content).hexdigest()
        if not self.rows("SELECT 1 FROM inbound_files WHERE sha256 = $1", digest):
            raise Broken("a file was settled at its payer that is not kept here")

    def acknowledged(self, transaction_id: str) -> None:
        """After each 200: the claim is kept."""
        if not self.rows("SELECT 1 FROM transactions WHERE transaction_id = $1", transaction_id):
            raise Broken(f"{transaction_id} was acknowledged and is not kept")

    def at_rest(self, now: int) -> None:
        """At the end, in fair weather: nothing waits that could go on, nothing was given up, nothing was applied twice."""
        if found := driven(self._database.read(lambda tx: restless(tx, now))):
            raise Broken("; ".join(found))


async def restless(tx: Transaction, now: int) -> list[str]:
    """What must not be where a ledger has been at rest for an hour before `now`, each with examples."""
    found = {
        "due work that nobody does": await tx.fetch(
            "SELECT kind, subject, reason FROM work WHERE run_at < $1 AND buried_at IS NULL", now - _HOUR
        ),
        "buried work": await tx.fetch("SELECT kind, subject, reason FROM work WHERE buried_at IS NOT NULL"),
        # What a proxy said in a payer's place is kept as it came.
        "files not applied": await tx.fetch(
            "SELECT inbound_id, state, reason FROM inbound_files WHERE state <> 'applied' AND reason <> 'no interchange'"
        ),
        "facts told twice": await tx.fetch(
            "SELECT transaction_id, kind FROM events WHERE inbound_id IS NOT NULL"
            " GROUP BY transaction_id, kind, inbound_id, data HAVING count(*) > 1"
        ),
        "payers asked twice for one date": await tx.fetch(
            "SELECT a.transaction_id, a.sequence FROM events a JOIN events b ON b.tenant_id = a.tenant_id"
            " AND b.transaction_id = a.transaction_id AND b.kind = a.kind AND b.sequence > a.sequence"
            " WHERE a.kind = 'followUpAsked' AND abs(b.at - a.at) < $1",
            _HOUR,
        ),
        "interchanges not settled": await tx.fetch(
            "SELECT interchange_id, state FROM interchanges WHERE set_id = '837' AND state NOT IN ('confirmed', 'rejected', 'released')"
        ),
    }
    return [f"{what}: {rows[:3]}" for what, rows in found.items() if rows]
