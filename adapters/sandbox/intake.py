"""Claims as the sandbox payer takes them in: what it needs of an 837, whichever of the three guides it follows, and its rules.

A claim that breaks a rule is not taken into adjudication: the 277CA says why. The guides' own rules are the 999's affair.

Sources: 005010X222A1, X223A2 and X224A2 (loops 1000A to 2400), 005010X214 (STC), the NPI standard (check digit).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from adapters.sandbox.scenarios import Verdict
from x12.balancing import balance_837
from x12.codes.lists import npi_is_valid
from x12.documents.standing import amount, days, found, reference
from x12.envelope import TransactionSet
from x12.transactions import kind_of
from x12.walk import Instance

__all__ = [
    "Batch",
    "Hospital",
    "Line",
    "Party",
    "Submitted",
    "broken_rules",
    "can_be_named",
    "fingerprint",
    "money",
    "read_batch",
]

# What element 782 of an 835 has room for: ten digits.
_CHARGE_MAX = Decimal("9999999.99")
_REPLACEMENT, _VOID = "7", "8"
# CLM19 of a dental claim.
_PREDETERMINES = "PB"
# Kind of claim -> loop of the rendering provider: in a hospital's claim others stand before it.
_RENDERING = {"837I": "2310D"}
# Of a type of bill the first two digits where the patient stays: hospital, swing bed, skilled nursing, religious.
_STAYS = frozenset(("11", "18", "21", "41"))
# The value code of the days that are covered.
_COVERED_DAYS = "80"
# What a payer says of claims that break the guide where its 999 never does.
_BROKEN_SET = Verdict("A3", "21", "", "MISSING OR INVALID INFORMATION ABOVE THE CLAIM")
_BROKEN_CLAIM = Verdict("A7", "21", "", "MISSING OR INVALID INFORMATION IN THE CLAIM")
# Segment of a line -> element of its procedure and its charge, its revenue code, its units.
_SERVICES = {"SV1": (1, 2, 0, 4), "SV2": (2, 3, 1, 5), "SV3": (1, 2, 0, 6)}


class Party(msgspec.Struct, omit_defaults=True):
    """A name and a number: NM1."""

    last_name: str = ""
    first_name: str = ""
    middle_name: str = ""
    suffix: str = ""
    number: str = ""
    is_person: bool = True


class Line(msgspec.Struct, omit_defaults=True):
    """A service line. `number` is its REF*6R, `days` its DTP*472."""

    charge: Decimal
    number: str = ""
    qualifier: str = ""
    procedure: str = ""
    modifiers: tuple[str, ...] = ()
    revenue_code: str = ""
    units: str = ""
    days: tuple[str, str] = ("", "")


class Hospital(msgspec.Struct, omit_defaults=True):
    """What only a hospital's claim tells: its type of bill, and of a stay the covered days and the group (DRG)."""

    bill_type: str = ""
    covered_days: str = ""
    related_group: str = ""

    @property
    def is_stay(self) -> bool:
        return bool(self.covered_days)


class Submitted(msgspec.Struct, omit_defaults=True):
    """One claim as it was submitted. `days` are the first and the last day of service, CCYYMMDD."""

    patient_control_number: str
    charge: Decimal
    billing: Party
    tax_id: str
    subscriber: Party
    patient: Party | None
    rendering: Party | None
    payer: Party
    lines: list[Line]
    days: tuple[str, str]
    frequency: str = ""
    facility: str = ""
    filing: str = ""
    responsibility: str = ""
    original_number: str = ""
    clearinghouse_number: str = ""
    hospital: Hospital = msgspec.field(default_factory=Hospital)
    is_dental: bool = False
    predetermines: bool = False

    @property
    def key(self) -> str:
        """What the claim is counted by: the clearinghouse's number, else the patient control number."""
        return self.clearinghouse_number or self.patient_control_number

    @property
    def payee_number(self) -> str:
        return self.billing.number or self.tax_id

    @property
    def replaces(self) -> bool:
        return self.frequency == _REPLACEMENT

    @property
    def voids(self) -> bool:
        return self.frequency == _VOID


class Batch(msgspec.Struct):
    """The claims of one transaction set, each with why it is not taken (None: it is), and what a 277CA repeats."""

    reference: str
    submitter: Party
    claims: list[tuple[Submitted, Verdict | None]]


def money(value: Decimal) -> str:
    """An amount as X12 writes it: no trailing zeros, no bare point."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _text(row: Sequence[str], element: int) -> str:
    return row[element] if element < len(row) else ""


def _party(loop: Instance | None) -> Party:
    rows = loop.rows().get("NM1") if loop is not None else None
    if not rows:
        return Party()
    row = rows[0]
    return Party(_text(row, 3), _text(row, 4), _text(row, 5), _text(row, 7), _text(row, 9), _text(row, 2) == "1")


def _days(loop: Instance, *qualifiers: str) -> tuple[str, str]:
    for qualifier in qualifiers:
        first, _, last = found(loop, "DTP", 3, qualifier).partition("-")
        if first:
            return first[:8], (last or first)[:8]
    return "", ""


def can_be_named(received: TransactionSet) -> bool:
    """Whether a walked 837 has claims, each with a number by which a 277CA can tell of it, and says who sends it."""
    root = received.tree()
    claims = root.all("2300")
    named = all(_text(loop.rows().get("CLM", [()])[0], 1) for loop in claims)
    return bool(claims) and named and bool(_party(next(iter(root.inside("1000A")), None)).number)


def read_batch(received: TransactionSet, wrong: frozenset[int] = frozenset()) -> Batch:
    """The claims of a walked 837 that was accepted, in file order. `wrong` are the places of segments that break the guide all the same."""
    root = received.tree()
    unbalanced = {f.position for f in balance_837(root) if f.severity == "error"}
    submitter = next(iter(root.inside("1000A")), None)
    usage = received.group.interchange.usage if received.group is not None else ""
    kind = kind_of(received)
    found_in = list(_claims(root, kind.name if kind is not None else ""))
    # What stands in no claim is all claims' fault.
    common = wrong.difference(*(places for _, places in found_in))
    claims = [
        (
            claim,
            _BROKEN_SET
            if common
            else _BROKEN_CLAIM
            if wrong & places
            else broken_rules(claim, balanced=unbalanced.isdisjoint(places), usage=usage),
        )
        for claim, places in found_in
    ]
    return Batch(found(root, "BHT", 3), _party(submitter), claims)


def _claims(root: Instance, kind: str) -> Iterator[tuple[Submitted, frozenset[int]]]:
    """Each claim, and the places of its segments."""
    for billing in root.inside("2000A"):
        name = next(iter(billing.inside("2010AA")), None)
        provider = _party(name)
        tax_id = (reference(name, "EI") or reference(name, "SY") or reference(name, "TJ")) if name is not None else ""
        for subscriber in billing.inside("2000B"):
            insured = _party(next(iter(subscriber.inside("2010BA")), None))
            payer = _party(next(iter(subscriber.inside("2010BB")), None))
            levels = [(subscriber, None)]
            levels += [(p, _party(next(iter(p.inside("2010CA")), None))) for p in subscriber.inside("2000C")]
            for level, patient in levels:
                for loop in level.inside("2300"):
                    claim = _claim(loop, kind, subscriber, provider, tax_id, insured, patient, payer)
                    yield claim, frozenset(_positions(loop))


def _positions(loop: Instance) -> Iterator[int]:
    yield from loop.positions
    for child in loop.children:
        yield from _positions(child)


def _claim(
    loop: Instance,
    kind: str,
    subscriber: Instance,
    provider: Party,
    tax_id: str,
    insured: Party,
    patient: Party | None,
    payer: Party,
) -> Submitted:
    row = loop.rows()["CLM"][0]
    place = [*_text(row, 5).split(loop.delimiters.component), "", "", ""]
    rendering = _party(next(iter(loop.inside(_RENDERING.get(kind, "2310B"))), None))
    lines = [_line(line) for line in loop.inside("2400")]
    spans = sorted(d for line in lines for d in line.days if d)
    statement = _days(loop, "434")
    first, last = statement if statement[0] else (spans[0], spans[-1]) if spans else _days(loop, "472")
    hospital = _hospital(loop, place) if kind == "837I" else Hospital()
    return Submitted(
        patient_control_number=_text(row, 1),
        charge=amount(_text(row, 2)) or Decimal(0),
        billing=provider,
        tax_id=tax_id,
        subscriber=insured,
        patient=patient,
        rendering=rendering if rendering.last_name else None,
        payer=payer,
        lines=lines,
        days=(first, last),
        frequency=place[2],
        facility=place[0],
        filing=found(subscriber, "SBR", 9),
        responsibility=found(subscriber, "SBR", 1),
        original_number=reference(loop, "F8"),
        clearinghouse_number=reference(loop, "D9"),
        hospital=hospital,
        is_dental=kind == "837D",
        predetermines=_text(row, 19) == _PREDETERMINES,
    )


def _hospital(loop: Instance, place: Sequence[str]) -> Hospital:
    """The type of bill of a hospital's claim, and of a stay the covered days (HI*BE, else the statement's) and the group."""
    composites = [c.split(loop.delimiters.component) for row in loop.rows().get("HI", ()) for c in row[1:]]
    covered = [_text(c, 4) for c in composites if c[:2] == ["BE", _COVERED_DAYS]]
    groups = [_text(c, 1) for c in composites if c[0] == "DR"]
    stays = place[0] in _STAYS
    told = amount(covered[0]) if covered else None
    first, last = days(loop, "434")
    stayed = (last - first).days if first is not None and last is not None else 0
    return Hospital(
        bill_type=f"{place[0]}{place[2]}",
        covered_days=money(Decimal(max(stayed, 1)) if told is None else told) if stays else "",
        related_group=groups[0] if stays and groups else "",
    )


def _line(loop: Instance) -> Line:
    rows = loop.rows()
    for segment_id, (procedure, charge, revenue, units) in _SERVICES.items():
        for row in rows.get(segment_id, ()):
            parts = _text(row, procedure).split(loop.delimiters.component)
            return Line(
                charge=amount(_text(row, charge)) or Decimal(0),
                number=reference(loop, "6R"),
                qualifier=parts[0],
                procedure=_text(parts, 1),
                modifiers=tuple(m for m in parts[2:6] if m),
                revenue_code=_text(row, revenue) if revenue else "",
                units=_text(row, units),
                days=_days(loop, "472"),
            )
    return Line(charge=Decimal(0))


def fingerprint(claim: Submitted) -> str | None:
    """What makes a claim the same claim; None for a replacement or a void, which is meant to be alike."""
    if claim.replaces or claim.voids:
        return None
    first, last = claim.days
    same = (
        claim.payee_number,
        claim.subscriber.number,
        first,
        last,
        money(claim.charge),
        claim.patient_control_number,
    )
    return hashlib.sha256("\x1f".join(same).encode()).hexdigest()


def broken_rules(claim: Submitted, *, balanced: bool, usage: str) -> Verdict | None:
    """The first of the payer's own rules that a claim breaks, or None. `usage` is ISA15."""
    rendering = claim.rendering.number if claim.rendering is not None else ""
    # Provider numbers in test claims are often made up: only in production do their check digits matter.
    in_production = usage == "P"
    if in_production and claim.billing.number and not npi_is_valid(claim.billing.number):
        return Verdict("A7", "562", "85", "BILLING PROVIDER NPI: WRONG CHECK DIGIT")
    if in_production and rendering and not npi_is_valid(rendering):
        return Verdict("A7", "562", "82", "RENDERING PROVIDER NPI: WRONG CHECK DIGIT")
    if not claim.subscriber.number:
        return Verdict("A6", "164", "IL", "MEMBER NUMBER IS MISSING")
    if not balanced:
        return Verdict("A7", "400", "", "LINE CHARGES DO NOT ADD UP TO THE CLAIM CHARGE")
    if abs(claim.charge) > _CHARGE_MAX:
        return Verdict("A7", "178", "", "CLAIM CHARGE IS TOO LARGE")
    if (claim.replaces or claim.voids) and not claim.original_number:
        return Verdict("A6", "464", "", "THE NUMBER OF THE ORIGINAL CLAIM IS MISSING")
    return None
