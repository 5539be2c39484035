"""Mends in an X12 file what can be mended without knowing what was meant: envelopes, counts, white space, separators.

Data elements of transactions are never touched: a fix changes only what X12 derives from the rest of the file (SE01, SE02,
GE01, GE02, IEA01, IEA02), the padding of the ISA, and characters between segments that carry nothing. What is fixed is
judged like any file, and fixing it again changes nothing. Bytes are read as Latin-1 and written back as they were.

Sources: X12.5 (interchange control), X12.6 (segments: no trailing separators; SE01, SE02).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from x12.discreet import Discreet
from x12.syntax import ISA_ELEMENTS, OUTSIDE_BLANK, Delimiters, declared, number_of

__all__ = ["Change", "Fixed", "fix"]

# Lengths of ISA01 to ISA15; ISA16 is the component separator.
_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1)
_PADDED = (2, 4, 6, 8)
_ISA_CONTROL_NUMBER = 13
_BOM = "\xef\xbb\xbf"
_BLANK = " \t\r\n\x00\x0b\x0c"
_ENDS = "\t\r\n"
_BREAKS = re.compile(r"[\r\n]")
_ID = re.compile(r"[A-Z][A-Z0-9]{1,2}")
# Lines shorter than this are segments of a line each rather than a stream of segments wrapped at a width.
_WRAP_WIDTH_MIN = 40


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was mended, or left for a person. `segment` counts the segments of the file from 1; 0 is the file itself."""

    kind: str
    place: str
    segment: int
    message: str


class Fixed(Discreet):
    """The mended bytes, what was done, and what is wrong and was left as it is."""

    data: bytes
    changes: list[Change]
    left: list[Change]


def fix(data: bytes, *, renumber: bool = False) -> Fixed:
    """Mend a file. With `renumber`, an ST02 that occurs twice in its group is replaced by the next free number.

    Data without any interchange comes back as it is. Never raises on content.
    """
    fixer = _Fixer(renumber)
    text = fixer.whole(data)
    at, out = 0, list[str]()
    while True:
        found = _next_interchange(text, at)
        if found is None:
            out.append(fixer.outside(text[at:], first=not out))
            break
        start, delimiters = found
        out.append(fixer.outside(text[at:start], first=not out))
        segments, at = _segments(text, start, delimiters)
        out.append(fixer.interchange(segments, delimiters))
    return Fixed("".join(out).encode("latin-1"), fixer.changes, fixer.left)


def _next_interchange(text: str, at: int) -> tuple[int, Delimiters] | None:
    while (start := text.find("ISA", at)) >= 0:
        found = declared(text, start)
        # An ISA with its own terminator inside is none that anything can be derived from.
        if found is not None and text.find(found[0].segment, start) == found[1]:
            return start, found[0]
        at = start + 3
    return None


class _Piece(Discreet):
    """A segment as it stands in the file: white space before it, its text, and whether a terminator follows."""

    lead: str
    text: str
    ended: bool = True
    # Text that is measured by a length in the segment and may hold anything.
    binary: bool = False


def _segments(text: str, start: int, delimiters: Delimiters) -> tuple[list[_Piece], int]:
    """The segments from an ISA to its IEA, or to where the next interchange begins; and the offset behind them."""
    pieces: list[_Piece] = []
    at, e = start, delimiters.element
    while at < len(text):
        end = text.find(delimiters.segment, at)
        binary = _binary_end(text, at, delimiters)
        if binary is not None:
            end = binary
        raw = text[at : end if end >= 0 else len(text)]
        blank = _blank(delimiters)
        body = raw.lstrip(blank)
        if body.startswith(f"ISA{e}") and pieces:
            break
        if end < 0:
            if bare := body.rstrip(blank):
                # Of what was cut off, blanks at the end may be data.
                kept = bare if _is_trailer(bare, e) else body
                pieces.append(_Piece(raw[: len(raw) - len(body)], kept, ended=False))
                at = len(text) - len(body) + len(kept)
            break
        pieces.append(_Piece(raw[: len(raw) - len(body)], body, binary=binary is not None))
        at = end + 1
        if body.startswith(f"IEA{e}"):
            break
    return pieces, at


def _is_trailer(text: str, element: str) -> bool:
    """Whether a segment is the last of its interchange: all that can follow it is its terminator."""
    return text.split(element, 1)[0] == "IEA"


def _binary_end(text: str, at: int, delimiters: Delimiters) -> int | None:
    """Where a BIN segment ends by its own length (BIN01), which may lie behind characters that look like terminators."""
    while at < len(text) and text[at] in _blank(delimiters):
        at += 1
    head = f"BIN{delimiters.element}"
    if not text.startswith(head, at):
        return None
    first = text.find(delimiters.element, at + len(head))
    length = number_of(text[at + len(head) : first]) if first > 0 else None
    end = first + 1 + length if length is not None else len(text)
    return end if end < len(text) and text[end] == delimiters.segment else None


def _blank(delimiters: Delimiters) -> str:
    return "".join(c for c in _BLANK if c not in delimiters)


class _Fixer:
    """What was done so far, and where in the file we are."""

    def __init__(self, renumber: bool) -> None:
        self.renumber = renumber
        self.changes: list[Change] = []
        self.left: list[Change] = []
        self.segment = 0

    def change(self, kind: str, place: str, message: str) -> None:
        self.changes.append(Change(kind, place, self.segment, message))

    def leave(self, kind: str, place: str, message: str) -> None:
        self.left.append(Change(kind, place, self.segment, message))

    def whole(self, data: bytes) -> str:
        """The file's text without byte order mark and without line breaks at a fixed width."""
        text = data.decode("latin-1")
        for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
            if data.startswith(mark):
                try:
                    wide = data.decode(encoding)
                except UnicodeError:
                    break
                if wide.isascii():
                    self.change("encoding", "file", "The file was UTF-16: now it is ASCII.")
                    text = wide
        if text.startswith(_BOM):
            self.change("byte order mark", "file", "The byte order mark before the first ISA was removed.")
            text = text.removeprefix(_BOM)
        lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
        found = _next_interchange(text, 0)
        if found is None or _BREAKS.search(found[1].segment) or f"BIN{found[1].element}" in text:
            return text
        width = len(lines[0])
        wrapped = len(lines) > 2 and width >= _WRAP_WIDTH_MIN and all(len(line) == width for line in lines[:-1])
        if wrapped and len(lines[-1]) <= width and any(not s.endswith(found[1].segment) for s in lines[:-1]):
            message = f"Line breaks after every {width} characters, in the middle of segments, were removed."
            self.change("line breaks", "file", message)
            return "".join(lines)
        return text

    def outside(self, text: str, *, first: bool) -> str:
        """What stands before, between and after interchanges: one line break stays, other white space goes, the rest is told."""
        bare = text.strip(OUTSIDE_BLANK)
        if bare:
            left = "1 character that belongs" if len(bare) == 1 else f"{len(bare)} characters that belong"
            self.leave("noise", "file", f"{left} to no interchange stayed.")
            return text
        newline = "\r\n" if "\r\n" in text else "\n" if "\n" in text or "\r" in text else ""
        kept = "" if first else newline
        if kept != text:
            self.change("white space", "file", "White space outside the interchanges was removed.")
        return kept

    # --- one interchange -----------------------------------------------------------------------------------------

    def interchange(self, pieces: list[_Piece], delimiters: Delimiters) -> str:
        """The mended segments of an interchange, joined."""
        gap = self.gap(pieces, delimiters.segment)
        texts: list[str] = []
        envelope = _Envelope(self, delimiters)
        for piece in pieces:
            self.segment += 1
            if not piece.ended and not _is_trailer(piece.text, delimiters.element):
                # Where it was cut must show: what looks empty at its end, or like a number, may be half of what was there.
                texts.append(piece.text)
                continue
            text = piece.text if piece.binary else self.bare(piece, delimiters)
            if text:
                texts.append(envelope.segment(text))
            else:
                self.change("empty segment", "", "A terminator without a segment before it was removed.")
        envelope.end()
        terminator = delimiters.segment
        ended = pieces[-1].ended
        if not ended and _is_trailer(pieces[-1].text, delimiters.element):
            self.change("terminator", "IEA", "The terminator behind the last segment was missing: it was added.")
            ended = True
        elif not ended:
            self.leave("cut off", "", "The file ends in the middle of a segment: ask for the whole file again.")
        joined = (terminator + gap).join(texts)
        return joined + terminator if ended else joined

    def gap(self, pieces: Sequence[_Piece], terminator: str) -> str:
        """What goes between segments: nothing or one kind of line break, whichever there is."""
        leads = [p.lead for p in pieces[1:]]
        newline = "\r\n" if any("\r\n" in lead for lead in leads) else "\n"
        newline = "".join(c for c in newline if c != terminator)
        gap = newline if any("\n" in lead or "\r" in lead for lead in leads) else ""
        odd = sum(lead != gap for lead in leads)
        if odd:
            said = "a line break each" if gap else "nothing"
            self.change(
                "white space", "file", f"White space before {odd} segments was made the same: {said} between them."
            )
        return gap

    def bare(self, piece: _Piece, delimiters: Delimiters) -> str:
        """A segment without white space around it and without empty elements at its end."""
        text, e = piece.text, delimiters.element
        if text.startswith(f"ISA{e}"):
            return text
        # What one of them takes away may uncover what the other one does.
        bare = _without_empty(text.rstrip(_ENDS), delimiters)
        while (barer := _without_empty(bare.rstrip(_ENDS), delimiters)) != bare:
            bare = barer
        removed = text[len(bare) :]
        if removed.strip(e + delimiters.component):
            self.change("white space", _name(bare, e), "White space before the terminator was removed.")
        if removed.strip(_ENDS):
            self.change("empty elements", _name(bare, e), "Separators of empty elements at the end were removed.")
        if _BREAKS.search(bare):
            self.leave("line break", _name(bare, e), "A line break stands inside a segment: only its sender knows why.")
        return bare


def _without_empty(text: str, delimiters: Delimiters) -> str:
    """A segment without empty elements at its end, which may be composites of nothing; what is only an id stays as it is."""
    e = delimiters.element
    end = len(text)
    while end and text[end - 1] in (e, delimiters.component):
        end -= 1
    # Component separators behind data belong to a composite and stay.
    kept = text[:end] + text[end:].partition(e)[0] if e in text[end:] else text
    return kept if e in kept else text


def _repeatable(number: str) -> str:
    """A control number as a trailer can repeat it: at the end of a segment white space does not stand."""
    return number.rstrip(_ENDS)


def _name(text: str, element: str) -> str:
    """The id of a segment where it looks like one: anything else may be somebody's data."""
    name = text.split(element, 1)[0]
    return name if _ID.fullmatch(name) else ""


class _Envelope:
    """Goes through the segments of an interchange and mends its header and trailers."""

    def __init__(self, fixer: _Fixer, delimiters: Delimiters) -> None:
        self.fixer = fixer
        self.delimiters = delimiters
        self.control_number = ""
        self.groups = 0
        self.group: str | None = None
        self.sets = 0
        self.numbers: set[str] = set()
        self.set: str | None = None
        self.count = 0
        self.closed = False
        # A set outside any group: how many groups there were meant to be is not known.
        self.astray = False

    def segment(self, text: str) -> str:
        """The segment, mended where it is one of the envelope's."""
        parts = text.split(self.delimiters.element)
        mend = _MENDED.get(parts[0])
        if self.set is not None:
            self.count += 1
        return mend(self, parts) if mend is not None else text

    def end(self) -> None:
        """Told after the last segment."""
        for name, open_ in (("SE", self.set is not None), ("GE", self.group is not None), ("IEA", not self.closed)):
            if open_:
                self.fixer.leave("missing trailer", name, f"There is no {name}: the file may have been cut off.")

    def isa(self, parts: list[str]) -> str:
        """The ISA with its fixed lengths."""
        if len(parts) <= ISA_ELEMENTS:
            self.fixer.leave("ISA length", "ISA", "The ISA has fewer than 16 elements.")
            return self.join(parts)
        if len(parts) == ISA_ELEMENTS + 1 and parts[-1][1:] and not parts[-1][1:].strip(_BLANK):
            parts[-1] = parts[-1][:1]
            self.fixer.change("white space", "ISA", "White space before the terminator was removed.")
        was = list(parts)
        for number, width in enumerate(_WIDTHS, 1):
            value = parts[number]
            if len(value) == width:
                continue
            bare = value.rstrip(" ")
            if number == _ISA_CONTROL_NUMBER and bare.isascii() and bare.isdigit():
                bare = bare.lstrip("0").zfill(width)
            elif number in _PADDED:
                bare = bare.ljust(width)
            if len(bare) == width:
                parts[number] = bare
            else:
                self.fixer.leave("ISA length", f"ISA{number:02d}", f"ISA{number:02d} is not {width} characters long.")
        if parts != was:
            self.fixer.change("ISA length", "ISA", "The fields of the ISA were given their fixed lengths.")
        if len(parts) > ISA_ELEMENTS + 1:
            # What stands behind ISA16 may be what says the separators: without it another file would be read.
            self.fixer.leave("ISA length", "ISA", "The ISA has more than 16 elements.")
        self.control_number = _repeatable(parts[_ISA_CONTROL_NUMBER])
        return self.join(parts)

    def gs(self, parts: list[str]) -> str:
        if self.group is not None:
            self.fixer.leave("missing trailer", "GE", "A functional group begins before the one before it has its GE.")
        self.groups += 1
        self.group = _repeatable(parts[6]) if len(parts) > 6 else ""
        self.sets, self.numbers, self.set = 0, set(), None
        return self.join(parts)

    def st(self, parts: list[str]) -> str:
        if self.set is not None:
            self.fixer.leave("missing trailer", "SE", "A transaction set begins before the one before it has its SE.")
        self.astray = self.astray or self.group is None
        self.sets += 1
        number = _repeatable(parts[2]) if len(parts) > 2 else ""
        if self.fixer.renumber and number in self.numbers and len(parts) > 2:
            number = parts[2] = self.free(number)
            message = "The control number occurred before in its group: the set got the next free one."
            self.fixer.change("renumbered", "ST02", message)
        self.numbers.add(number)
        self.set, self.count = number, 1
        return self.join(parts)

    def free(self, number: str) -> str:
        width = max(4, min(len(number), 9))
        following = max((n for taken in self.numbers if (n := number_of(taken)) is not None), default=0) + 1
        return f"{following:0{width}d}"[-9:]

    def se(self, parts: list[str]) -> str:
        if self.set is None:
            self.fixer.leave("stray trailer", "SE", "An SE stands where no transaction set is open.")
            return self.join(parts)
        made = self.trailer("SE", parts, self.count, self.set, "segments from ST to SE", "ST02")
        self.set = None
        return made

    def ge(self, parts: list[str]) -> str:
        if self.group is None:
            self.fixer.leave("stray trailer", "GE", "A GE stands where no functional group is open.")
            return self.join(parts)
        if self.set is not None:
            self.fixer.leave("missing trailer", "SE", "The functional group ends before its last set has its SE.")
            self.set = None
        made = self.trailer("GE", parts, self.sets, self.group, "transaction sets in the group", "GS06")
        self.group = None
        return made

    def iea(self, parts: list[str]) -> str:
        if self.group is not None:
            self.fixer.leave("missing trailer", "GE", "The interchange ends before its last group has its GE.")
            self.group = self.set = None
        self.closed = True
        if self.astray:
            self.fixer.leave("count", "IEA01", "A transaction set stands outside any group: IEA01 was left.")
            self.groups = number_of(parts[1] if len(parts) > 1 else "") or self.groups
        return self.trailer("IEA", parts, self.groups, self.control_number, "functional groups", "ISA13")

    def trailer(self, name: str, parts: list[str], count: int, number: str, counted: str, repeated: str) -> str:
        """A trailer with the count and the control number that follow from the rest."""
        parts += [""] * (3 - len(parts))
        if number_of(parts[1]) != count:
            said = number_of(parts[1])
            told = f"said {said}" if said is not None else "was no number"
            message = f"{name}01 {told}: the number of {counted} is {count}. A wrong count can mean that something was lost on the way."
            self.fixer.change("count", f"{name}01", message)
            parts[1] = str(count)
        if number and parts[2] != number:
            self.fixer.change("control number", f"{name}02", f"{name}02 did not repeat {repeated}: now it does.")
            parts[2] = number
        # Without a number to repeat there is no separator before it either.
        return self.join(parts if parts[2:] != [""] else parts[:2])

    def join(self, parts: Sequence[str]) -> str:
        return self.delimiters.element.join(parts)


_MENDED = {
    "ISA": _Envelope.isa,
    "GS": _Envelope.gs,
    "ST": _Envelope.st,
    "SE": _Envelope.se,
    "GE": _Envelope.ge,
    "IEA": _Envelope.iea,
}
