"""Writes the TA1 and the 999 for a received interchange out of its findings, whatever they are.

What a sender wrote comes back to it only where it fits the acknowledgement's own element; what does not fit is replaced by
zeros or left out, so that what is written here is always valid, whatever was received. The bad value itself (IK404) is never
copied: it may be the patient's, and place and code say enough.

A transaction set is accepted (A), rejected (R), or accepted although errors were noted (E): the reader was lenient where the
standard or the guide is not (a warning at level 1 or 2), or the set is taken in parts (`taken`) and its claims are answered by a
277CA. Warnings at higher levels are advice; a 999 does not tell them.

Sources: X12.5 (TA1), 005010X231A1 (999: IK3, IK4, CTX, IK5, AK9) and the examples and interpretations that X12 publishes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from x12 import codes
from x12.elements import period_is_valid
from x12.envelope import Group, Interchange, TransactionSet
from x12.finding import Finding
from x12.headers import ID_QUALIFIERS
from x12.syntax import (
    BINARY,
    CANONICAL,
    InterchangeHeader,
    choose_delimiters,
    interchange_header,
    join,
    split_segment,
    translate,
    unwritable_character,
)
from x12.units import Units

__all__ = ["FINDINGS_MAX", "acknowledgement", "addressed", "answer_999", "answer_ta1", "sealed"]

_E, _C = CANONICAL.element, CANONICAL.component
_CONVENTION = "005010X231A1"
_CODES_MAX = 5
# AK902 to AK904 have six digits; IK401 has two for element and component, four for the repeat.
_COUNT_MAX = 999_999
_ELEMENT_MAX, _REPEAT_MAX = 99, 9_999
# A ruined file is told its first errors; more would help nobody.
FINDINGS_MAX = 5_000
# Acknowledgements (997, 999) are not acknowledged.
_ACKNOWLEDGING = "FA"
# What stands for a date and a time of the sender that are none.
_NO_DATE, _NO_TIME = "000101", "0000"
# IK303 names a loop only where LS and LE bound it.
_BOUNDED = {"2120C": "2120", "2120D": "2120"}
_TRIGGER = "SITUATIONAL TRIGGER"
# Loop (optional), segment, element and component of a place as `Finding.place` writes it.
_PLACE = re.compile(r"(?:(\S+) )?([A-Z][A-Z0-9]{1,2}?)(?:(\d\d)(?:-(\d+))?)?")
# What a header can name its parties with.
_UNNAMED = "UNKNOWN"
Takes = Callable[[TransactionSet], bool]


def _echo(value: str, shortest: int, longest: int, otherwise: str = "") -> str:
    """A value of the sender where it fits the element that carries it back."""
    value = value.strip()
    fits = shortest <= len(value) <= longest and unwritable_character(value) is None
    return value if fits else otherwise


def _line(*elements: str) -> str:
    return _E.join(elements).rstrip(_E)


def answer_ta1(interchange: Interchange) -> str:
    """The TA1 segment (canonical separators): A accepted, R rejected with the first note code."""
    number, date, time = (interchange.elements[i].strip() for i in (12, 8, 9))
    number = number.zfill(9) if number.isascii() and number.isdigit() and len(number) <= 9 else "0" * 9
    date = date if period_is_valid("D6", date) else _NO_DATE
    time = time if period_is_valid("TM", time) else _NO_TIME
    if interchange.accepted:
        return _line("TA1", number, date, time, "A", "000")
    notes = (f.code for f in interchange.findings if f.severity == "error" and f.scope == "interchange")
    note = next((n for n in notes if n in codes.table("interchange_note")), "024")
    return _line("TA1", number, date, time, "R", note)


def _accepted(received: TransactionSet) -> bool:
    return received.accepted


def answer_999(group: Group, control_number: str = "0001", *, taken: Takes = _accepted) -> list[str]:
    """The segments of a 999 for one functional group, ST to SE, with canonical separators.

    `taken` tells whether a set is taken; one that is taken in spite of its errors is answered E, and its errors are told.
    """
    number = _echo(group.control_number, 1, 9)
    lines = [
        _line("ST", "999", control_number, _CONVENTION),
        _line(
            "AK1",
            _echo(group.functional_id, 2, 2, "XX"),
            number if number.isdigit() else "0",
            _echo(group.version, 1, 12, "000000"),
        ),
    ]
    # A wrong count or trailer too: sets may be missing, and what is refused must not be told accepted.
    refused = not group.accepted
    said: list[str] = []
    for received in group.sets:
        lines.append(
            _line("AK2", _echo(received.set_id, 3, 3, "000"), _set_number(received), _echo(received.convention, 1, 35))
        )
        errors = list(_set_errors(received))
        lines += errors
        noted = _set_codes(received)
        said.append("R" if refused or not taken(received) else "E" if errors or noted else "A")
        lines.append(_line("IK5", said[-1], *noted))
    lines.append(_group_trailer(group, said, refused))
    lines.append(_line("SE", str(len(lines) + 1), control_number))
    return lines


def _group_trailer(group: Group, said: Sequence[str], refused: bool) -> str:
    """AK9: R for a group that is refused or of which no set was taken, P where some were, E where one had errors, else A."""
    count, accepted = len(said), len(said) - said.count("R")
    if refused or (count and not accepted):
        status = "R"
    elif accepted < count:
        status = "P"
    else:
        status = "E" if "E" in said else "A"
    wrong = _known((f.code for f in group.findings if f.severity == "error"), "group_error")
    included = count if group.declared_sets is None else min(group.declared_sets, _COUNT_MAX)
    return _line("AK9", status, str(included), str(min(count, _COUNT_MAX)), str(min(accepted, _COUNT_MAX)), *wrong)


def _known(said: Iterable[str], table: str) -> list[str]:
    """The first few different codes of those that the acknowledgement's list has."""
    return [c for c in dict.fromkeys(said) if c in codes.table(table)][:_CODES_MAX]


def _set_number(received: TransactionSet) -> str:
    """ST02 as AK202 can carry it: a short number filled with zeros, a long one cut."""
    return _echo(received.control_number.strip()[:9].rjust(4, "0"), 4, 9, "0000")


def _told(finding: Finding) -> bool:
    """Whether a 999 tells of a finding: of errors, and of what the reader let pass although standard or guide forbids it."""
    return finding.severity == "error" or finding.level <= 2


def _set_codes(received: TransactionSet) -> list[str]:
    said = [f.code for f in received.findings if f.scope == "set" and _told(f)]
    inside = [f for f in received.findings if f.scope in ("segment", "element") and _told(f)]
    if inside:
        said.append("I5" if all(f.level > 1 for f in inside) else "5")
    return _known(said, "set_error")


def _set_errors(received: TransactionSet) -> Iterator[str]:
    """IK3 with its CTX, and IK4 with its, in the order of the segments."""
    wrong = [f for f in received.findings if f.scope in ("segment", "element") and f.position and _told(f)]
    wrong.sort(key=lambda f: f.severity != "error")
    wrong = sorted(wrong[:FINDINGS_MAX], key=_order)
    units = received.units
    if units is None:
        units = Units(received.set_id, received.delimiters)
        units.take(received.segments, 1, wrong)
    open_position = 0
    for finding in wrong:
        position = finding.position or 0
        if finding.scope == "segment" or open_position != position:
            code = finding.code if finding.scope == "segment" else "8"
            code = code if code in codes.table("segment_error") else "8"
            yield _line("IK3", _segment_id(finding), str(position), _BOUNDED.get(finding.loop or "", ""), code)
            if finding.scope == "segment":
                yield from _trigger(finding)
            if unit := units.of(finding):
                yield _line("CTX", f"{units.name}{_C}{unit}")
            open_position = position if code == "8" else 0
        if finding.element and finding.code in codes.table("element_error"):
            place = [str(min(finding.element, _ELEMENT_MAX)), str(min(finding.component or 0, _ELEMENT_MAX) or "")]
            place.append(str(min(finding.repeat or 0, _REPEAT_MAX) or ""))
            yield _line("IK4", _C.join(place).rstrip(_C), _reference(finding.data), finding.code)
            yield from _trigger(finding)


def _reference(data: str | None) -> str:
    """IK402, which is a number: a composite, as C003, has none in the dictionary of data elements."""
    return data if data and data.isdecimal() and len(data) <= 4 else ""


def _order(finding: Finding) -> tuple[int, int]:
    """Segment by segment: what is wrong with it, then that its elements have errors, then which."""
    return finding.position or 0, 2 if finding.scope == "element" else int(finding.code == "8")


def _trigger(finding: Finding) -> Iterator[str]:
    """The CTX that names what made a situational rule apply, where that place is known."""
    match = _PLACE.fullmatch(finding.trigger or "")
    if match is None or not finding.trigger_position:
        return
    loop, segment, element, component = match.groups(default="")
    within = _C.join((str(int(element)) if element else "", component)).rstrip(_C)
    yield _line("CTX", _TRIGGER, segment, str(finding.trigger_position), _BOUNDED.get(loop, ""), within)


def _segment_id(finding: Finding) -> str:
    name = finding.segment or ""
    return name if 2 <= len(name) <= 3 and name.isascii() and name.isalnum() else "ZZZ"


def addressed(interchange: Interchange, date: str, time: str, control_number: int) -> InterchangeHeader:
    """The header of an answer to a received interchange: its parties the other way round, whatever their ids look like.

    `date` is YYMMDD, `time` HHMM. What an ISA cannot carry is left out of an id; one without a name is called UNKNOWN.
    """
    elements = interchange.elements
    return InterchangeHeader(
        sender_qualifier=_qualifier(elements[6]),
        sender=_party(elements[7]),
        receiver_qualifier=_qualifier(elements[4]),
        receiver=_party(elements[5]),
        date=date,
        time=time,
        control_number=control_number,
        usage="P" if interchange.usage == "P" else "T",
    )


def _qualifier(text: str) -> str:
    return text if text in ID_QUALIFIERS else "ZZ"


def _party(text: str) -> str:
    kept = "".join(c for c in text if c.isascii() and (c.isalnum() or c in " .-_/&"))
    return kept.strip()[:15].strip() or _UNNAMED


def acknowledgement(
    interchange: Interchange,
    header: InterchangeHeader,
    group_control_number: int,
    *,
    gap: str = "",
    taken: Takes = _accepted,
) -> str:
    """One interchange that answers a received one: its TA1 right after the ISA, then one 999 for each group received.

    `header` is addressed to the sender; its date and time also stamp the groups. The TA1 is there when ISA14 asked for it or
    when the interchange is refused; a refused interchange gets no 999, and acknowledgements get none either. "" where
    nothing is to be answered: no ISA was received, or only acknowledgements that nobody asked to acknowledge. `taken` tells
    whether a transaction set is taken, where that is not simply whether it has no errors: `x12.claim_acknowledgement.taken_in_parts`.
    """
    body: list[str] = []
    refused = not interchange.accepted
    only_notes = bool(interchange.acknowledgements) and not interchange.groups
    if (refused or interchange.elements[13] == "1") and any(interchange.elements) and not only_notes:
        body.append(answer_ta1(interchange))
    groups = [] if refused else [g for g in interchange.groups if g.functional_id != _ACKNOWLEDGING]
    ours, theirs = (_echo(name, 2, 15, _UNNAMED) for name in (header.sender, header.receiver))
    for index, group in enumerate(groups):
        number = str(group_control_number + index)
        sender, receiver = _echo(group.elements[2], 2, 15, ours), _echo(group.elements[1], 2, 15, theirs)
        body.append(_line("GS", "FA", sender, receiver, f"20{header.date}", header.time, number, "X", _CONVENTION))
        body += answer_999(group, taken=taken)
        body.append(_line("GE", "1", number))
    if not body:
        return ""
    body.append(_line("IEA", str(len(groups)), f"{header.control_number:09d}"))
    return sealed(body, header, gap)


def sealed(body: Sequence[str], header: InterchangeHeader, gap: str = "") -> str:
    """Canonical segments behind an ISA, with delimiters that occur in none of their data.

    The data of a BIN stays as it is and may hold any character; text with one is Latin-1, a character a byte.
    """
    parted = [_parted(line) for line in body]
    text = CANONICAL.segment.join([head for head, _ in parted])
    delimiters = choose_delimiters(text + header.sender + header.receiver)
    heads = translate(text, CANONICAL, delimiters).split(delimiters.segment) if body else []
    lines = [head + data for head, (_, data) in zip(heads, parted, strict=True)]
    return interchange_header(header, delimiters) + gap + join(lines, delimiters, gap)


def _parted(line: str) -> tuple[str, str]:
    """A canonical segment without its binary data, and that data."""
    if not line.startswith(BINARY + _E):
        return line, ""
    *head, data = [*split_segment(line, CANONICAL), "", ""][:3]
    return _E.join((*head, "")), data
