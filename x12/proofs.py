"""One regular expression for a loop and the loops that begin inside it; a match proves its segments clean.

Walking segment by segment costs more than the patterns themselves do. A loop that occurs often therefore gets one pattern out of
the segments that the file has been seen to use, in the guide's order, each of which may be absent. How far it matches, the segments are
clean; what they come to is then decided by few of their values: those that rules look at, qualifiers that choose a place, and
which segments are there. The first time that these values come together the segments are walked to find out (`Walk.rehearse`), and the
`Passage` is remembered by them. What differs from claim to claim, such as amounts, codes and numbers of levels, is asked each time by a
function written as source, as `dataclasses` does it: into the source go numbers and names of its own, nothing of the content. From one
proved loop to the next lead remembered ways (`x12.ways`).

What is not proved, or by a passage not clean, is walked segment by segment as ever, so a proof changes how long judging takes and
nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from x12.guides import Loop, Segment
from x12.numbering import is_measured
from x12.patterns import segment_source

if TYPE_CHECKING:
    from x12.balancing import Entry
    from x12.codes.checking import CodePlace, Known
    from x12.situations.facts import Watcher
    from x12.table import Meaning, Node, Scope, Table
    from x12.walk import Walk

__all__ = ["Frame", "Passage", "Proof", "prove"]

# A pattern of so many segments is as long as one should be.
_PIECES_MAX = 40
# A segment that comes in a row more often than this is walked from there on.
_COPIES_MAX = 4
# Segments whose whole text comes again and again.
_DATES = ("DTM", "DTP")
# Elements from this one on are often not there: where there are some of them to ask for, it is only done where a segment reaches them.
_FAR, _FAR_MIN = 5, 3
# Beyond the elements that any segment has.
_NOWHERE = 1 << 10
# How many passages, and facts of one segment, are remembered before all are forgotten.
_MEMORY_ENTRIES = 2048
_TEXT_MAX = 160
_numbers = count()
_Value = TypeVar("_Value")


class Frame(NamedTuple):
    """An open loop: what it has seen, how often, its facts and those around it, and how many segments behind the first it began."""

    scope: Scope
    seen: int
    counts: dict[int, int] | None
    facts: int
    around: int
    offset: int


class Passage:
    """What some segments come to, the first of which begins a loop: their places, and the loops that are open behind them.

    `frames` are that loop and those that were entered in it, outermost first. `offsets` says of each piece of the proof how many segments
    are before it, `marks` of each frame where it began and how often its inner loops came. Two are the same only where they are one.
    """

    __slots__ = ("frames", "marks", "nodes", "offsets", "plain", "size")

    def __init__(self, nodes: list[Node], frames: tuple[Frame, ...], offsets: tuple[int, ...]) -> None:
        self.nodes = nodes
        self.size = len(nodes)
        self.frames = frames
        self.offsets = offsets
        self.marks = tuple((frame.offset, frame.counts) for frame in frames)
        # One loop was entered, and nothing in it is counted.
        self.plain = self.marks == ((0, None),)


# (walk, match, position of the first segment) -> what the segments come to; None where they must be walked.
Read = Callable[["Walk", re.Match[str], int], "Passage | None"]


class _Piece(NamedTuple):
    """The part of a proof that one segment of the guide may fill; `prefix` begins the names of its groups.

    `there` is a group that is there where the segment is. `far` is the first of the elements that are only asked for where a segment
    reaches it.
    """

    node: Node
    meaning: Meaning
    prefix: str
    asked: Mapping[int, frozenset[str]]
    source: str
    there: str
    far: int


class Proof:
    """`match` finds the segments at an offset of the file's text; `read` tells what they come to, and does what they mean.

    `met` is how many of the guide's segments were known when it was made. Nothing is done where `read` gives None.
    """

    __slots__ = ("_pieces", "_table", "_there", "known", "match", "met", "read")

    def __init__(self, pieces: Sequence[_Piece], table: Table) -> None:
        self._pieces = pieces
        self._table = table
        self.met = len(table.nodes)
        self.known = [p.node for p in pieces]
        end = re.escape(table.delimiters.segment)
        first, *others = pieces
        source = f"{first.source}{end}" + "".join(f"(?:{p.source}{end}|)" for p in others)
        pattern = re.compile(source)
        self.match = pattern.match
        # The groups that are there where a piece is.
        self._there = [0, *(pattern.groupindex[p.there] for p in others)]
        self.read = _Source(self, pieces, table, pattern.groupindex).read()

    def rows(self, match: re.Match[str]) -> dict[int, str]:
        """The raw segments of a match, by the number of their piece."""
        there = [number for number, group in enumerate(self._there) if match[group] is not None]
        return dict(zip(there, match[0].split(self._table.delimiters.segment), strict=False))

    def rehearsed(self, walk: Walk, match: re.Match[str]) -> Passage | None:
        """What walking the segments of a match comes to; None where that is not decided by what a proof looks at."""
        rows = self.rows(match)
        offsets = {number: offset for offset, number in enumerate(rows)}
        nodes = [self._pieces[number].node for number in rows]
        return walk.rehearse(nodes, list(rows.values()), tuple(offsets.get(n, 0) for n in range(len(self._pieces))))


def prove(loop: Loop, table: Table, walked: Sequence[Node | None], before: Proof | None = None) -> Proof | None:
    """The proof of a loop out of the segments met so far; the one before where that is made of the same.

    None where there is nothing to prove. `walked` are places of some segments that were walked, to see how they repeat.
    """
    for node, run in groupby(walked):
        if node is not None:
            node.most = max(node.most, sum(1 for _ in run))
    nodes: list[Node] = []
    _gather(loop, table, nodes, inner=False)
    if before is not None and before.known == nodes:
        before.met = len(table.nodes)
        return before
    pieces: list[_Piece] = []
    for number, node in enumerate(nodes):
        piece = _piece(node, table, f"n{number}")
        if piece is None:
            break
        pieces.append(piece)
    return Proof(pieces, table) if pieces else None


def _gather(loop: Loop, table: Table, found: list[Node], *, inner: bool) -> bool:
    """The places of a loop and of those that begin inside it, as far as one pattern may go; tells whether it may go on."""
    own = [child for child in loop.children if isinstance(child, Segment)]
    for child in loop.children:
        first = child.first if isinstance(child, Loop) else child
        node = table.nodes.get(first.index)
        if node is None:
            continue
        if isinstance(child, Loop):
            scope = node.scope
            # What happens when it ends, and texts that are compared in it, are asked of the loop that a proof is for.
            if scope.close is not None or scope.compares or not _gather(child, table, found, inner=True):
                return False
            continue
        if any(_alike(child, other) for other in own if other is not child) or (inner and _is_dated(node, table)):
            return False
        found += [node] * (1 if child.opens else min(child.repeat, node.most, _COPIES_MAX))
        if len(found) >= _PIECES_MAX:
            return False
    return True


def _is_dated(node: Node, table: Table) -> bool:
    """Whether what the segment means is about the loop that it stands in."""
    meaning = table.meaning(node.segment)
    return meaning.kept is not None or meaning.entry is not None or meaning.tell is not None


def _alike(one: Segment, other: Segment) -> bool:
    """Whether a segment may fill either place, so that the walk has to decide."""
    if one.id != other.id:
        return False
    first, second = one.qualifier, other.qualifier
    if first is None or second is None:
        return True
    return not (first.codes or frozenset()).isdisjoint(second.codes or ())


def _piece(node: Node, table: Table, prefix: str) -> _Piece | None:
    segment, meaning = node.segment, table.meaning(node.segment)
    if segment.usage == "N" or is_measured(segment):
        return None
    asked: dict[int, set[str]] = {}

    def ask(element: int, what: str) -> None:
        asked.setdefault(element, set()).add(what)

    if (at := table.deciding_qualifier(segment)) is not None:
        if at == 0:
            return None
        ask(at, "text")
    if meaning.facts is not None:
        for element, part in meaning.facts.parts:
            ask(element, part)
    for place in meaning.places:
        ask(place.element.position, "text")
        if place.chosen_by_before:
            ask(place.element.position - 1, "text")
    for element in meaning.entry.elements if meaning.entry is not None else ():
        ask(element, "text")
    if meaning.tell is not None and meaning.tell.element:
        ask(meaning.tell.element, "text")
    if meaning.kept is not None and meaning.kept > _always(segment):
        ask(meaning.kept, "reached")
    if segment.id == "HL":
        ask(1, "text")
        ask(2, "text")
    elif segment.id == "LX":
        ask(1, "text")
    far = [e for e in asked if e >= _FAR and "text" in asked[e] and not _decides(meaning, e)]
    if len(far) >= _FAR_MIN:
        ask(min(far), "reached")
    # What the guide forbids or does not have is never there.
    used = {e.position for e in segment.elements if e.usage != "N"}
    fit = {element: frozenset(what) for element, what in asked.items() if element in used}
    source = segment_source(segment, table.delimiters, prefix, fit)
    if source is None:
        return None
    always = [e.position for e in segment.elements if e.usage == "R" and "text" in fit.get(e.position, ())]
    there = f"t{prefix}_{always[0]}" if always else f"p{prefix}"
    if meaning.kept is not None or (meaning.tell is not None and not meaning.tell.element):
        there = f"r{prefix}"
        source = f"(?P<{there}>{source})"
    elif not always:
        source = f"(?P<{there}>){source}"
    return _Piece(
        node, meaning, prefix, fit, source, there, min(far) if len(far) >= _FAR_MIN else len(segment.elements) + 1
    )


def _decides(meaning: Meaning, element: int) -> bool:
    """Whether the text of an element is a fact, which is always asked for."""
    return meaning.facts is not None and (element, "text") in meaning.facts.parts


def _is_far(piece: _Piece, element: int) -> bool:
    return element >= piece.far and not _decides(piece.meaning, element)


class _Source:
    """Writes the function that reads a match."""

    def __init__(self, proof: Proof, pieces: Sequence[_Piece], table: Table, groups: Mapping[str, int]) -> None:
        self.pieces = pieces
        self.table = table
        self.groups = groups
        self.used: dict[str, int] = {}
        self.distant: dict[str, int] = {}
        self.places: list[tuple[str, CodePlace]] = []
        self.levels: dict[int, str] = {}
        self.counts_lines = False
        self.names: dict[str, Any] = {
            "number": next(_numbers),
            "passages": {},
            "proof": proof,
            "separator": table.delimiters.element,
            "remember": _remember,
            "Decimal": Decimal,
        }

    def name(self, kind: str, piece: _Piece, element: int | None = None) -> str:
        """The variable of a group; "None" where the pattern has no such group."""
        name = f"{kind}{piece.prefix}" + (f"_{element}" if element else "")
        if name not in self.groups:
            return "None"
        used = self.distant if kind == "t" and element is not None and _is_far(piece, element) else self.used
        used[name] = self.groups[name]
        return name

    def there(self, number: int) -> str:
        """What tells whether a piece is there."""
        return "True" if number == 0 else f"{self.sign(self.pieces[number])} is not None"

    def sign(self, piece: _Piece) -> str:
        """The variable of the group that is there where a piece is."""
        self.used[piece.there] = self.groups[piece.there]
        return piece.there

    def read(self) -> Read:
        """The function: first all that may fail, then what the segments mean."""
        asked: list[str] = []
        key: list[str] = ["walk.around"] if self.pieces[0].node.scope.outlook else []
        numbered: list[str] = []
        done: list[str] = []
        for number, piece in enumerate(self.pieces):
            asked += self._codes(piece)
            facts, lines = self._facts(number, piece)
            asked += lines
            key += facts
            if (at := self.table.deciding_qualifier(piece.node.segment)) and self.name("t", piece, at) not in key:
                key.append(self.name("t", piece, at))
            if number and piece.there not in key and f"b{piece.prefix}" not in key:
                key.append(piece.there if piece.there[0] == "p" else self.there(number))
                self.sign(piece)
            check, commit = self._numbers(number, piece)
            numbered += check
            done += [*commit, *self._means(number, piece)]
        lines = [
            *self._sets(),
            *asked,
            f"key = ({', '.join(dict.fromkeys(key))},)" if key else "key = ()",
            "passage = passages.get(key)",
            "if not passage:",
            " if passage is None: passage = remember(passages, key, proof.rehearsed(walk, match) or False)",
            " if not passage: return None",
            *numbered,
            *(["sums = walk.sums"] if any("sums." in line for line in done) else []),
            *(["service = walk.service"] if any("service " in line for line in done) else []),
            *done,
            "return passage",
        ]
        self.names["used"] = tuple(self.used.values())
        told = [f"{', '.join(self.used)} = match.group(*used)"] if self.used else []
        exec("\n ".join(["def read(walk, match, at):", *told, *lines]), self.names)  # noqa: S102 - see above
        return self.names["read"]

    def _sets(self) -> list[str]:
        """The sets of codes that are known to be good, all at once."""
        if not self.places:
            return []
        places = [place for _, place in self.places]

        def choose(known: Known, number: int) -> tuple[set[str], ...]:
            chosen = known.chosen[number] = tuple(place.good(known) for place in places)
            return chosen

        self.names["choose"] = choose
        return [
            f"{', '.join(name for name, _ in self.places)}, = walk.known.chosen.get(number) or choose(walk.known, number)"
        ]

    def _codes(self, piece: _Piece) -> list[str]:
        """What asks for the codes of a segment; those that are far are fetched for it, for the sums too."""
        lines: list[str] = []
        distant: list[str] = []
        self.distant.clear()
        for place in piece.meaning.places:
            (distant if place.element.position >= piece.far else lines).extend(self._code(piece, place))
        for element in piece.meaning.entry.elements if piece.meaning.entry is not None else ():
            self.name("t", piece, element)
        if self.distant:
            numbers = ", ".join(str(n) for n in self.distant.values())
            fetch = f"{', '.join(self.distant)} = match.group({numbers})"
            lines.append(f"if {self.name('f', piece, piece.far)} is not None:")
            lines += [f" {line}" for line in (fetch, *distant)]
        return lines

    def _code(self, piece: _Piece, place: CodePlace) -> list[str]:
        at, asker = place.element.position, f"c{piece.prefix}_{place.element.position}"
        text = self.name("t", piece, at)
        if text == "None":
            return []
        self.names[asker] = place
        before = self.name("t", piece, at - 1) if place.chosen_by_before else "None"
        if place.chosen_by_before and not place.only:
            return [f"if {text} is not None and not {asker}.passes(walk, {before}, {text}): return None"]
        good = next((name for name, other in self.places if other.number == place.number), "")
        if not good:
            good = f"k{len(self.places)}"
            self.places.append((good, place))
        condition = f"{before} == {place.only!r} and " if place.only else ""
        if place.element.usage != "R" or place.only or piece is not self.pieces[0]:
            condition += f"{text} is not None and "
        asking = f"{asker}.admits(walk, {before} or '', {text}, {good})"
        return [f"if {condition}{text} not in {good} and not {asking}: return None"]

    def _facts(self, number: int, piece: _Piece) -> tuple[list[str], list[str]]:
        """What decides a segment's facts, as parts of the key: the values, or the facts where there are too many of those."""
        watcher = piece.meaning.facts
        if watcher is None:
            return [], []
        parts: list[str] = []
        if piece.node.segment.id in _DATES and piece.there[0] == "r":
            return self._facts_by(number, piece, watcher, self.sign(piece))
        for element, part in watcher.parts:
            kinds = {"text": "t", "there": "h", "sign": "mz"}[part]
            parts += [name for kind in kinds if (name := self.name(kind, piece, element)) != "None"]
        if not any(part == "text" and _is_open(piece.node.segment, element) for element, part in watcher.parts):
            return parts, []
        return self._facts_by(number, piece, watcher, parts[0] if len(parts) == 1 else f"({', '.join(parts)})")

    def _facts_by(self, number: int, piece: _Piece, watcher: Watcher, value: str) -> tuple[list[str], list[str]]:
        variable, known = f"b{piece.prefix}", f"known{piece.prefix}"
        self.names[known] = {}
        self.names[f"facts{piece.prefix}"] = _of_piece(
            watcher, number, self.names["proof"], self.names[known], self.names["separator"]
        )
        lines = [
            f"{variable} = {known}.get({value})",
            f"if {variable} is None: {variable} = facts{piece.prefix}(match, {value})",
        ]
        if number:
            lines = [f"if {self.sign(piece)} is None: {variable} = None", "else:", *(f" {line}" for line in lines)]
        return [variable], lines

    def _numbers(self, number: int, piece: _Piece) -> tuple[list[str], list[str]]:
        """Levels and service lines count from 1: what asks for it, and what counts on (see `x12.numbering`)."""
        segment = piece.node.segment
        own = self.name("t", piece, 1) if segment.id in ("HL", "LX") else ""
        if segment.id == "HL":
            above, here = id(segment.loop.parent), id(segment.loop)
            parent = self.name("t", piece, 2)
            expected = self.levels.get(above) or f"walk.open_levels.get({above}, {parent})"
            self.levels[here] = own
            begin = [] if len(self.levels) > 1 else ["levels = walk.levels"]
            step = ["levels += 1", f"if {own} != str(levels): return None"]
            if parent != "None":
                step += [f"if {parent} and {parent} != {expected}: return None"]
            commit = [f"walk.open_levels[{here}] = {own}", "walk.levels = levels"]
            if number:
                step = [f"if {self.there(number)}:", *(f" {line}" for line in step)]
                commit = [f"if {self.there(number)}: {commit[0]}", commit[1]]
            return [*begin, *step], commit
        if self.table.guide.set_id != "837" or segment.id not in ("CLM", "LX"):
            return [], []
        begin = [] if self.counts_lines else ["lines = walk.lines"]
        self.counts_lines = True
        step = ["lines = 0"] if segment.id == "CLM" else ["lines += 1", f"if {own} != str(lines): return None"]
        if number:
            step = [f"if {self.there(number)}:", *(f" {line}" for line in step)]
        return [*begin, *step], ["walk.lines = lines"]

    def _means(self, number: int, piece: _Piece) -> list[str]:
        """What is done with a segment: its text is kept, days of service are told, amounts are entered."""
        meaning = piece.meaning
        lines: list[str] = []
        if (tell := meaning.tell) is not None:
            text = self.name("t", piece, tell.element) if tell.element else self.name("r", piece)
            lines += [f"if service is not None: {tell.line.format(at='at', text=text)}"]
        if meaning.kept is not None:
            lines += self._keeps(piece, meaning.kept)
        if meaning.entry is not None:
            lines += self._enters(number, piece, meaning.entry)
        if number and lines:
            lines = [f"if {self.there(number)}:", *(f" {line}" for line in lines)]
        return lines

    def _keeps(self, piece: _Piece, kept: int) -> list[str]:
        """The text is kept where the segment reaches the element from which on it is looked at."""
        index, raw = piece.node.segment.index, f"match[{self.groups[f'r{piece.prefix}']}]"
        if kept <= _always(piece.node.segment):
            return [f"walk.texts[{index}] = {raw}"]
        reached = self.name("f", piece, kept)
        test = f"{reached} is not None" if reached != "None" else f"{raw}.count(separator) >= {kept}"
        return [f"if {test}: walk.texts[{index}] = {raw}", f"elif walk.texts: walk.texts.pop({index}, None)"]

    def _enters(self, number: int, piece: _Piece, entry: Entry) -> list[str]:
        """Amounts are entered: those that are near, or all of them where the segment reaches the others."""
        position = f"at + passage.offsets[{number}]" if number else "at"
        near, far = (
            self._entered(piece, entry, [e for e in entry.elements if e < reach], position)
            for reach in (piece.far, _NOWHERE)
        )
        if near == far:
            return near
        reached = f"{self.name('f', piece, piece.far)} is None"
        return [f"if {reached}:", *(f" {line}" for line in near), "else:", *(f" {line}" for line in far)]

    def _entered(self, piece: _Piece, entry: Entry, elements: Sequence[int], position: str) -> list[str]:
        names = [self.name("t", piece, e) for e in elements]
        there = all(piece.node.segment.elements[e - 1].usage == "R" for e in elements[: entry.near])
        if entry.lines and there and len(elements) == entry.near + entry.kept:
            return [line.format(*names, at=position) for line in entry.lines]
        return [f"sums.{entry.method}({', '.join((position, 'True', *names))})"]


def _always(segment: Segment) -> int:
    """The element that a segment reaches in any case."""
    return max((e.position for e in segment.elements if e.usage == "R"), default=0)


def _is_open(segment: Segment, element: int) -> bool:
    """Whether an element has more values than the guide lists."""
    at = segment.elements[element - 1]
    return at.codes is None or at.external is not None or bool(at.components) or at.repeat > 1


def _of_piece(
    watcher: Watcher, number: int, proof: Proof, known: dict[object, int], separator: str
) -> Callable[[re.Match[str], object], int]:
    """What finds the facts of a segment whose values are not known yet."""

    def facts(match: re.Match[str], value: object) -> int:
        raw = proof.rows(match)[number]
        found = watcher(raw.split(separator))
        if len(raw) <= _TEXT_MAX:
            _remember(known, value, found)
        return found

    return facts


def _remember(known: dict[object, _Value], key: object, value: _Value) -> _Value:
    if len(known) >= _MEMORY_ENTRIES:
        known.clear()
    known[key] = value
    return value
