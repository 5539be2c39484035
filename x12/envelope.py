"""Reads whole files: interchanges, functional groups and transaction sets, each judged and none of them raising.

Sources: X12.5 and X12.6 (control segments), 005010X231A1 (TA105, AK905 and IK502 codes).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import chain, repeat
from typing import overload

from x12 import guides
from x12.codes.lists import Lists
from x12.elements import period_is_valid
from x12.finding import Finding
from x12.guides import Guide
from x12.headers import interchange_finding, judge_gs, judge_isa, judge_ta1
from x12.judging import LEVELS, Judgement, judgement_of
from x12.syntax import Delimiters, Run, number_of, runs
from x12.units import Units
from x12.walk import FINDINGS_MAX, Instance, Node, Table, Walk, compiled, tree

__all__ = ["Group", "Interchange", "TransactionSet", "read", "stream"]


class TransactionSet:
    """One ST to SE: its raw segments, its place in the guide segment by segment, and what is wrong with it.

    `guide` is None when no table serves its GS08 and ST01. `accepted` is what a 999 would say, `count` the number of segments.
    Where the segments are not kept, `units` has noted the business unit of each finding, and `dropped` counts the findings
    beyond the first `x12.walk.FINDINGS_MAX`.
    """

    __slots__ = (
        "control_number",
        "convention",
        "count",
        "delimiters",
        "dropped",
        "findings",
        "group",
        "guide",
        "nodes",
        "refused",
        "segments",
        "set_id",
        "units",
    )

    def __init__(self, group: Group | None, first: str, delimiters: Delimiters) -> None:
        parts = [*first.split(delimiters.element), "", "", ""]
        self.group = group
        self.delimiters = delimiters
        self.set_id, self.control_number, self.convention = parts[1], parts[2], parts[3]
        self.guide: Guide | None = None
        self.segments: list[str] = []
        self.nodes: list[Node | None] = []
        self.findings: list[Finding] = []
        self.units: Units | None = None
        self.count = self.dropped = 0
        # One of the findings that were dropped may have been the error.
        self.refused = False

    @property
    def accepted(self) -> bool:
        return not self.refused and not any(f.severity == "error" for f in self.findings)

    def tree(self) -> Instance:
        """The loops of the set; ValueError where it has none: without a guide, or where its segments were not kept."""
        if self.guide is None:
            raise ValueError("a transaction set without a guide has no loops")
        if not self.segments:
            raise ValueError("the segments of this transaction set were not kept")
        return tree(self.guide, self.nodes, self.segments, self.delimiters)


class _Passed(Sequence[TransactionSet]):
    """Sets of which only the verdict is left. One without findings that is like the first is kept as its number alone."""

    def __init__(self) -> None:
        self._sets: list[TransactionSet | str] = []
        self._like: TransactionSet | None = None

    def add(self, passed: TransactionSet) -> None:
        """One more."""
        if self._like is None and not passed.findings:
            self._like = passed
        like = self._like is not None and _kind(passed) == _kind(self._like)
        self._sets.append(passed.control_number if like and not passed.findings else passed)

    def __len__(self) -> int:
        return len(self._sets)

    @overload
    def __getitem__(self, index: int) -> TransactionSet: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TransactionSet]: ...
    def __getitem__(self, index: int | slice) -> TransactionSet | Sequence[TransactionSet]:
        if isinstance(index, slice):
            return [self._made(kept) for kept in self._sets[index]]
        return self._made(self._sets[index])

    def __iter__(self) -> Iterator[TransactionSet]:
        return map(self._made, self._sets)

    def _made(self, kept: TransactionSet | str) -> TransactionSet:
        if isinstance(kept, TransactionSet):
            return kept
        assert self._like is not None
        made = copy(self._like)
        made.control_number, made.findings = kept, []
        return made


def _kind(passed: TransactionSet) -> tuple[str, str, Guide | None]:
    return passed.set_id, passed.convention, passed.guide


class Group:
    """One GS to GE. `elements` are GS01.. at index 0.."""

    __slots__ = (
        "complete",
        "control_number",
        "declared_sets",
        "elements",
        "findings",
        "interchange",
        "sets",
        "trailer",
    )

    def __init__(self, interchange: Interchange, elements: Sequence[str]) -> None:
        self.interchange = interchange
        self.elements = (*elements, *[""] * 8)[:8]
        self.control_number = self.elements[5]
        # GE01 and GE02 as they came, and GE01 where it is a number.
        self.trailer: tuple[str, ...] = ()
        self.declared_sets: int | None = None
        self.sets: Sequence[TransactionSet] = []
        self.findings: list[Finding] = []
        self.complete = False

    @property
    def functional_id(self) -> str:
        return self.elements[0]

    @property
    def version(self) -> str:
        return self.elements[7]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


class Interchange:
    """One ISA to IEA. `elements` are ISA01.. at index 0.., padding kept; `acknowledgements` the elements of its TA1s.

    `trailer` are IEA01 and IEA02 as they came; `lead` and `trail` what stood before it and, of the last one in a file, behind it.
    """

    __slots__ = (
        "acknowledgements",
        "complete",
        "cut",
        "delimiters",
        "elements",
        "findings",
        "gaps",
        "groups",
        "lead",
        "trail",
        "trailer",
    )

    def __init__(self, elements: Sequence[str], delimiters: Delimiters) -> None:
        self.elements = (*elements, *[""] * 16)[:16]
        self.delimiters = delimiters
        self.groups: list[Group] = []
        self.acknowledgements: list[tuple[str, ...]] = []
        self.trailer: tuple[str, ...] = ()
        self.findings: list[Finding] = []
        self.complete = False
        # How it was laid out: so many segments with these gaps before them, and whether the last has no terminator.
        self.gaps: list[tuple[int, str | list[str]]] = []
        self.lead = self.trail = ""
        self.cut = False

    @property
    def control_number(self) -> str:
        return self.elements[12]

    @property
    def sender(self) -> str:
        return self.elements[5].strip()

    @property
    def receiver(self) -> str:
        return self.elements[7].strip()

    @property
    def usage(self) -> str:
        return self.elements[14]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)

    @property
    def sets(self) -> list[TransactionSet]:
        return [s for g in self.groups for s in g.sets]

    def segments(self) -> Iterator[str]:
        """Its segments in their order, ISA to IEA, but for those that stood where none belongs; ValueError where they were not kept."""
        separator = self.delimiters.element
        yield separator.join(("ISA", *self.elements))
        yield from (separator.join(("TA1", *elements)) for elements in self.acknowledgements)
        for group in self.groups:
            yield separator.join(("GS", *group.elements))
            for received in group.sets:
                if not received.segments:
                    raise ValueError("the segments of this interchange were not kept")
                yield from received.segments
            yield separator.join(("GE", *group.trailer))
        yield separator.join(("IEA", *self.trailer))

    def text(self) -> str:
        """The interchange as it is written: what was received, to the byte, where nothing is wrong with its envelope.

        Line breaks and blanks between segments are those that were received.
        """
        terminator = self.delimiters.segment
        gaps = (g for count, g in self.gaps for g in (repeat(g, count) if isinstance(g, str) else g))
        next(gaps, "")
        first, *rest = self.segments()
        told = (f"{terminator}{gap}{segment}" for segment, gap in zip(rest, chain(gaps, repeat("")), strict=False))
        return f"{self.lead}{first}{''.join(told)}{'' if self.cut else terminator}{self.trail}"


class _Skim:
    """Takes the place of a Walk where no guide is known: finds the end and counts."""

    dropped = 0
    refused = False

    def __init__(self, delimiters: Delimiters) -> None:
        self.delimiters = delimiters
        self.findings: list[Finding] = []
        self.nodes: list[Node | None] = []
        self.position = 0
        self.ended = False
        self.control_number = ""
        self.at = 0

    def feed(self, segments: Sequence[str], start: int = 0, text: str | None = None, at: int = 0) -> int:
        """As `Walk.feed`."""
        index = self._feed(segments, start)
        self.at = at + sum(map(len, segments[start:index])) + index - start
        return index

    def _feed(self, segments: Sequence[str], start: int) -> int:
        element = self.delimiters.element
        for index in range(start, len(segments)):
            parts = segments[index].split(element, 3)
            if parts[0] in ("ISA", "GS", "GE", "IEA") or (parts[0] == "ST" and self.position):
                self.end()
                return index
            self.position += 1
            if parts[0] == "ST":
                self.control_number = parts[2] if len(parts) > 2 else ""
            elif parts[0] == "SE":
                self.ended = True
                if parts[1:2] != [str(self.position)]:
                    self._find("4", f"SE01 must be the number of segments from ST to SE, which is {self.position}.")
                if parts[2:3] != [self.control_number]:
                    self._find("3", "SE02 must repeat the control number in ST02.")
                return index + 1
        return len(segments)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self._find("2", "The transaction set has no SE trailer.")

    def _find(self, code: str, message: str) -> None:
        self.found(Finding(1, "set", code, message, position=self.position))

    def found(self, finding: Finding) -> None:
        """One more finding."""
        self.findings.append(finding)

    def settle(self, segments: Sequence[str]) -> None:
        """Nothing is left to be worded where no guide is known."""


class _Reader:
    """Where in the envelopes the file stands."""

    def __init__(
        self, judgement: Judgement, *, keep: bool, companions: Sequence[str] = (), usage: str | None = None
    ) -> None:
        self.judgement = judgement
        self.keep = keep
        self.usage = usage
        self.companions = companions
        self.interchange: Interchange | None = None
        self.group: Group | None = None
        self.open: TransactionSet | None = None
        self.walk: Walk | _Skim | None = None
        self.seen_groups: set[str] = set()
        self.seen_sets: set[str] = set()
        # Whether the segment before belonged to nothing either: of a run of such segments one finding is enough.
        self.strayed = False
        # An ST whose following segment has not come yet: that one may have to choose the table.
        self.begun: str | None = None

    def run(self, run: Run) -> Iterator[TransactionSet | Interchange]:
        if run.isa:
            yield from self.finish()
            self.begin_interchange(run)
        interchange = self.interchange
        if interchange is None:
            return
        if not run.isa:
            interchange.findings += run.findings
        if not run.segments:
            interchange.trail = run.lead
            return
        interchange.cut = run.cut
        if self.keep:
            interchange.gaps.append((len(run.segments), run.gaps))
        segments, index = run.segments, 1 if run.isa else 0
        if self.begun is not None:
            segments, self.begun = [self.begun, *segments], None
        element, terminator = run.delimiters.element, run.delimiters.segment
        text = terminator.join(segments) + terminator
        at = len(segments[0]) + 1 if index else 0
        while index < len(segments):
            if self.walk is not None and self.open is not None:
                index = self.take(segments, index, text, at)
                at = self.walk.at
                if self.walk.ended:
                    yield self.end_set()
                continue
            parts = segments[index].split(element)
            match parts[0]:
                case "ST":
                    if index + 1 == len(segments):
                        self.begun = segments[index]
                        return
                    self.begin_set(segments[index], run.delimiters, segments[index + 1])
                    continue
                case "GS":
                    self.begin_group(interchange, parts[1:])
                case "GE":
                    self.end_group(interchange, parts[1:])
                case "IEA":
                    self.end_interchange(interchange, parts[1:])
                case "TA1":
                    interchange.acknowledgements.append(tuple(parts[1:]))
                    _tell(interchange, judge_ta1(segments[index], run.delimiters, late=bool(interchange.groups)))
                case _:
                    self.stray(interchange)
                    at += len(segments[index]) + 1
                    index += 1
                    continue
            self.strayed = False
            at += len(segments[index]) + 1
            index += 1

    def take(self, segments: Sequence[str], start: int, text: str | None = None, at: int = 0) -> int:
        """Segments of the open set; gives the index after its last one. `text` and `at` as in `Walk.feed`."""
        walk, received = self.walk, self.open
        assert walk is not None
        assert received is not None
        first, known = walk.position + 1, len(walk.findings)
        index = walk.feed(segments, start, text, at)
        received.count = walk.position
        if self.keep:
            received.segments += segments[start:index] if start or index < len(segments) else segments
        else:
            walk.settle(segments[start:index])
            if received.units is not None:
                received.units.take(segments[start:index], first, walk.findings[known:])
        return index

    def finish(self) -> Iterator[TransactionSet | Interchange]:
        """The interchange is over, complete or not."""
        interchange = self.interchange
        if self.begun is not None and interchange is not None:
            self.begin_set(self.begun, interchange.delimiters, "")
            self.take((self.begun,), 0)
            self.begun = None
        if self.walk is not None:
            self.walk.end()
            yield self.end_set()
        if interchange is None:
            return
        if self.group is not None:
            self.group.findings.append(_group("3", "GE", "The functional group has no GE trailer."))
            self.group = None
        if not interchange.complete:
            interchange.findings.append(
                interchange_finding("023", "IEA", "The interchange ends without its IEA trailer: it was cut off.")
            )
        self.interchange = None
        yield interchange

    def begin_interchange(self, run: Run) -> None:
        elements = run.segments[0].split(run.delimiters.element)[1:]
        self.interchange = Interchange(elements, run.delimiters)
        self.interchange.lead = run.lead
        # The form first: of an ISA that is broken, the values are.
        self.interchange.findings += [*run.findings, *judge_isa(self.interchange.elements, run.delimiters)]
        self.seen_groups = set()

    def begin_group(self, interchange: Interchange, elements: Sequence[str]) -> None:
        if self.group is not None:
            self.group.findings.append(_group("3", "GE", "The functional group has no GE trailer."))
        self.group = Group(interchange, elements)
        if not self.keep:
            self.group.sets = _Passed()
        self.seen_sets = set()
        interchange.groups.append(self.group)
        if elements:
            _tell(interchange, judge_gs(self.group.elements))
        number = self.group.control_number
        if number_of(number) is None:
            self.group.findings.append(_group("6", "GS", "GS06 must be a number of one to nine digits."))
        elif number in self.seen_groups:
            self.group.findings.append(
                _group("19", "GS", "GS06 occurs twice in the interchange: each group needs a number of its own.")
            )
        self.seen_groups.add(number)

    def begin_set(self, first: str, delimiters: Delimiters, second: str) -> None:
        """A set begins with its ST; `second` is the segment behind it, "" where the interchange ends."""
        interchange, group = self.interchange, self.group
        self.strayed = False
        if group is None and interchange is not None:
            interchange.findings.append(
                interchange_finding(
                    "024", "GS", "A transaction set stands outside any functional group: a GS must precede it."
                )
            )
            self.begin_group(interchange, ())
            group = self.group
        made = self.open = TransactionSet(group, first, delimiters)
        table = self.table(made, delimiters, second)
        self.walk = self.walk_of(table, group, second) if table else _Skim(delimiters)
        if not self.keep:
            made.units = Units(made.set_id, delimiters)
        if group is None:
            return
        if isinstance(group.sets, list):
            group.sets.append(made)
        found = self.walk.found
        if (table is None or group.version not in table.guide.editions) and not any(
            f.code == "2" for f in group.findings
        ):
            group.findings.append(
                _group("2", "GS", "The version in GS08 is not one that is supported with this functional group.")
            )
        if table is None:
            found(Finding(1, "set", "1", "This transaction set and GS08 version are not supported here.", position=1))
        elif group.functional_id != table.guide.group_id:
            message = f"GS01 must be {table.guide.group_id} for a group of {made.set_id}."
            found(Finding(1, "set", "18", message, "warning", position=1))
        elif made.convention and made.convention not in table.guide.editions:
            found(Finding(1, "set", "19", "ST03 names another guide than GS08.", position=1))
        if not 4 <= len(made.control_number) <= 9:
            found(Finding(1, "set", "7", "ST02 must be a control number of four to nine characters.", position=1))
        elif made.control_number in self.seen_sets:
            found(
                Finding(
                    1,
                    "set",
                    "23",
                    "ST02 occurs twice in the functional group: each transaction set needs a number of its own.",
                    position=1,
                )
            )
        self.seen_sets.add(made.control_number)

    def table(self, made: TransactionSet, delimiters: Delimiters, second: str) -> Table | None:
        version = made.group.version if made.group else ""
        for edition in (version, made.convention):
            if (edition, made.set_id) in guides.available():
                guide = guides.load(edition, made.set_id)
                if (choice := guide.chosen) is not None:
                    parts = second.split(delimiters.element, choice.element + 1)
                    there = parts[0] == choice.segment and len(parts) > choice.element
                    guide = guides.load(edition, made.set_id, parts[choice.element] if there else "")
                guide = made.guide = guides.patched(guide, self.companions)
                return compiled(guide, delimiters, self.judgement)
        return None

    def walk_of(self, table: Table, group: Group | None, second: str) -> Walk:
        """What walks a set of this group whose second segment is this one."""
        usage = self.usage
        if usage is None:
            usage = self.interchange.usage if self.interchange is not None else ""
        day = _day(group, second.split(table.delimiters.element))
        return Walk(table, keep=self.keep, day=day, usage=usage)

    def end_set(self) -> TransactionSet:
        done, walk = self.open, self.walk
        assert done is not None
        assert walk is not None
        known = len(walk.findings)
        walk.settle(done.segments if self.keep else ())
        if done.units is not None:
            done.units.take((), walk.position + 1, walk.findings[known:])
        done.nodes, done.findings = walk.nodes, walk.findings
        done.findings.sort(key=_order)
        done.dropped, done.refused = walk.dropped, walk.refused
        if done.units is not None and not done.findings:
            done.units = None
        if done.group is not None and isinstance(done.group.sets, _Passed):
            done.group.sets.add(done)
        self.open = self.walk = None
        return done

    def end_group(self, interchange: Interchange, elements: Sequence[str]) -> None:
        group = self.group
        if group is None:
            interchange.findings.append(
                interchange_finding("022", "GE", "A GE stands where no functional group is open.")
            )
            return
        group.trailer = tuple(elements)
        count, number = (*elements, "", "")[:2]
        group.declared_sets = number_of(count)
        if group.declared_sets != len(group.sets):
            group.findings.append(
                _group(
                    "5",
                    "GE",
                    f"GE01 must be the number of transaction sets in the group, which is {len(group.sets)}.",
                )
            )
        elif not group.sets:
            # No code of AK905 says it: GE01 is right.
            message = "The functional group holds no transaction set: it needs at least one, or must be left out."
            group.findings.append(_group("22", "GS", message))
        if number != group.control_number:
            group.findings.append(_group("4", "GE", "GE02 must repeat the group control number in GS06."))
        group.complete = True
        self.group = None

    def end_interchange(self, interchange: Interchange, elements: Sequence[str]) -> None:
        if self.group is not None:
            self.group.findings.append(_group("3", "GE", "The functional group has no GE trailer."))
            self.group = None
        interchange.trailer = tuple(elements)
        count, number = (*elements, "", "")[:2]
        groups, counted = len(interchange.groups), number_of(count)
        if counted != groups:
            message = f"IEA01 must be the number of functional groups, which is {groups}."
            # Who sends a TA1 alone often counts it as a group.
            alone = counted == 1 and not groups and interchange.acknowledgements
            interchange.findings.append(
                interchange_finding("021", "IEA", message, severity="warning" if alone else "error")
            )
        if number != interchange.control_number:
            interchange.findings.append(
                interchange_finding("001", "IEA", "IEA02 must repeat the interchange control number in ISA13.")
            )
        interchange.complete = True

    def stray(self, interchange: Interchange) -> None:
        """A segment that belongs to nothing. Only the first of a run is told: a file may have no GS at all."""
        if self.strayed:
            return
        self.strayed = True
        if self.group is not None:
            message = "One or more segments stand between transaction sets: they belong to none."
            self.group.findings.append(_group("22", "GS", message))
        else:
            message = "One or more segments stand outside any functional group: a GS must precede them."
            interchange.findings.append(interchange_finding("024", "", message))


def _order(finding: Finding) -> tuple[int, int, str]:
    """In file order; at one place what is plainer first."""
    return finding.position or 0, finding.level, finding.rule or ""


# Where the second segment of a set tells the day it is of: BHT04, or the day of payment.
_DAY_AT = {"BHT": 4, "BPR": 16}


def _day(group: Group | None, second: Sequence[str]) -> str:
    """The day that a set is of, as CCYYMMDD: what its second segment tells, else the group's (GS04); "" where neither does."""
    at = _DAY_AT.get(second[0], len(second))
    told = (*second[at : at + 1], group.elements[3] if group is not None else "")
    return next((day for day in told if period_is_valid("D8", day)), "")


def _tell(interchange: Interchange, found: Sequence[Finding]) -> None:
    """What is wrong with one of many headers, unless so much is told of them that more would help nobody."""
    if len(interchange.findings) < FINDINGS_MAX:
        interchange.findings += found


def _group(code: str, segment: str, message: str) -> Finding:
    return Finding(1, "group", code, message, segment=segment)


def stream(
    source: Iterable[bytes] | bytes,
    *,
    levels: Iterable[int] = LEVELS,
    lists: Lists | None = None,
    companions: Sequence[str] = (),
    keep: bool = True,
    usage: str | None = None,
) -> Iterator[TransactionSet | Interchange]:
    """Each transaction set as soon as it is complete, each interchange after its last one, in file order.

    What belongs to no interchange comes as one last Interchange without elements that only has findings. `levels` are the SNIP
    levels to judge, `lists` the code lists of level 5 where they are not those that come along. `companions` are the patches of
    companion guides (`x12.guides.patch`) that apply, each to the sets of its guide, and the texts of payers' rules
    (`x12.situations`): what they ask for is judged at level 7. `usage` is the ISA15 to judge for, where it is not the file's own.
    With `keep=False` the sets come without segments, and an interchange keeps of them what a 999 tells: memory does not grow
    with the file, however long one set is. Raises GuideError when a companion is wrong.
    """
    judgement, patches = judgement_of(levels, lists, companions)
    reader = _Reader(judgement, keep=keep, companions=patches, usage=usage)
    stray: list[Finding] = []
    for run in runs(source):
        yield from reader.run(run)
        if reader.interchange is None:
            stray += run.findings
    yield from reader.finish()
    if stray:
        nothing = Interchange((), Delimiters("*", ":", "^", "~"))
        nothing.findings += stray
        yield nothing


def read(
    source: Iterable[bytes] | bytes,
    *,
    levels: Iterable[int] = LEVELS,
    lists: Lists | None = None,
    companions: Sequence[str] = (),
    usage: str | None = None,
) -> list[Interchange]:
    """Every interchange of a file with its groups, transaction sets and findings; what is judged is said as for `stream`."""
    parts = stream(source, levels=levels, lists=lists, companions=companions, usage=usage)
    return [part for part in parts if isinstance(part, Interchange)]
