"""What is looked at in a claim: by the edits, and by whoever asks whether the very same claim came before.

It is gathered out of the places and the segments of a walked set in one pass, whether the claim was written from JSON or came as
X12, so that both are looked at alike and whatever is found has its place in the set.

Sources: 005010X222A1, X223A2 and X224A2 (loops 2000A to 2400).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache

import msgspec

from x12 import guides
from x12.discreet import Discreet
from x12.syntax import CANONICAL, Delimiters
from x12.table import Node

__all__ = ["Amount", "Days", "Line", "Look", "looks_at"]

# REF01 in 2010BB: the payer's own number of a billing provider that has no NPI, and of its location.
_NUMBERS_OF_PAYER = ("G2", "LU")
# REF01 in 2010AA: a license or UPIN of one that has none.
_LICENSES = ("0B", "1G")
_SERVED, _STATED = "472", "434"
# CCYYMMDD, and with the hour.
_DAY_LENGTHS = (8, 12)
_MONETARY_AMOUNT = "782"
# What the guides let an amount be (B.1.1.3.1.2): eight digits and two of cents. Zeros before and behind say nothing.
_DOLLARS_AND_CENTS = re.compile(r"-?0*\d{0,8}(?:\.\d{0,2}0*)?", re.ASCII)


class Days(Discreet):
    """A day or a period (CCYYMMDD) at a place; `last` is `first` where one day is told, both "" where the text is no date."""

    first: str
    last: str
    loop: str
    position: int


class Amount(Discreet):
    """An amount of money at a place, by its text."""

    text: str
    loop: str
    segment: str
    position: int
    element: int


class Line(Discreet):
    """A service line: the place of its charge, its service as it is compared, its charge, the place of its count, its own number."""

    position: int
    segment: str
    element: int
    service: tuple[str, ...]
    charge: Decimal | None
    days: str = ""
    teeth: str = ""
    rendering: str = ""
    number: str = ""
    count: Decimal | None = None
    count_element: int = 0


class _Above(Discreet):
    """The levels that a claim hangs on."""

    billing: str = ""
    billing_position: int = 0
    billing_known: bool = False
    tax_id: str = ""
    responsibility: str = ""
    member: str = ""
    payer: str = ""
    payer_position: int = 0
    known_to_payer: bool = False
    patient: tuple[str, str] = ("", "")
    born: str = ""


class Look(Discreet):
    """One claim. `position` is that of its CLM; names are (first, last).

    `place_qualifier` (CLM05-2) is B where a place of service is told, A where a type of bill is. `inexact` are the amounts of money
    that are not of dollars and cents.
    """

    position: int
    number: str
    billing: str
    billing_position: int
    billing_known: bool
    tax_id: str
    responsibility: str
    member: str
    patient: tuple[str, str]
    born: str
    payer: str
    payer_position: int
    charge: str
    frequency: str
    predetermines: bool
    place_qualifier: str = ""
    original: str = ""
    rendering: str = ""
    days: list[Days] = msgspec.field(default_factory=list[Days])
    statement: Days | None = None
    lines: list[Line] = msgspec.field(default_factory=list[Line])
    inexact: list[Amount] = msgspec.field(default_factory=list[Amount])


Row = list[str]


def _text(row: Row, element: int) -> str:
    return row[element].strip() if element < len(row) else ""


# A number in X12's form; that NaN, Infinity and 1e9 are none is told by the guide.
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)", re.ASCII)


def _amount(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _days(row: Row, loop: str, position: int) -> Days:
    first, _, last = _text(row, 3).partition("-")
    last = last or first
    good = all(len(day) in _DAY_LENGTHS and day.isdigit() for day in (first, last))
    return Days(first[:8] if good else "", last[:8] if good else "", loop, position)


class _Looking:
    """Goes through a set; `claims` are the claims so far."""

    def __init__(self, delimiters: Delimiters) -> None:
        self.component = delimiters.component
        self.above = _Above()
        self.claims: list[Look] = []

    # --- above the claim ---

    def billing_level(self, _: Row, __: int) -> None:
        self.above = _Above()

    def subscriber_level(self, _: Row, __: int) -> None:
        known = self.above
        self.above = _Above(known.billing, known.billing_position, known.billing_known, known.tax_id)

    def patient_level(self, _: Row, __: int) -> None:
        self.above.patient, self.above.born = ("", ""), ""

    def billing(self, row: Row, position: int) -> None:
        self.above.billing, self.above.billing_position = _text(row, 9), position
        self.above.billing_known = bool(self.above.billing)

    def billing_reference(self, row: Row, _: int) -> None:
        if _text(row, 1) in ("EI", "SY"):
            self.above.tax_id = _text(row, 2)
        elif _text(row, 1) in _LICENSES:
            self.above.billing_known = True

    def responsibility(self, row: Row, _: int) -> None:
        self.above.responsibility = _text(row, 1)

    def subscriber(self, row: Row, _: int) -> None:
        self.above.member = _text(row, 9)
        self.above.patient = (_text(row, 4), _text(row, 3))

    def subscriber_born(self, row: Row, _: int) -> None:
        self.above.born = _text(row, 2)

    def payer(self, row: Row, position: int) -> None:
        self.above.payer, self.above.payer_position = _text(row, 9), position

    def payer_reference(self, row: Row, _: int) -> None:
        self.above.known_to_payer = self.above.known_to_payer or _text(row, 1) in _NUMBERS_OF_PAYER

    def patient(self, row: Row, _: int) -> None:
        self.above.patient = (_text(row, 4), _text(row, 3))

    def patient_born(self, row: Row, _: int) -> None:
        self.above.born = _text(row, 2)

    # --- the claim ---

    def claim(self, row: Row, position: int) -> None:
        known = self.above
        facility = _text(row, 5).split(self.component)
        self.claims.append(
            Look(
                position,
                _text(row, 1),
                known.billing,
                known.billing_position,
                known.billing_known or known.known_to_payer,
                known.tax_id,
                known.responsibility,
                known.member,
                known.patient,
                known.born,
                known.payer,
                known.payer_position,
                _text(row, 2),
                facility[2] if len(facility) > 2 else "",
                _text(row, 19) == "PB",
                facility[1] if len(facility) > 1 else "",
            )
        )

    def claim_days(self, row: Row, position: int) -> None:
        qualifier = _text(row, 1)
        if qualifier == _STATED:
            self.claims[-1].statement = _days(row, "2300", position)
        elif qualifier == _SERVED:
            self.claims[-1].days.append(_days(row, "2300", position))

    def claim_reference(self, row: Row, _: int) -> None:
        if _text(row, 1) == "F8":
            self.claims[-1].original = _text(row, 2)

    def rendering(self, row: Row, _: int) -> None:
        if _text(row, 1) == "82":
            self.claims[-1].rendering = _text(row, 9)

    def amounts(self, row: Row, position: int, loop: str, elements: Sequence[int]) -> None:
        for element in elements:
            if element >= len(row):
                break
            if row[element] and not _DOLLARS_AND_CENTS.fullmatch(row[element].strip()):
                self.claims[-1].inexact.append(Amount(_text(row, element), loop, row[0], position, element))

    # --- its lines ---

    def line(self, row: Row, position: int) -> None:
        element = 3 if row[0] == "SV2" else 2
        units = element + 2 if row[0] != "SV3" else 6
        product = _text(row, 2 if row[0] == "SV2" else 1).replace(self.component, CANONICAL.component)
        service = (product, _text(row, 1) if row[0] == "SV2" else "", _text(row, units))
        line = Line(position, row[0], element, service, _amount(_text(row, element)))
        line.count, line.count_element = _amount(service[2]), units
        self.claims[-1].lines.append(line)

    def line_days(self, row: Row, position: int) -> None:
        if _text(row, 1) == _SERVED and self.claims[-1].lines:
            self.claims[-1].days.append(_days(row, "2400", position))
            self.claims[-1].lines[-1].days = _text(row, 3)

    def line_reference(self, row: Row, _: int) -> None:
        if _text(row, 1) == "6R" and self.claims[-1].lines:
            self.claims[-1].lines[-1].number = _text(row, 2)

    def tooth(self, row: Row, _: int) -> None:
        if self.claims[-1].lines:
            told = CANONICAL.element.join(row[1:]).replace(self.component, CANONICAL.component)
            self.claims[-1].lines[-1].teeth += f"{told}{CANONICAL.segment}"

    def line_rendering(self, row: Row, _: int) -> None:
        if _text(row, 1) == "82" and self.claims[-1].lines:
            self.claims[-1].lines[-1].rendering = _text(row, 9)


_Of = Callable[[_Looking, Row, int], None]
# What a segment of a loop tells. Of a hospital's claim 2310D and 2420C name the rendering provider, as NM101 says.
_AT: dict[tuple[str, str], _Of] = {
    ("2000A", "HL"): _Looking.billing_level,
    ("2010AA", "NM1"): _Looking.billing,
    ("2010AA", "REF"): _Looking.billing_reference,
    ("2000B", "HL"): _Looking.subscriber_level,
    ("2000B", "SBR"): _Looking.responsibility,
    ("2010BA", "NM1"): _Looking.subscriber,
    ("2010BA", "DMG"): _Looking.subscriber_born,
    ("2010BB", "NM1"): _Looking.payer,
    ("2010BB", "REF"): _Looking.payer_reference,
    ("2000C", "HL"): _Looking.patient_level,
    ("2010CA", "NM1"): _Looking.patient,
    ("2010CA", "DMG"): _Looking.patient_born,
    ("2300", "CLM"): _Looking.claim,
    ("2300", "DTP"): _Looking.claim_days,
    ("2300", "REF"): _Looking.claim_reference,
    **{(loop, "NM1"): _Looking.rendering for loop in ("2310B", "2310D")},
    **{("2400", segment): _Looking.line for segment in ("SV1", "SV2", "SV3")},
    ("2400", "DTP"): _Looking.line_days,
    ("2400", "REF"): _Looking.line_reference,
    ("2400", "TOO"): _Looking.tooth,
    **{(loop, "NM1"): _Looking.line_rendering for loop in ("2420A", "2420C")},
}


@cache
def _monetary() -> Mapping[str, tuple[int, ...]]:
    """The elements of segments that are amounts of money. HI is none of them: what a value code tells need not be money."""
    used = guides.standard().segments.items()
    found = {
        id_: tuple(n for n, use in enumerate(uses, 1) if use.number == _MONETARY_AMOUNT) for id_, (uses, _, _) in used
    }
    return {id_: elements for id_, elements in found.items() if elements}


# The loops of a claim: where its CLM is missing, what stands in them is nobody's.
_OF_CLAIM = frozenset(("2300", "2310B", "2310D", "2400", "2420A", "2420C"))


def looks_at(nodes: Sequence[Node | None], segments: Sequence[str], delimiters: Delimiters = CANONICAL) -> list[Look]:
    """A look at each claim of a walked 837, in file order; segments without a place are passed over."""
    looking, separator, at, monetary = _Looking(delimiters), delimiters.element, _AT, _monetary()
    for position, (node, raw) in enumerate(zip(nodes, segments, strict=False), 1):
        if node is not None:
            segment = node.segment
            tells = at.get((segment.loop.id, segment.id))
            if tells is not None and (looking.claims or segment.id == "CLM" or segment.loop.id not in _OF_CLAIM):
                tells(looking, raw.split(separator), position)
            elements = monetary.get(segment.id)
            if elements is not None and looking.claims:
                looking.amounts(raw.split(separator), position, segment.loop.id, elements)
    return looking.claims
