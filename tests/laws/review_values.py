"""Documents of a services review and of a claim's attachments out of chance, and what the laws of both share."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, TypeVar, cast

import msgspec

import x12
from tests.laws.filled import Filler, Leaf, conditions, part_at
from tests.laws.status_values import ENVELOPE, HEADER
from x12 import guides, transactions
from x12.documents.attachment import Attachment, ClaimAttachment
from x12.documents.binding import Bound, Document, plan_of
from x12.documents.services_review import (
    AnsweredRequester,
    RequestedEvent,
    ServicesReviewRequest,
    ServicesReviewResponse,
)
from x12.envelope import TransactionSet
from x12.guides import Loop, Segment

D = TypeVar("D", bound=Document)
REQUEST = guides.load("005010X217", "278", "13")
RESPONSE = guides.load("005010X217", "278", "11")
ATTACHMENT = guides.load("005010X210", "275")
# What X12 would take for delimiters, for segments or for the end of everything, and what is no text at all.
_HOSTILE = (
    b"~",
    b"*",
    b":",
    b"^",
    b"\n",
    b"~IEA*1*000000001~",
    b"BIN*3*",
    b"\x1c\x1d\x1e\x1f",
    b"\xc3\xa9",
    b"\x00\xff",
    b"A",
)


class ReviewFiller(Filler):
    """Also knows places that only one of several fields can fill, repeated elements, periods and bytes."""

    def fill(
        self,
        segment: Segment,
        offset: int,
        choices: list[list[Leaf]],
        loop: Loop,
        values: dict[tuple[str, ...], Any],
        *,
        always: bool,
    ) -> None:
        fitting = [self.fitting(segment, offset, leaves) for leaves in choices]
        super().fill(segment, offset, fitting, loop, values, always=always)
        if (
            segment.usage == "R"
            and fitting[0]
            and not any(names in values for leaves in fitting for names, _ in leaves)
        ):
            names, field = fitting[0][0]
            values[names] = self.field(segment, offset, field, loop)
        # What a field's place asks for beside it is what the field for that says.
        for leaves in fitting:
            asked = {(e, c): v for names, f in leaves if names in values for e, c, v in conditions(f)}
            for names, field in leaves:
                place = field.spec.place
                if place is not None and names in values and not place.conditions:
                    values[names] = asked.get((place.element, place.component), values[names])

    def fitting(self, segment: Segment, offset: int, leaves: list[Leaf]) -> list[Leaf]:
        """The fields that the guide allows here, and of those that exclude each other one."""
        asked: dict[tuple[int, int], str] = {}
        kept: list[Leaf] = []
        for leaf in self.random.sample(leaves, len(leaves)):
            wanted = {(e, c): v for e, c, v in conditions(leaf[1])}
            parts = [(part_at(segment, e + offset, c), v) for (e, c), v in wanted.items()]
            allowed = used(segment, offset, leaf[1]) and all(p.codes is None or v in p.codes for p, v in parts)
            if allowed and all(asked.get(key, v) == v for key, v in wanted.items()):
                asked |= wanted
                kept.append(leaf)
        return [leaf for leaf in leaves if leaf in kept]

    def field(self, segment: Segment, offset: int, field: Bound, loop: Loop) -> Any:
        spec, place = field.spec, field.spec.place
        assert place is not None
        part = part_at(segment, place.element + offset, place.component)
        match spec.kind:
            case "binary":
                return b"".join(self.random.choices(_HOSTILE, k=self.random.randint(1, 6)))
            case "groups":
                items = cast("list[Document]", super().field(segment, offset, field, loop))
                return list(takewhile(lambda item: item != type(item)(), items)) or None
            case "coded":
                code = self.value(part)
                return (spec.table or {}).get(code, code)
            case "repeats":
                return [self.value(part) for _ in range(self.random.randint(1, part.repeat))]
            case "period":
                format_codes = part_at(segment, place.element - 1, 0).codes or ()
                return self.days() if "RD8" in format_codes and self.maybe() else self.day()
            case "at" if any(v == "RD8" for _, _, v in place.written):
                return self.days()
            case _:
                return super().field(segment, offset, field, loop)

    def days(self) -> str:
        return "-".join(sorted((self.day(), self.day())))


def used(segment: Segment, offset: int, field: Bound) -> bool:
    """Whether the guide has anything at the place of a field."""
    place = field.spec.place
    assert place is not None
    element = place.element + offset or 3
    return "N" not in {part_at(segment, element, c).usage for c in {0, place.component}}


def request(seed: int, richness: float) -> ServicesReviewRequest:
    filler = ReviewFiller(REQUEST, seed, richness)
    made = filler.document(ServicesReviewRequest, "278")
    made.control_number = HEADER.control_number
    if made.patient_event is None:
        made.patient_event = filler.document(RequestedEvent, "2000E")
    if filler.random.random() < 0.5:
        made.dependent = None
    return made


def response(seed: int, richness: float) -> ServicesReviewResponse:
    filler = ReviewFiller(RESPONSE, seed, richness)
    made = filler.document(ServicesReviewResponse, "278")
    made.control_number = HEADER.control_number
    if filler.maybe():
        made.further_requesters = [filler.document(AnsweredRequester, "2010B")]
    if filler.random.random() < 0.5:
        made.dependent = None
    return made


def attachment(seed: int, richness: float) -> ClaimAttachment:
    made = ReviewFiller(ATTACHMENT, seed, richness).document(ClaimAttachment, "275")
    made.control_number = HEADER.control_number
    for number, one in enumerate(made.attachments or [Attachment()], 1):
        one.assigned_number = str(number)
    return made


def unworded(document: D) -> D:
    """A copy without the fields that only say in words what a code says."""
    changes: dict[str, Any] = {}
    kinds = {f.name: f.spec.kind for f in plan_of(type(document)).fields}
    for name in document.__struct_fields__:
        value: Any = getattr(document, name)
        if kinds.get(name) == "meaning":
            changes[name] = None
        elif isinstance(value, Document):
            changes[name] = unworded(value)
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            changes[name] = [unworded(v) if isinstance(v, Document) else v for v in items]
    return msgspec.structs.replace(document, **changes)


def returned(document: Document) -> TransactionSet:
    """The set of a document, written without a finding, sent through bytes and judged."""
    made = transactions.write([document], ENVELOPE)
    assert [] == [(f.path, f.place, f.message) for f in made.findings]
    (interchange,) = x12.read(made.text.encode("latin-1"), levels=(1, 2))
    (one,) = interchange.sets
    assert ([], [], []) == (interchange.findings, interchange.groups[0].findings, one.findings)
    return one
