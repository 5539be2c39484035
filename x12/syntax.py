"""The lexical layer of X12: delimiters, segments, envelopes in and out, without any guide.

Reading takes bytes in pieces of any size and gives segments back, whatever delimiters the ISA declares, with line
breaks around terminators, byte order marks and noise between interchanges tolerated and reported. Bytes are read as
Latin-1, which loses nothing; a segment that turns out to be UTF-8 is decoded as such. A BIN is cut by the length that its
BIN01 says, for its data may hold every delimiter; it stays Latin-1, a character a byte. Nothing in the content raises.

Sources: X12.5 (interchange control structures), X12.6 (application control structure), and the control segments of any
005010 guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from x12.discreet import Discreet
from x12.finding import Finding

__all__ = [
    "BINARY",
    "BINARY_BYTES_MAX",
    "CANONICAL",
    "RESERVED",
    "STANDARD",
    "Delimiters",
    "Run",
    "Unwritable",
    "choose_delimiters",
    "declared",
    "interchange_header",
    "reserved_findings",
    "runs",
    "split_segment",
]


class Delimiters(NamedTuple):
    """The four characters that an ISA declares. `repetition` is empty before version 00402, which has none."""

    element: str
    component: str
    repetition: str
    segment: str


STANDARD = Delimiters("*", ":", "^", "~")
# The ASCII separators: data may not contain control characters, so text kept in this form never needs an escape.
CANONICAL = Delimiters("\x1d", "\x1f", "\x1e", "\x1c")

_ELEMENT_CHOICES = "*|"
_COMPONENT_CHOICES = ":><\\"
_REPETITION_CHOICES = "^!`"
_SEGMENT_CHOICES = "~"
# The last choice of each stays out of what we send: else two claims, each fine by itself, could leave none for their file.
RESERVED = frozenset(c[-1] for c in (_ELEMENT_CHOICES, _COMPONENT_CHOICES, _REPETITION_CHOICES, _SEGMENT_CHOICES))

# Control characters that stand for a component separator where an ISA declares none that could be one.
_NOWHERE = "\x1f\x1e\x1d"
ISA_ELEMENTS = 16
_ISA_LENGTH = 106
_ISA_LENGTH_MAX = 400
# Offsets of the element separators in an ISA whose fields have the lengths that X12.5 fixes.
_ISA_SEPARATORS = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
CHUNK = 1 << 18
# The one segment that is cut by a length instead of its terminator, and the longest that is: it is held whole, and a file
# that claims more must not fill the memory.
BINARY = "BIN"
BINARY_BYTES_MAX = 64 << 20
_BINARY_HEAD_MAX = 64
_BLANK = " \t\r\n\x00\x0b\x0c"
_BLANKS = tuple(_BLANK)
# The segments that may follow an ISA.
_AFTER_ISA = ("GS", "TA1", "IEA")
# What carries nothing outside interchanges: also what DOS ends a text with (Control-Z).
OUTSIDE_BLANK = _BLANK + "\x1a"
# How a text of two bytes a character looks as Latin-1.
_WIDE = ("\xff\xfe", "\xfe\xff")
_WIDE_ISA = ("I\x00S\x00A\x00", "\x00I\x00S\x00A")
_BOMS = ("\xef\xbb\xbf", "\ufeff")


class Unwritable(ValueError):
    """A value cannot be written as X12: `place` says which (a field path or a segment's place), the value itself is not told."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(f"{place}: {message}")
        self.message = message
        self.place = place


class Run(Discreet):
    """Consecutive segments of one interchange, without terminators.

    The first run of an interchange has `isa` (True) and starts with the ISA segment; `findings` are lexical ones. `lead` is
    what stood before the ISA, `gaps` what stands before each segment: one text where it is the same before all but the ISA,
    else a list. A run without segments that follows an interchange has what stood behind it in `lead`.
    """

    delimiters: Delimiters
    segments: list[str]
    isa: bool = False
    lead: str = ""
    gaps: str | list[str] = ""
    findings: list[Finding] = msgspec.field(default_factory=list[Finding])
    cut: bool = False


def _blanks(segment: str) -> str:
    """A pattern for what may stand between a terminator and the next segment."""
    return "[" + re.escape("".join(c for c in _BLANK if c != segment)) + "]*"


@lru_cache(256)
def _boundary(element: str, segment: str) -> re.Pattern[str]:
    """Finds where an interchange ends, its IEA with terminator or the next ISA where the IEA is missing, or where a BIN begins.

    The first letter stands alone because every segment is tried: that is what makes it fast.
    """
    e, s = re.escape(element), re.escape(segment)
    return re.compile(f"{s}{_blanks(segment)}[IB](?:(EA{e}[^{s}]*{s})|SA{e}|(IN{e}))")


@lru_cache(256)
def _binary(element: str, segment: str) -> re.Pattern[str]:
    """The beginning of a BIN; group 1 is the number of bytes that follow, None where no number is there (yet)."""
    e = re.escape(element)
    return re.compile(f"{_blanks(segment)}{BINARY}{e}(?:([0-9]{{1,15}}){e})?")


def _declared(text: str, start: int, final: bool) -> tuple[Delimiters, int, list[Finding]] | None:
    """Delimiters of the ISA at `start` and the offset of its terminator, or None when there is no usable ISA."""
    element = text[start + 3 : start + 4]
    if not element or element.isalnum() or element in " \t":
        return None
    findings: list[Finding] = []
    if all(text[start + k : start + k + 1] == element for k in _ISA_SEPARATORS):
        last = start + _ISA_SEPARATORS[-1]
    else:
        last = start + 3
        for _ in range(ISA_ELEMENTS - 1):
            last = text.find(element, last + 1, start + _ISA_LENGTH_MAX)
            if last < 0:
                return None
        broken = any(b in text[start:last] for b in "\r\n")
        message = (
            "A line break stands inside the ISA: `fix` puts a file together that was broken into lines of one width."
            if broken
            else "The ISA segment is not 106 characters long: pad each field to its fixed length."
        )
        findings.append(_envelope("022", "ISA", message))
    end = _terminator(text, last + 2, start + _ISA_LENGTH_MAX, element)
    component, segment = text[last + 1 : last + 2], text[end : end + 1]
    if end != last + 2:
        message = "The segment terminator must follow ISA16 at once, as character 106."
        findings.append(_envelope("004", "ISA", message))
    # A blank, with which an ISA's fields are padded, cannot end it.
    if not segment or segment.isalnum() or segment == " " or component.isalnum() or segment == element:
        return None
    fields = text[start:last].split(element)
    repetition = fields[11] if len(fields[11]) == 1 and not fields[11].isalnum() and fields[11] != " " else ""
    if component in (element, segment) or (repetition and repetition in (element, component, segment)):
        findings.append(
            _envelope("027", "ISA", "ISA11 and ISA16 must declare characters that no other delimiter uses.")
        )
        repetition = "" if repetition in (element, component, segment) else repetition
        # Nothing can be told apart by a character that parts the elements: none is taken that data may have.
        component = (
            next(c for c in _NOWHERE if c not in (element, segment)) if component in (element, segment) else component
        )
    return Delimiters(element, component, repetition, segment), end, findings


def _terminator(text: str, at: int, end: int, element: str) -> int:
    """Where the terminator of an ISA is. It should be here; where blanks are, it is behind them if a segment that may follow begins there."""
    behind = at
    while behind < end and text[behind : behind + 1] in _BLANKS:
        behind += 1

    def next_begins(at: int) -> bool:
        follows = text[at:end].lstrip(_BLANK)
        return any(follows.startswith(name + element) for name in _AFTER_ISA)

    if behind > at and next_begins(behind):
        # A line break may be the terminator itself.
        return next((k for k in range(at, behind) if text[k] in "\r\n"), at)
    return behind if next_begins(behind + 1) else at


def declared(text: str, start: int) -> tuple[Delimiters, int] | None:
    """Delimiters of the ISA at an offset and the offset of its terminator; None when there is no usable ISA there."""
    found = _declared(text, start, final=True)
    return found[:2] if found is not None else None


def _envelope(code: str, segment: str, message: str) -> Finding:
    return Finding(1, "interchange", code, message, segment=segment)


def _utf8(segment: str) -> str:
    try:
        return segment.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return segment


def _split(body: str, delimiters: Delimiters, isa: bool) -> tuple[list[str], str | list[str], str]:
    """Segments of terminated text, the gaps before them as a `Run` has them, and empty segments at the end."""
    terminator = delimiters.segment
    pieces = body.split(terminator)
    pieces.pop()
    first = pieces[-1] if pieces else ""
    width = len(first) - len(first.lstrip(_BLANK))
    gap = first[:width]
    gaps: str | list[str] = gap
    empty = ""
    # What is nowhere in the text is sooner found out than what is nowhere behind a terminator.
    blanks = any(b in body and terminator + b in body for b in _BLANK)
    if not gap and body[:1] not in _BLANK and "" not in pieces and not blanks:
        segments = pieces
    else:
        segments = [s for p in pieces if (s := p.lstrip(_BLANK))]
        end = body.rfind(terminator) + 1
        alike = len(segments) == len(pieces) and body.startswith("" if isa else gap)
        alike = alike and body.count(terminator + gap, 0, end) >= len(pieces) - 1
        if not alike or sum(map(len, segments)) + len(pieces) * (1 + width) - (width if isa else 0) != end:
            *gaps, empty = _gaps(pieces, terminator)
    if not body.isascii():
        segments = [s if s.isascii() else _utf8(s) for s in segments]
    return segments, gaps, empty


def _gaps(pieces: Sequence[str], terminator: str) -> list[str]:
    """What stands before each segment, and behind the last: blanks and empty segments."""
    gaps: list[str] = []
    before = ""
    for piece in pieces:
        bare = piece.lstrip(_BLANK)
        before += piece[: len(piece) - len(bare)]
        if bare:
            gaps.append(before)
            before = ""
        else:
            before += terminator
    return [*gaps, before]


class _Scanner:
    """Holds what is not yet cut into runs."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        self.delimiters: Delimiters | None = None
        self.lead = ""
        # Empty segments behind the last run, which belong to the gap before the next one.
        self.empty = ""
        self.fresh = False
        self.pending: list[Finding] = []
        self.noise = 0
        # Whether empty segments of this interchange were told, and the terminator of the last one.
        self.emptied = False
        self.terminator = ""
        # An ISA was met that does not tell its separators.
        self.unclear = False
        # Pieces that wait until, with what is left of the text, so many characters are there: the rest of a BIN.
        self.waiting: list[str] = []
        self.awaited = 0

    def take(self, more: str, final: bool = False) -> bool:
        """The next piece; tells whether there is enough to go on."""
        self.waiting.append(more)
        self.awaited -= len(more)
        if self.awaited > 0 and not final:
            return False
        left = self.text[self.at :] if self.at < len(self.text) else ""
        self.text = left + (more if len(self.waiting) == 1 else "".join(self.waiting))
        self.at, self.awaited = 0, 0
        self.waiting.clear()
        return True

    def hold(self) -> None:
        """Wait for as much again: what has no end in sight is not put together anew with every piece."""
        self.awaited = max(1, len(self.text) - self.at)

    def outside(self, final: bool) -> bool:
        """Looks for the next ISA; True when one was found and the delimiters are known."""
        while True:
            found = self.text.find("ISA", self.at)
            if found < 0:
                keep = 0 if final else 2
                self.skip(max(self.at, len(self.text) - keep))
                return False
            if not final and len(self.text) - found < _ISA_LENGTH_MAX:
                self.skip(found)
                return False
            declared = _declared(self.text, found, final)
            if declared is None:
                self.skip(found + 3)
                self.noise += 3
                self.unclear = True
                continue
            self.skip(found)
            self.delimiters, _, findings = declared
            self.fresh, self.empty, self.emptied = True, "", False
            self.pending += findings
            return True

    def skip(self, to: int) -> None:
        lead = self.text[self.at : to]
        stripped = lead
        for bom in _BOMS:
            stripped = stripped.replace(bom, "")
        self.noise += len(stripped.strip(OUTSIDE_BLANK))
        if len(self.lead) < CHUNK:
            self.lead += lead
        self.at = to

    def inside(self, final: bool) -> Iterator[Run]:
        """Runs up to the end of the interchange, or as far as the text goes."""
        delimiters = self.delimiters
        assert delimiters is not None
        element, segment = delimiters.element, delimiters.segment
        boundary, binary = _boundary(element, segment), _binary(element, segment)
        last = len(self.text)
        while self.delimiters is not None and self.at < last:
            if head := binary.match(self.text, self.at):
                made, end = self.binary(head, delimiters, final)
                if made is None:
                    return
                yield made
                self.at = end
                continue
            match = boundary.search(self.text, self.at)
            if match:
                end = match.end() if match[1] else match.start() + 1
            elif final:
                end = last
            else:
                # The last whole segment stays: its terminator is what the boundary is recognised by.
                end = self.text.rfind(segment, self.at, max(self.text.rfind(segment), self.at)) + 1
                if end <= self.at:
                    self.hold()
                    return
            yield self.run(self.text[self.at : end], delimiters, cut=final and not match)
            self.at = end
            if match and not match[2]:
                self.delimiters, self.terminator = None, segment
            elif not match:
                return

    def binary(self, head: re.Match[str], delimiters: Delimiters, final: bool) -> tuple[Run | None, int]:
        """The BIN segment at hand and where it ends; None when more of it must come first.

        One whose terminator is not where BIN01 says ends at the next one, like any other segment.
        """
        text, segment = self.text, delimiters.segment
        size = int(head[1] or 0)
        if size and size <= BINARY_BYTES_MAX:
            end = head.end() + size
            if text[end : end + 1] == segment:
                held = text[self.at : end]
                bare = held.lstrip(_BLANK)
                return Run(delimiters, [bare], gaps=[held[: len(held) - len(bare)]]), end + 1
            if end >= len(text) and not final:
                self.awaited = end + 1 - len(text)
                return None, 0
        end = text.find(segment, self.at) + 1
        if not final and (not end or len(text) - self.at < _BINARY_HEAD_MAX):
            self.hold()
            return None, 0
        return self.run(text[self.at : end or len(text)], delimiters, cut=not end), end or len(text)

    def run(self, body: str, delimiters: Delimiters, cut: bool) -> Run:
        terminated = (
            body.endswith(delimiters.segment)
            or not body.rstrip(_BLANK)
            or body.rstrip(_BLANK).endswith(delimiters.segment)
        )
        segments, gaps, empty = _split(body if terminated else body + delimiters.segment, delimiters, self.fresh)
        if self.empty and segments:
            gaps = [gaps] * len(segments) if isinstance(gaps, str) else gaps
            gaps[0], self.empty = self.empty + gaps[0], ""
        self.empty += empty
        if not self.emptied and (delimiters.segment in self.empty or any(delimiters.segment in gap for gap in gaps)):
            self.emptied = True
            message = "A terminator stands without a segment before it: it was skipped; remove it."
            self.pending.append(msgspec.structs.replace(_envelope("024", "", message), severity="warning"))
        run = Run(delimiters, segments, gaps=gaps)
        if self.fresh:
            run.isa, run.lead = True, self.lead
            if self.noise:
                counted = "1 character" if self.noise == 1 else f"{self.noise} characters"
                message = f"Before the ISA, {counted} that belong to no interchange were skipped."
                self.pending.append(Finding(1, "file", "", message, "warning"))
            self.fresh, self.lead, self.noise = False, "", 0
        run.findings, self.pending = self.pending, []
        run.cut = cut and not terminated
        return run


def runs(pieces: Iterable[bytes] | bytes) -> Iterator[Run]:
    """Cut bytes into runs of segments, interchange by interchange, in memory that does not grow with the file.

    The last run may have no segments: then it only carries what stood behind the last interchange, and findings about it.
    """
    scanner = _Scanner()
    if isinstance(pieces, (bytes, bytearray, memoryview)):
        whole = bytes(pieces)
        pieces = (whole[i : i + CHUNK] for i in range(0, len(whole), CHUNK))
    for piece in pieces:
        if scanner.take(piece.decode("latin-1")):
            yield from _drain(scanner, final=False)
    scanner.take("", final=True)
    yield from _drain(scanner, final=True)
    findings: list[Finding] = []
    if scanner.noise:
        counted = "1 character belongs" if scanner.noise == 1 else f"{scanner.noise} characters belong"
        # Terminators alone are empty segments, which are let pass elsewhere too.
        empty = scanner.noise <= len(scanner.lead) and not scanner.lead.strip(OUTSIDE_BLANK + scanner.terminator)
        why = "terminators stand behind the IEA; remove them" if empty else _why_none(scanner)
        findings.append(Finding(1, "file", "", f"{counted} to no interchange: {why}.", "warning" if empty else "error"))
    if scanner.lead:
        yield Run(STANDARD, [], findings=findings, lead=scanner.lead)


def _why_none(scanner: _Scanner) -> str:
    """Why what was skipped is no interchange, and what to do."""
    if scanner.lead.startswith(_WIDE) or any(mark in scanner.lead for mark in _WIDE_ISA):
        return "this is UTF-16, which `fix` makes ASCII"
    if scanner.unclear:
        return "there is an ISA without its separators, which must have 16 elements and 106 characters, ISA16 and the terminator the last two"
    return "an interchange begins with ISA and ends with IEA"


def _drain(scanner: _Scanner, final: bool) -> Iterator[Run]:
    while True:
        if scanner.delimiters is None and not scanner.outside(final):
            return
        before = scanner.at
        yield from scanner.inside(final)
        if scanner.delimiters is not None and (scanner.at == before or scanner.at >= len(scanner.text) or not final):
            if final:
                scanner.delimiters = None
            return


def split_segment(raw: str, delimiters: Delimiters) -> list[str]:
    """The elements of a segment, its id at index 0. The data of a BIN is one element, whatever is in it."""
    binary = raw.startswith(BINARY) and raw[len(BINARY) :].startswith(delimiters.element)
    return raw.split(delimiters.element, 2 if binary else -1)


def choose_delimiters(canonical: str) -> Delimiters:
    """Delimiters that occur nowhere in the data of text written with CANONICAL; Unwritable when none are left.

    X12 has no escape character (X12.6): a delimiter inside data changes the structure, so it must be another one.
    """
    picked: list[str] = []
    for kind, choices in (
        ("element", _ELEMENT_CHOICES),
        ("component", _COMPONENT_CHOICES),
        ("repetition", _REPETITION_CHOICES),
        ("segment", _SEGMENT_CHOICES),
    ):
        free = next((c for c in choices if c not in canonical), None)
        if free is None:
            raise Unwritable(
                f"the data contains every character that could be the {kind} delimiter ({' '.join(choices)}): remove one of them",
                "interchange",
            )
        picked.append(free)
    return Delimiters(*picked)


def translate(text: str, source: Delimiters, target: Delimiters) -> str:
    """The same segments with other delimiters. The caller knows that `target`'s characters do not occur in the data."""
    return text.translate(_exchanged(source, target))


@lru_cache(maxsize=64)
def _exchanged(source: Delimiters, target: Delimiters) -> dict[int, str]:
    return {ord(a): b for a, b in zip(source, target, strict=True) if a}


def number_of(text: str) -> int | None:
    """A whole number as control segments have them: one to nine ASCII digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def unwritable_character(value: str) -> str | None:
    """Name of the first character that cannot be sent (control, non-ASCII, or RESERVED for delimiters), or None."""
    if value.isascii() and value.isprintable() and RESERVED.isdisjoint(value):
        return None
    bad = next(c for c in value if c in RESERVED or not (c.isascii() and c.isprintable()))
    return f"U+{ord(bad):04X}"


def reserved_findings(segments: Sequence[str]) -> list[Finding]:
    """One finding for each canonical segment whose data has a character that is RESERVED; position counts from 1."""
    return [
        Finding(
            1,
            "segment",
            "8",
            f"{name} contains {unwritable_character(bad)}, which is kept for a delimiter: send another character.",
            segment=name,
            position=position,
        )
        for position, segment in enumerate(segments, 1)
        for name in (segment.split(CANONICAL.element, 1)[0],)
        if name != BINARY
        for bad in [c for c in segment if c in RESERVED][:1]
    ]


class InterchangeHeader(msgspec.Struct, frozen=True):
    """What an ISA says besides its delimiters. Ids are without padding; `date` is YYMMDD, `time` HHMM."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    date: str
    time: str
    control_number: int
    usage: str
    acknowledgement_requested: bool = False


def interchange_header(header: InterchangeHeader, delimiters: Delimiters) -> str:
    """The ISA segment with its terminator: 106 characters.

    Raises Unwritable when a field does not fit its fixed length or contains a delimiter.
    """
    fields = (
        "00",
        " " * 10,
        "00",
        " " * 10,
        header.sender_qualifier,
        f"{header.sender:<15}",
        header.receiver_qualifier,
        f"{header.receiver:<15}",
        header.date,
        header.time,
    )
    rest = (
        delimiters.repetition or "U",
        "00501",
        f"{header.control_number:09d}",
        "1" if header.acknowledgement_requested else "0",
        header.usage,
    )
    text = delimiters.element.join(("ISA", *fields, *rest, delimiters.component)) + delimiters.segment
    if (
        len(text) != _ISA_LENGTH
        or any(text[k] != delimiters.element for k in _ISA_SEPARATORS)
        or text.count(delimiters.element) != ISA_ELEMENTS
    ):
        raise Unwritable("an interchange id, date, time or control number does not fit its fixed length", "ISA")
    return text


def join(segments: Sequence[str], delimiters: Delimiters, gap: str = "") -> str:
    """Segments as text, each with its terminator and the gap."""
    end = delimiters.segment + gap
    return end.join(segments) + end if segments else ""
