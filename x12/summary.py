"""What a transaction set comes to, in a sentence and a few facts: how many claims, how much money, who says what to whom.

Only what may be shown to anybody is in it: names of organizations, counts, amounts, days of service and codes in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from x12 import codes
from x12.documents.standing import accepts, amount, day, status_codes
from x12.envelope import TransactionSet
from x12.tree import Instance

__all__ = ["Facts", "summary"]

Facts = list[tuple[str, str]]
Rows = list[list[str]]

# Loop and segment whose organization speaks, and whose is spoken to; by kind.
_SPEAKERS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    **dict.fromkeys(("837P", "837I", "837D"), (("NM1", "41"), ("NM1", "40"))),
    "270": (("NM1", "1P"), ("NM1", "PR")),
    "271": (("NM1", "PR"), ("NM1", "1P")),
    "276": (("NM1", "41"), ("NM1", "PR")),
    "277": (("NM1", "PR"), ("NM1", "41")),
    "277CA": (("NM1", "PR"), ("NM1", "41")),
    "278-request": (("NM1", "1P"), ("NM1", "X3")),
    "278-response": (("NM1", "X3"), ("NM1", "1P")),
    "275": (("NM1", "41"), ("NM1", "PR")),
    "835": (("N1", "PR"), ("N1", "PE")),
}
_ORGANIZATION = "2"
_LISTED_MAX = 6


def summary(kind: str, received: TransactionSet, root: Instance | None) -> tuple[str, Facts]:
    """(headline, facts) of a set of this kind, or of this ST01 where no document is known for it."""
    rows = _Rows(received)
    facts: Facts = []
    made = _KINDS.get(kind)
    said = made(rows, root, facts) if made is not None and root is not None else ""
    facts.append(("Segments", f"{len(received.segments):,}"))
    headline = said
    if said and kind in _SPEAKERS:
        speaker, listener = (rows.organization(*who) for who in _SPEAKERS[kind])
        # A question names whom it asks in its middle, anything else whom it is for at its end.
        if "<whom>" in said:
            said = said.replace("<whom>", f" {listener}" if listener else "")
        elif listener:
            said += f" to {listener}"
        headline = f"{speaker or 'The sender'} {said}"
    return headline, facts


class _Rows:
    """The segments of a set by id, split."""

    def __init__(self, received: TransactionSet) -> None:
        self.by_id: dict[str, Rows] = {}
        for raw in received.segments:
            row = raw.split(received.delimiters.element)
            self.by_id.setdefault(row[0], []).append(row)
        self.component = received.delimiters.component
        self.repetition = received.delimiters.repetition

    def of(self, segment_id: str, first: str | None = None) -> Rows:
        """Those with this id (and first element)."""
        rows = self.by_id.get(segment_id, [])
        return rows if first is None else [r for r in rows if r[1:2] == [first]]

    def column(self, segment_id: str, element: int, first: str | None = None) -> list[str]:
        """One element of each, where it is there."""
        return [r[element] for r in self.of(segment_id, first) if element < len(r) and r[element]]

    def total(self, segment_id: str, *elements: int, first: str | None = None) -> Decimal:
        """The sum of the amounts that can be read."""
        found = (amount(r[e]) for r in self.of(segment_id, first) for e in elements if e < len(r))
        return sum((a for a in found if a is not None), Decimal(0))

    def organization(self, segment_id: str, who: str) -> str:
        """The name of the first organization in this part; "" for a person, who is not named here."""
        for row in self.of(segment_id, who):
            if segment_id == "N1" and len(row) > 2:
                return row[2]
            if len(row) > 3 and row[2] == _ORGANIZATION:
                return row[3]
        return ""

    def days(self, qualifiers: Sequence[str]) -> str:
        """The first and the last day that these dates name."""
        texts = [r[3] for q in qualifiers for r in self.of("DTP", q) if len(r) > 3]
        texts += [r[2] for q in qualifiers for r in self.of("DTM", q) if len(r) > 2]
        found = sorted(d for t in texts for word in t.split("-") if (d := day(word)) is not None)
        if not found:
            return ""
        first, last = found[0].isoformat(), found[-1].isoformat()
        return first if first == last else f"{first} to {last}"


def _many(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _add(facts: Facts, name: str, value: str) -> None:
    if value:
        facts.append((name, value))


def _tally(facts: Facts, name: str, said: Iterable[str]) -> None:
    """The most frequent of some words, each with its count."""
    counts = Counter(said)
    shown = [f"{words} ({count:,})" if count > 1 else words for words, count in counts.most_common(_LISTED_MAX)]
    further = len(counts) - len(shown)
    _add(facts, name, "; ".join(shown) + (f"; {further} more" if further > 0 else ""))


def _words(table: str, found: Iterable[str]) -> list[str]:
    """Codes in words; those that the list has not are left out, since anything may stand there."""
    known = codes.table(table)
    return [known[c] for c in found if c in known]


def _claims(rows: _Rows, root: Instance, facts: Facts) -> str:
    count = len(rows.of("CLM"))
    charged = rows.total("CLM", 2)
    _add(facts, "Claims", f"{count:,}")
    _add(facts, "Total charge", _money(charged))
    _add(facts, "Service lines", f"{len(rows.of('LX')):,}")
    _add(facts, "Days of service", rows.days(("472", "434")))
    _tally(facts, "Billing provider", [r[3] for r in rows.of("NM1", "85") if len(r) > 3 and r[2] == _ORGANIZATION])
    _tally(facts, "Payer", [r[3] for r in rows.of("NM1", "PR") if len(r) > 3 and r[2] == _ORGANIZATION])
    return f"sends {_many(count, 'claim')} for {_money(charged)}"


def _remittance(rows: _Rows, root: Instance, facts: Facts) -> str:
    payment = next(iter(rows.of("BPR")), list[str]())
    paid = amount(payment[2]) if len(payment) > 2 else None
    count = len(rows.of("CLP"))
    methods = {"ACH": "by bank transfer", "CHK": "by check", "FWT": "by wire transfer", "BOP": "by the bank's choice"}
    how = methods.get(payment[4], "") if len(payment) > 4 else ""
    _add(facts, "Payment", f"{_money(paid)} {how}".strip() if paid is not None else "")
    effective = day(payment[16]) if len(payment) > 16 else None
    _add(facts, "Effective", effective.isoformat() if effective is not None else "")
    _add(facts, "Claims", f"{count:,}")
    _add(facts, "Charged", _money(rows.total("CLP", 3)))
    _add(facts, "Paid for claims", _money(rows.total("CLP", 4)))
    _add(facts, "Patients' part", _money(rows.total("CLP", 5)))
    if rows.of("PLB"):
        _add(facts, "Provider adjustments", _money(-rows.total("PLB", 4, 6, 8, 10, 12, 14)))
    _tally(facts, "Claim status", _words("claim_payment_status", rows.column("CLP", 2)))
    _tally(facts, "Adjusted because", _words("adjustment_reason", rows.column("CAS", 2)))
    return f"pays {_money(paid or Decimal(0))} for {_many(count, 'claim')}"


def _question(rows: _Rows, root: Instance, facts: Facts) -> str:
    count = _patients(rows)
    _add(facts, "Patients", f"{count:,}")
    types = [t for v in rows.column("EQ", 1) for t in (v.split(rows.repetition) if rows.repetition else [v])]
    _tally(facts, "Asks about", _words("service_type", types))
    return f"asks<whom> about the coverage of {_many(count, 'patient')}"


def _answer(rows: _Rows, root: Instance, facts: Facts) -> str:
    count = _patients(rows)
    _add(facts, "Patients", f"{count:,}")
    _tally(facts, "Says", _words("benefit", rows.column("EB", 1)))
    rejected = _words("reject_reason", rows.column("AAA", 3))
    _tally(facts, "Rejected because", rejected)
    if rejected and not rows.of("EB"):
        return "rejects the question"
    return f"tells the coverage of {_many(count, 'patient')}"


def _patients(rows: _Rows) -> int:
    """Levels that nothing is below: subscribers without dependents, and dependents."""
    levels = rows.of("HL")
    return sum(r[3:4] == ["23"] or (r[3:4] == ["22"] and r[4:5] != ["1"]) for r in levels)


def _status_question(rows: _Rows, root: Instance, facts: Facts) -> str:
    count = len(rows.of("TRN"))
    _add(facts, "Claims", f"{count:,}")
    _add(facts, "Days of service", rows.days(("472", "232")))
    return f"asks<whom> how {_many(count, 'claim')} {'stands' if count == 1 else 'stand'}"


def _statuses(root: Instance, facts: Facts) -> int:
    said = [next(status_codes(loop), None) for loop in root.all("2200D", "2200E")]
    table = codes.table("claim_status_category")
    _tally(facts, "Claims are", [table[s.category] for s in said if s is not None and s.category in table])
    return len(said)


def _status_answer(rows: _Rows, root: Instance, facts: Facts) -> str:
    count = _statuses(root, facts)
    facts.insert(0, ("Claims", f"{count:,}"))
    return f"tells how {_many(count, 'claim')} {'stands' if count == 1 else 'stand'}"


def _claim_acknowledgement(rows: _Rows, root: Instance, facts: Facts) -> str:
    count = _statuses(root, facts)
    verdicts = [
        accepts(list(status_codes(loop)), [r[3] for r in loop.rows().get("STC", ()) if len(r) > 3 and r[3]])
        for loop in root.all("2200D")
    ]
    accepted, rejected = verdicts.count(True), verdicts.count(False)
    facts[:0] = [("Claims", f"{count:,}"), ("Accepted", f"{accepted:,}"), ("Rejected", f"{rejected:,}")]
    return f"accepts {_many(accepted, 'claim')} and rejects {rejected:,}"


def _acknowledgement(rows: _Rows, root: Instance, facts: Facts) -> str:
    verdict = _words("acknowledgment", rows.column("AK9", 1))
    _add(facts, "The group is", "; ".join(verdict))
    sets = rows.column("IK5", 1) or rows.column("AK5", 1)
    _tally(facts, "Transaction sets", _words("acknowledgment", sets))
    _add(facts, "Segments with errors", f"{len(rows.of('IK3') or rows.of('AK3')):,}")
    group = codes.table("element_value").get(f"479/{(rows.column('AK1', 1) or [''])[0]}", "a functional group")
    return f"Acknowledges {group[:1].lower()}{group[1:]}"


def _review(rows: _Rows, root: Instance, facts: Facts) -> str:
    services = sum(r[3:4] == ["SS"] for r in rows.of("HL"))
    decided = rows.column("HCR", 1)
    _add(facts, "Patient events", f"{sum(r[3:4] == ['EV'] for r in rows.of('HL')):,}")
    _add(facts, "Services", f"{services:,}")
    _tally(facts, "Decisions", [words for code in decided if (words := _ACTIONS.get(code))])
    _tally(facts, "Rejected because", _words("reject_reason", rows.column("AAA", 3)))
    answers = rows.column("BHT", 2) == ["11"]
    return "answers a request for authorization" if answers else "asks<whom> for authorization"


_ACTIONS = {
    "A1": "Certified in total",
    "A2": "Certified in part",
    "A3": "Not certified",
    "A4": "Pended",
    "A6": "Modified",
    "C": "Cancelled",
    "CT": "Contact the payer",
    "NA": "No action is required",
}


def _attachment(rows: _Rows, root: Instance, facts: Facts) -> str:
    _add(facts, "Attachments", f"{len(rows.of('BIN')):,}")
    _tally(
        facts,
        "Asked for",
        _words("claim_status", [v.split(rows.component)[1] for v in rows.column("STC", 1) if rows.component in v]),
    )
    return "sends additional information"


_KINDS: dict[str, Callable[[_Rows, Instance, Facts], str]] = {
    "837P": _claims,
    "837I": _claims,
    "837D": _claims,
    "835": _remittance,
    "270": _question,
    "271": _answer,
    "276": _status_question,
    "277": _status_answer,
    "277CA": _claim_acknowledgement,
    "278-request": _review,
    "278-response": _review,
    "275": _attachment,
    "999": _acknowledgement,
    "997": _acknowledgement,
}
