"""Any X12 in plain words, as a structure: loops, segments and elements with their names, codes with their meanings.

`explain` takes what `x12.stream` and `x12.read` give and makes values of it that a renderer only has to lay out. Findings
stand where they are. What could tell who somebody is stays masked unless `reveal` is set (`x12.masking`); a masked value is
not in the structure at all. Never raises on content.

Sources: names of the guides (docs/guides.md), words of the code lists (x12/codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Literal

from x12 import codes, guides
from x12.codes.lists import shipped
from x12.discreet import Discreet
from x12.envelope import Group, Interchange, TransactionSet
from x12.finding import Finding
from x12.guides import Component, Element, Segment
from x12.masking import MASK, list_name, may_show
from x12.summary import Facts, summary
from x12.syntax import Delimiters, split_segment
from x12.transactions import kind_of
from x12.tree import Instance

__all__ = [
    "Block",
    "Explained",
    "Line",
    "SegmentReader",
    "Value",
    "control_segment",
    "explain",
    "money",
    "readable_date",
    "standard_segment",
]

ValueKind = Literal["text", "code", "money", "date", "number"]

# Data elements whose codes have a list in words.
_WORDS = {
    "98": "entity", "306": "status_action", "365": "communication", "426": "provider_adjustment", "481": "trace_type",
    "594": "frequency_unit", "615": "time_period", "618": "set_error", "620": "segment_error", "621": "element_error",
    "673": "benefit_quantity", "678": "delivery_pattern", "679": "delivery_time", "715": "acknowledgment",
    "716": "group_error", "717": "acknowledgment", "718": "set_error", "720": "segment_error", "723": "element_error",
    "889": "follow_up", "901": "reject_reason", "1029": "claim_payment_status", "1032": "claim_filing_indicator",
    "1033": "adjustment_group", "1034": "adjustment_reason", "1065": "entity_type", "1069": "relationship",
    "1207": "coverage_level", "1331": "place_of_service", "1336": "insurance_type", "1365": "service_type",
    "1390": "benefit", "I17": "acknowledgment", "I18": "interchange_note",
}  # fmt: skip
# ST01 of sets, or of versions of sets, that there is no guide for.
_OTHER_SETS = {
    "270": "Eligibility question", "271": "Eligibility answer", "275": "Patient information",
    "276": "Claim status question", "277": "Claim status", "278": "Health care services review",
    "820": "Premium payment", "824": "Application advice", "834": "Benefit enrolment", "835": "Remittance advice",
    "837": "Health care claim", "864": "Text message", "997": "Functional acknowledgement",
    "999": "Implementation acknowledgement",
}  # fmt: skip
_FORMAT_QUALIFIER = "1250"
_GIST_MAX = 5
_NUMBERING = ("HL", "LX", "ST")
# Of these a gist says nothing: answers of yes and no, levels, formats.
_UNTOLD = frozenset(("1073", "735", "736", "628", "734", _FORMAT_QUALIFIER))
_CONTROLS = ("ISA", "GS", "ST", "SE", "GE", "IEA")
_AMOUNT = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?", re.ASCII)


class Value(Discreet, rename="camel"):
    """One element, component or repetition. `text` is readable and masked where it must be; `meaning` are the words of a code."""

    place: str
    name: str
    text: str
    meaning: str = ""
    kind: ValueKind = "text"
    masked: bool = False
    # The number of its data element; whether it only says what another value is.
    data: str = ""
    qualifies: bool = False


class Line(Discreet, rename="camel"):
    """One segment: `position` in its transaction set (0 in an envelope), `raw` the segment itself with masks, and its `gist`."""

    position: int
    id: str
    name: str
    raw: str
    values: list[Value]
    findings: list[Finding]
    gist: str = ""


class Block(Discreet, rename="camel"):
    """One loop with its segments and the loops inside, in the order of the file."""

    id: str
    name: str
    items: list[Line | Block]
    gist: str = ""


class Explained(Discreet, rename="camel"):
    """A transaction set or an interchange in words.

    `title` says what it is, `headline` who sends it to whom, `facts` what is in it, `body` everything segment by segment.
    `findings` are those that belong to no segment.
    """

    kind: str
    title: str
    headline: str
    control_number: str
    accepted: bool
    facts: Facts
    findings: list[Finding]
    body: Block
    errors: int = 0
    warnings: int = 0


def explain(part: TransactionSet | Interchange, *, reveal: bool = False) -> Explained:
    """What a received transaction set, or the envelope of an interchange, says in plain words.

    With `reveal`, also what tells who people are. An interchange is explained without its sets: each is explained by itself.
    """
    if isinstance(part, Interchange):
        return _explain_interchange(part, reveal)
    return _explain_set(part, reveal)


# --- values --------------------------------------------------------------------------------------------------------


def money(text: str) -> str:
    """An amount as people write it: 1,234.50."""
    return f"{Decimal(text):,.2f}" if _AMOUNT.fullmatch(text) else text


def readable_date(text: str) -> str:
    """A date, time or period of X12 in ISO's form; any other text as it is."""
    first, dash, last = text.partition("-")
    if dash and first.isdigit() and last.isdigit():
        return f"{readable_date(first)} to {readable_date(last)}"
    if not (text.isascii() and text.isdigit()):
        return text
    day = f"20{text}" if len(text) == 6 else text[:8]
    if len(text) in (4, 7) or len(day) != 8:
        return f"{text[:2]}:{text[2:4]}" if len(text) == 4 else text
    try:
        said = date(int(day[:4]), int(day[4:6]), int(day[6:])).isoformat()
    except ValueError:
        return text
    return f"{said} {text[8:10]}:{text[10:12]}" if len(text) == 12 else said


@cache
def _element_values() -> Mapping[str, str]:
    return codes.table("element_value")


def _meaning(part: Component, value: str, name: str | None) -> str:
    """The words for a code."""
    if name is not None and (words := shipped().codes(name).words.get(value)):
        return words
    listed = _WORDS.get(part.data.number)
    if listed is not None and (words := codes.table(listed).get(value)):
        return words
    return _element_values().get(f"{part.data.number}/{value}", "")


class SegmentReader:
    """Explains segments that are written with one set of delimiters."""

    def __init__(self, delimiters: Delimiters, reveal: bool) -> None:
        self.delimiters = delimiters
        self.reveal = reveal

    def line(self, segment: Segment, raw: str, position: int, findings: list[Finding]) -> Line:
        """A segment at its place in a guide."""
        row = split_segment(raw, self.delimiters)
        values: list[Value] = []
        shown: list[str] = [segment.id]
        for number, text in enumerate(row[1:], 1):
            if number > len(segment.elements):
                values += [self.foreign(segment.id, number, text)] if text else []
                shown.append(text if self.reveal or not text else MASK)
                continue
            element = segment.elements[number - 1]
            made = self.element(segment, element, text, row)
            values += made
            shown.append(self.raw(element, text, made))
        line = Line(position, segment.id, segment.name, self.delimiters.element.join(shown), values, findings)
        line.gist = _gist(segment, values)
        return line

    def foreign(self, segment_id: str, number: int, text: str) -> Value:
        """An element that nothing is known of."""
        hidden = not self.reveal
        return Value(f"{segment_id}{number:02d}", "Unknown element", MASK if hidden else text, masked=hidden)

    def element(self, segment: Segment, element: Element, text: str, row: Sequence[str]) -> list[Value]:
        """The values of an element: one, or one for each repetition and component."""
        if not text.strip():
            return []
        separator = self.delimiters.repetition
        repeats = text.split(separator) if separator and element.repeat > 1 else [text]
        values: list[Value] = []
        for repeat in repeats:
            if not element.components:
                values.append(self.value(segment, element, element, 0, repeat, row, ()))
                continue
            parts = repeat.split(self.delimiters.component)
            for index, component in enumerate(parts, 1):
                if not component:
                    continue
                if index > len(element.components):
                    values.append(self.foreign(segment.id, element.position, component))
                    continue
                part = element.components[index - 1]
                values.append(self.value(segment, element, part, index, component, row, parts))
        return values

    def value(
        self,
        segment: Segment,
        element: Element,
        part: Component,
        component: int,
        text: str,
        row: Sequence[str],
        siblings: Sequence[str],
    ) -> Value:
        """One value."""
        number = element.position
        place = f"{segment.id}{number:02d}" + (f"-{component}" if component else "")
        # A word of a known list says nothing about anybody, wherever it stands.
        known = part.data.type == "ID" and bool(_meaning(part, text, None))
        if not (self.reveal or known or may_show(segment, number, component, part, text, row, siblings)):
            return Value(place, part.name, MASK, masked=True, data=part.data.number)
        kind: ValueKind = "text"
        said, meaning = text.strip() or text, ""
        if part.data.number == "782":
            kind, said = "money", money(text)
        elif part.data.type in ("DT", "TM") or part.data.number == "1251":
            kind, said = "date", readable_date(text)
        elif part.codes is not None or part.external is not None or part.data.type == "ID":
            kind, meaning = "code", _meaning(part, text, list_name(part, row, number, siblings))
        elif part.data.type == "R" or part.data.type.startswith("N"):
            kind = "number"
        # What the segment's own name says already, and what only tells how to read its neighbour.
        names = segment.qualifier is part and len(part.codes or ()) == 1
        qualifies = kind == "code" and (names or "Qualifier" in part.name)
        return Value(place, part.name, said, meaning, kind, data=part.data.number, qualifies=qualifies)

    def raw(self, element: Element, text: str, values: Sequence[Value]) -> str:
        """The element as it stands in the file, with masks."""
        if self.reveal or not any(v.masked for v in values):
            return text
        if not element.components and element.repeat == 1:
            return MASK
        hidden = iter(v.masked for v in values)
        separator = self.delimiters.repetition
        repeats = text.split(separator) if separator and element.repeat > 1 else [text]
        inner = self.delimiters.component if element.components else None
        masked = [
            (inner or "").join(
                part if not part or not next(hidden, True) else MASK for part in (r.split(inner) if inner else [r])
            )
            for r in repeats
        ]
        return separator.join(masked) if len(masked) > 1 else masked[0]

    def unplaced(self, raw: str, position: int, findings: list[Finding]) -> Line:
        """A segment for which there is no place in the guide, or no guide: named by the standard where it has such a segment."""
        row = split_segment(raw, self.delimiters)
        bare = standard_segment(row[0])
        if bare is not None:
            return self.line(bare, raw, position, findings)
        name = row[0] if self.reveal else "?"
        values = [self.foreign("", n, text) for n, text in enumerate(row[1:], 1) if text]
        shown = [name, *(t if self.reveal or not t else MASK for t in row[1:])]
        return Line(
            position, name, "Not a segment of the standard", self.delimiters.element.join(shown), values, findings
        )


@cache
def standard_segment(segment_id: str) -> Segment | None:
    """A segment as the standard alone describes it, without codes or industry names; None where it has none of this id."""
    dictionary = guides.standard()
    found = dictionary.segments.get(segment_id)
    if found is None:
        return None
    uses, notes, name = found
    elements: list[Element] = []
    for position, use in enumerate(uses, 1):
        composite = dictionary.composites.get(use.number)
        if composite is not None:
            inner = tuple(
                Component(n, dictionary.data[u.number], "S", dictionary.data[u.number].name, 0, 0)
                for n, u in enumerate(composite[0], 1)
            )
            data = guides.Data(use.number, "C", 0, 0, composite[2])
            elements.append(Element(position, data, "S", composite[2], 0, 0, use.repeat, components=inner))
        else:
            data = dictionary.data[use.number]
            elements.append(Element(position, data, "S", data.name, 0, 0, use.repeat))
    loop = guides.Loop("", "S", 1, "")
    return Segment(segment_id, 0, "S", 1, name, tuple(elements), notes, loop)


def _gist(segment: Segment, values: Sequence[Value]) -> str:
    """The few things that a segment is looked at for."""
    said: list[str] = []
    for value in values:
        if value.masked or value.data in _UNTOLD or value.qualifies:
            continue
        if value.kind == "code" and segment.id in _CONTROLS:
            continue
        said.append(f"{value.text} {value.meaning}".strip())
    return " · ".join(said[:_GIST_MAX])


# --- transaction sets ----------------------------------------------------------------------------------------------


def _explain_set(received: TransactionSet, reveal: bool) -> Explained:
    kind = kind_of(received)
    root = received.tree() if received.guide is not None else None
    found: dict[int, list[Finding]] = {}
    apart: list[Finding] = []
    last = len(received.segments)
    for finding in received.findings:
        if finding.position and finding.position <= last:
            found.setdefault(finding.position, []).append(finding)
        else:
            apart.append(finding)
    known = len(received.set_id) == 3 and received.set_id.isascii() and received.set_id.isdigit()
    identifier = received.set_id if known or reveal else "?"
    title = received.guide.name if received.guide is not None else _OTHER_SETS.get(received.set_id, "Transaction set")
    headline, facts = summary(kind.name if kind is not None else received.set_id, received, root)
    return Explained(
        kind.name if kind is not None else identifier,
        title,
        headline,
        received.control_number if reveal or received.control_number.isdigit() else MASK,
        received.accepted,
        facts,
        apart,
        _body(received, root, found, reveal),
        *_counted(received.findings),
    )


def _counted(findings: Sequence[Finding]) -> tuple[int, int]:
    errors = sum(f.severity == "error" for f in findings)
    return errors, len(findings) - errors


def _body(received: TransactionSet, root: Instance | None, found: Mapping[int, list[Finding]], reveal: bool) -> Block:
    """The segments of a set in file order, nested as its loops are."""
    reader = SegmentReader(received.delimiters, reveal)
    body = Block("", "", [])
    if root is None:
        body.items += [reader.unplaced(raw, n, found.get(n, [])) for n, raw in enumerate(received.segments, 1)]
        return body
    places = {p: (instance, segment) for instance, segment, p in _placed(root)}
    blocks: dict[int, Block] = {id(root): body}
    here = body
    for position, raw in enumerate(received.segments, 1):
        findings = found.get(position, [])
        if position not in places:
            here.items.append(reader.unplaced(raw, position, findings))
            continue
        instance, segment = places[position]
        here = _block(instance, blocks)
        line = reader.line(segment, raw, position, findings)
        # A level is known by what stands behind its number.
        if not here.gist and segment.id not in _NUMBERING:
            here.gist = line.gist
        here.items.append(line)
    return body


def _placed(instance: Instance) -> Iterator[tuple[Instance, Segment, int]]:
    stack = [instance]
    while stack:
        one = stack.pop()
        for (segment, _), position in zip(one.segments, one.positions, strict=True):
            yield one, segment, position
        stack += one.children


def _block(instance: Instance, blocks: dict[int, Block]) -> Block:
    """The block of a loop, made where it is needed, inside that of the loop around."""
    block = blocks.get(id(instance))
    if block is None:
        assert instance.parent is not None
        block = blocks[id(instance)] = Block(instance.loop.id, instance.loop.name, [])
        _block(instance.parent, blocks).items.append(block)
    return block


# --- interchanges --------------------------------------------------------------------------------------------------


@cache
def control_segment(segment_id: str) -> Segment:
    """A control segment as its guide has it."""
    guide = guides.load("00501", "ISA")
    return next(s for s in guide.segments if s.id == segment_id)


def _explain_interchange(received: Interchange, reveal: bool) -> Explained:
    reader = SegmentReader(received.delimiters, reveal)
    separator = received.delimiters.element
    body = Block("", "", [])
    if any(received.elements):
        own = [f for f in received.findings if f.segment == "ISA"]
        body.items.append(reader.line(control_segment("ISA"), separator.join(("ISA", *received.elements)), 0, own))
    for elements in received.acknowledgements:
        body.items.append(reader.line(control_segment("TA1"), separator.join(("TA1", *elements)), 0, []))
    for group in received.groups:
        body.items.append(_group_line(reader, group, separator))
    test = "Test" if received.usage == "T" else "Production" if received.usage == "P" else ""
    facts: Facts = [("Sender", received.sender), ("Receiver", received.receiver)]
    facts += [("Sent", " ".join(readable_date(received.elements[n]) for n in (8, 9)))] if received.elements[8] else []
    facts += [("Usage", test)] if test else []
    facts.append(("Functional groups", str(len(received.groups))))
    findings = [f for f in received.findings if f.segment != "ISA"]
    everything = [*received.findings, *(f for g in received.groups for f in g.findings)]
    return Explained(
        "interchange",
        "Interchange" if any(received.elements) else "Outside any interchange",
        f"{received.sender} sends to {received.receiver}" if received.sender else "",
        received.control_number if reveal or received.control_number.isdigit() else MASK,
        received.accepted and all(g.accepted for g in received.groups),
        [(name, value) for name, value in facts if value],
        findings,
        body,
        *_counted(everything),
    )


def _group_line(reader: SegmentReader, group: Group, separator: str) -> Line:
    line = reader.line(control_segment("GS"), separator.join(("GS", *group.elements)), 0, list(group.findings))
    kind = _element_values().get(f"479/{group.functional_id}", "")
    line.gist = kind
    return line
