"""What the status segments (STC) of a 277 say, flat: what matching, follow-up and the ledger need, whatever the JSON is.

Sources: 005010X212 and 005010X214 (STC, TRN, REF, DTP), code sources 507 and 508.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

import msgspec

from x12 import codes
from x12.walk import Instance

__all__ = ["StatusCode", "accepts", "amount", "day", "days", "found", "patients", "reference", "status_codes"]

# The three composites of an STC that carry codes.
_COMPOSITES = (1, 10, 11)
_PHARMACY = "RX"
_REJECTING = frozenset(("A3", "A4", "A6", "A7", "A8", "DR03", "DR04", "DR05", "DR06", "DR07"))
_ACCEPTING = frozenset(("A0", "A1", "A2", "A5", "DR01", "DR02", "DR08"))
_REJECT, _ACCEPT = "U", "WQ"
_AMOUNT = re.compile(r"-?(?:\d+\.?\d*|\.\d+)", re.ASCII)


class StatusCode(msgspec.Struct, frozen=True):
    """One (category, status, entity) of an STC. `line` is the line item control number, None for the claim itself.

    Where `pharmacy` is set, `status` is an NCPDP reject code and not one of code source 508.
    """

    category: str
    status: str
    entity: str = ""
    pharmacy: bool = False
    line: str | None = None

    @property
    def words(self) -> str:
        """Category, status and entity in words; a code that no list has stands for itself."""
        status = self.status if self.pharmacy else codes.table("claim_status").get(self.status, self.status)
        said = f"{codes.table('claim_status_category').get(self.category, self.category)}: {status}"
        return f"{said} ({codes.table('entity').get(self.entity, self.entity)})" if self.entity else said


def status_codes(loop: Instance, line: str | None = None) -> Iterator[StatusCode]:
    """Every code of every STC in a loop, in file order."""
    separator = loop.delimiters.component
    for row in loop.rows().get("STC", ()):
        for element in _COMPOSITES:
            if element < len(row) and row[element]:
                category, status, entity, qualifier = (*row[element].split(separator), "", "", "", "")[:4]
                yield StatusCode(category, status, entity, qualifier == _PHARMACY, line)


def accepts(said: Iterable[StatusCode], actions: Iterable[str]) -> bool | None:
    """Whether codes and actions (STC03) accept or reject; None where they say neither. One rejection outweighs the rest."""
    categories, actions = {code.category for code in said}, set(actions)
    if categories & _REJECTING or _REJECT in actions:
        return False
    if categories & _ACCEPTING or _ACCEPT in actions or any(c[:1] in ("P", "F") for c in categories):
        return True
    return None


def patients(level: Instance) -> Iterator[Instance]:
    """The level (2000D or 2000E) of each patient; a subscriber with dependents is one where claims of its own are there."""
    for subscriber in level.all("2000D"):
        dependents = subscriber.inside("2000E")
        if subscriber.inside("2200D") or not dependents:
            yield subscriber
        yield from dependents


def found(loop: Instance, segment: str, element: int, qualifier: str | None = None) -> str:
    """The first value at an element of a loop's segments (those with this first element); "" where there is none."""
    for row in loop.rows().get(segment, ()):
        if element < len(row) and row[element] and (qualifier is None or row[1] == qualifier):
            return row[element]
    return ""


def reference(loop: Instance, qualifier: str) -> str:
    """REF02 behind a qualifier."""
    return found(loop, "REF", 2, qualifier)


def amount(text: str) -> Decimal | None:
    """An amount in X12's form; None for anything else."""
    return Decimal(text) if _AMOUNT.fullmatch(text) else None


def day(text: str) -> date | None:
    """A date as CCYYMMDD; None for anything else."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def days(loop: Instance, qualifier: str) -> tuple[date | None, date | None]:
    """First and last day of a DTP, which are the same day where it has a single date (D8)."""
    first, _, last = found(loop, "DTP", 3, qualifier).partition("-")
    return day(first), day(last or first)
