"""Acknowledgements received: the 999, the older 997 and the TA1 as small typed documents.

A 997 is read into the documents of the 999, whose codes 997s share. What either copies back of the data it finds fault with
(IK404, AK404) is not read: it may be the patient's.

Sources: 005010X231A1 (999), X12's 997 of 005010 and 004010, X12.5 (TA1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from x12 import codes, guides
from x12.documents.binding import Document, Text, at, each, inside, meaning, read, segments
from x12.documents.parts import Header
from x12.documents.writing import Writer, Written
from x12.syntax import number_of
from x12.walk import Instance

__all__ = [
    "Context",
    "ElementError",
    "GroupAcknowledgement",
    "InterchangeAcknowledgement",
    "SegmentError",
    "SetAcknowledgement",
    "read_997",
    "read_999",
    "read_ta1",
    "write_999",
]

GUIDE_ID = "005010X231A1"
_ACKNOWLEDGED = codes.table("acknowledgment")
_ACCEPTED = frozenset("AE")
_REJECTED = frozenset("RMWX")
_SITUATION = "SITUATIONAL TRIGGER"


def _accepts(code: str | None) -> bool | None:
    """Whether an IK501 or AK901 accepts; None for `P`, which says only that some were rejected, and for what is no code."""
    return True if code in _ACCEPTED else False if code in _REJECTED else None


class Context(Document):
    """A CTX: the business unit that an error is about (`CLM01` and the claim's number), or what made an element required."""

    name: Annotated[Text, at("CTX01-1")] = None
    value: Annotated[Text, at("CTX01-2")] = None
    segment: Annotated[Text, at("CTX02")] = None
    position: Annotated[int | None, at("CTX03")] = None
    loop: Annotated[Text, at("CTX04")] = None
    element: Annotated[int | None, at("CTX05-1")] = None
    component: Annotated[int | None, at("CTX05-2")] = None


class ElementError(Document):
    """An IK4: `element`, `component` and `repeat` count from 1, `data` is the data element's number, `code` is IK403."""

    element: Annotated[int | None, at("IK401-1")] = None
    component: Annotated[int | None, at("IK401-2")] = None
    repeat: Annotated[int | None, at("IK401-3")] = None
    data: Annotated[Text, at("IK402")] = None
    code: Annotated[Text, at("IK403")] = None
    description: Annotated[Text, meaning("IK403", codes.table("element_error"))] = None
    contexts: Annotated[list[Context] | None, segments("CTX")] = None


class SegmentError(Document):
    """An IK3: `position` counts the segments of the set from ST as 1, `code` is IK304."""

    segment: Annotated[Text, at("IK301")] = None
    position: Annotated[int | None, at("IK302")] = None
    loop: Annotated[Text, at("IK303")] = None
    code: Annotated[Text, at("IK304")] = None
    description: Annotated[Text, meaning("IK304", codes.table("segment_error"))] = None
    contexts: Annotated[list[Context] | None, segments("CTX")] = None
    elements: Annotated[list[ElementError] | None, inside("2110")] = None

    @property
    def units(self) -> list[tuple[str, str]]:
        """The business units that the error is about, as (name, number): `("CLM01", ...)`, `("TRN02", ...)`."""
        return [(c.name, c.value) for c in self.contexts or () if c.name and c.value and c.name != _SITUATION]


class SetAcknowledgement(Document):
    """What became of one transaction set: AK2 to IK5. `codes` are IK502 to IK506."""

    set_id: Annotated[Text, at("AK201")] = None
    control_number: Annotated[Text, at("AK202")] = None
    convention: Annotated[Text, at("AK203")] = None
    code: Annotated[Text, at("IK501")] = None
    description: Annotated[Text, meaning("IK501", _ACKNOWLEDGED)] = None
    codes: Annotated[list[str] | None, each("IK502", 6)] = None
    errors: Annotated[list[SegmentError] | None, inside("2100")] = None

    @property
    def accepted(self) -> bool | None:
        """Whether the set was taken; None where IK5 is missing or unknown."""
        return _accepts(self.code)


class GroupAcknowledgement(Document):
    """What became of one functional group: AK1 to AK9. `codes` are AK905 to AK909."""

    functional_id: Annotated[Text, at("AK101")] = None
    control_number: Annotated[Text, at("AK102")] = None
    version: Annotated[Text, at("AK103")] = None
    code: Annotated[Text, at("AK901")] = None
    description: Annotated[Text, meaning("AK901", _ACKNOWLEDGED)] = None
    included: Annotated[int | None, at("AK902")] = None
    received: Annotated[int | None, at("AK903")] = None
    accepted_sets: Annotated[int | None, at("AK904")] = None
    codes: Annotated[list[str] | None, each("AK905", 9)] = None
    sets: Annotated[list[SetAcknowledgement] | None, inside("2000")] = None

    @property
    def accepted(self) -> bool | None:
        """Whether the whole group was taken; None where some of its sets were not, or nothing is said."""
        return _accepts(self.code)

    def verdict(self, set_control_number: str) -> bool | None:
        """Whether one transaction set was taken: by its own IK5, by the group's AK9 where the set is not listed.

        A group that is rejected as a whole takes every set with it. None where neither decides.
        """
        if self.accepted is False:
            return False
        for said in self.sets or ():
            if said.control_number == set_control_number and said.accepted is not None:
                return said.accepted
        return self.accepted


class InterchangeAcknowledgement(Document):
    """A TA1: which interchange (its ISA13, ISA09, ISA10), what became of it (A, E, R) and why."""

    control_number: Text = None
    date: Text = None
    time: Text = None
    code: Text = None
    note: Text = None
    description: Text = None

    @property
    def accepted(self) -> bool | None:
        """Whether the envelope was taken; None for an unknown code."""
        return _accepts(self.code)

    @property
    def duplicate(self) -> bool:
        """Whether it says that an interchange of this control number came before: a proof of receipt."""
        return self.note == "025"


def read_999(root: Instance) -> GroupAcknowledgement:
    """The acknowledgement that a walked 999 holds."""
    said = read(GroupAcknowledgement, root)
    if separator := root.delimiters.repetition:
        for error in (e for s in said.sets or () for e in s.errors or ()):
            for context in (*(error.contexts or ()), *(c for e in error.elements or () for c in e.contexts or ())):
                _keep_first(context, separator)
    return said


def read_997(root: Instance) -> GroupAcknowledgement:
    """The acknowledgement that a walked 997 holds, as a 999 would say it."""
    said = read(GroupAcknowledgement, root)
    said.sets = [_set_of_997(loop) for loop in root.inside("2000")] or None
    return said


def _set_of_997(loop: Instance) -> SetAcknowledgement:
    """AK2 to AK5, of which AK3 to AK5 stand where a 999 has IK3 to IK5."""
    said = read(SetAcknowledgement, loop)
    for row in loop.rows().get("AK5", ()):
        said.code = row[1] if len(row) > 1 and row[1] else None
        said.description = _ACKNOWLEDGED.get(said.code or "")
        said.codes = [code for code in row[2:7] if code] or None
    said.errors = [_error_of_997(inner) for inner in loop.inside("2100")] or None
    return said


def _error_of_997(loop: Instance) -> SegmentError:
    rows = loop.rows()
    segment, position, bounded, code = (*rows.get("AK3", [[""]])[0][1:5], "", "", "", "")[:4]
    return SegmentError(
        segment=segment or None,
        position=number_of(position),
        loop=bounded or None,
        code=code or None,
        description=codes.table("segment_error").get(code),
        elements=[_element_of_997(row, loop.delimiters.component) for row in rows.get("AK4", ())] or None,
    )


def _element_of_997(row: Sequence[str], separator: str) -> ElementError:
    place, data, code = (*row[1:4], "", "", "")[:3]
    element, component, repeat = (*map(number_of, place.split(separator)), None, None, None)[:3]
    description = codes.table("element_error").get(code)
    return ElementError(
        element=element,
        component=component,
        repeat=repeat,
        data=data or None,
        code=code or None,
        description=description,
    )


def _keep_first(context: Context, separator: str) -> None:
    """CTX01 may repeat; its first occurrence is what an error is about."""
    name, repeated, _ = (context.name or "").partition(separator)
    value = "" if repeated else (context.value or "").partition(separator)[0]
    context.name, context.value = name or None, value or None


def write_999(said: GroupAcknowledgement, header: Header) -> Written:
    """A 999. Words are not written; `x12.acknowledgement` makes one out of what was received."""
    writer = Writer(guides.load(GUIDE_ID, "999"), header.control_number)
    writer.root.put("ST03", GUIDE_ID)
    writer.write(said, writer.root)
    return writer.finish()


def read_ta1(elements: Sequence[str]) -> InterchangeAcknowledgement:
    """The acknowledgement in the elements of a TA1 (TA101 first), as `Interchange.acknowledgements` has them."""
    number, date, time, code, note = (value.strip() or None for value in (*elements, *[""] * 5)[:5])
    description = codes.table("interchange_note").get(note or "")
    return InterchangeAcknowledgement(
        control_number=number, date=date, time=time, code=code, note=note, description=description
    )
