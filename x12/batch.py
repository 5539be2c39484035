"""Takes 837 transaction sets apart into claims, each a set of its own, and puts claims together into sets again.

A claim on its own is a whole transaction set with one loop 2300, in canonical separators, so that it can be judged, read
and kept by itself. Putting together shares the levels that claims have in common and numbers them anew; the claims' own
segments are not touched.

Source: 005010X222A1, with which X223A2 and X224A2 agree (levels 2000A to 2000C; at most 5,000 claims in one transaction set).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from x12.envelope import TransactionSet
from x12.syntax import CANONICAL, Delimiters, translate
from x12.walk import Instance

__all__ = ["CLAIMS_MAX", "assemble", "claims_of", "with_reference"]

CLAIMS_MAX = 5_000
_E = CANONICAL.element
_LEVELS = {"20": 0, "22": 1, "23": 2}
_BEFORE_REF = ("CLM", "DTP", "CL1", "DN1", "DN2", "PWK", "CN1", "AMT", "REF")


def _flat(instance: Instance) -> Iterator[str]:
    for _, raw in instance.segments:
        yield raw
    for child in instance.children:
        yield from _flat(child)


def _level(instance: Instance, *names: str) -> list[str]:
    """A level's own segments and its name loops, without the levels and claims below it."""
    lines = [raw for _, raw in instance.segments]
    for child in instance.inside(*names):
        lines += _flat(child)
    return lines


def claims_of(received: TransactionSet) -> list[list[str]]:
    """Every claim of a walked 837 as a transaction set of its own: canonical segments, levels numbered from 1.

    ST02 and SE01 are made right; everything else is as received. A set without a guide has no claims.
    """
    if received.guide is None:
        return []
    root = received.tree()
    head = [raw for segment, raw in root.segments if segment.id in ("ST", "BHT")]
    for name in root.inside("1000A", "1000B"):
        head += _flat(name)
    made: list[list[str]] = []
    for billing in root.inside("2000A"):
        for subscriber in billing.inside("2000B"):
            for level, patient in ((subscriber, None), *((p, p) for p in subscriber.inside("2000C"))):
                made += (
                    _claim(received.delimiters, head, billing, subscriber, patient, claim)
                    for claim in level.inside("2300")
                )
    return made


def _claim(
    delimiters: Delimiters,
    head: list[str],
    billing: Instance,
    subscriber: Instance,
    patient: Instance | None,
    claim: Instance,
) -> list[str]:
    lines = [*head, *_level(billing, "2010AA", "2010AB", "2010AC"), *_level(subscriber, "2010BA", "2010BB")]
    if patient is not None:
        lines += _level(patient, "2010CA")
    lines += _flat(claim)
    return _finished([translate(line, delimiters, CANONICAL) for line in lines], "0001")


def _finished(lines: list[str], control_number: str) -> list[str]:
    """Number the levels, set HL04, ST02 and SE."""
    open_levels = ["", "", ""]
    count = 0
    kinds = [_LEVELS.get(line.split(_E)[3], 0) for line in lines if line.startswith(f"HL{_E}")]
    has_child = [after > here for here, after in pairwise([*kinds, 0])]
    for index, line in enumerate(lines):
        if line.startswith(f"HL{_E}"):
            kind = kinds[count]
            child = "1" if has_child[count] else "0"
            count += 1
            open_levels[kind] = str(count)
            lines[index] = _E.join(("HL", str(count), open_levels[kind - 1] if kind else "", line.split(_E)[3], child))
    first = lines[0].split(_E)
    lines[0] = _E.join((*first[:2], control_number, *first[3:]))
    lines.append(_E.join(("SE", str(len(lines) + 1), control_number)))
    return lines


def with_reference(claim: Sequence[str], qualifier: str, value: str) -> list[str]:
    """The claim with this REF in loop 2300, in place of one with the same qualifier, else after the last REF's place."""
    start = next(i for i, line in enumerate(claim) if line.startswith(f"CLM{_E}"))
    new = _E.join(("REF", qualifier, value))
    end = start
    while end < len(claim) and claim[end].split(_E, 1)[0] in _BEFORE_REF:
        if claim[end].startswith(f"REF{_E}{qualifier}{_E}"):
            return [*claim[:end], new, *claim[end + 1 :]]
        end += 1
    lines = [*claim[:end], new, *claim[end:]]
    trailer = lines[-1].split(_E)
    lines[-1] = _E.join((trailer[0], str(len(lines)), trailer[2]))
    return lines


def assemble(
    claims: Sequence[Sequence[str]], reference: str, date: str, time: str, first_control_number: int = 1
) -> list[tuple[list[str], list[int]]]:
    """Transaction sets that hold the claims, and for each set the indexes of its claims, in order.

    Claims with the same submitter and receiver share a set, those with the same billing provider, subscriber and patient
    share their levels. BHT03 is `reference` with the set's number, BHT04 and BHT05 are `date` (CCYYMMDD) and `time` (HHMM).
    """
    by_head: dict[tuple[str, ...], list[int]] = {}
    parts = [_parts(claim) for claim in claims]
    for index, (head, *_) in enumerate(parts):
        by_head.setdefault(tuple(_without_header(head)), []).append(index)
    sets: list[tuple[list[str], list[int]]] = []
    for indexes in by_head.values():
        ranks = _sharing(parts, indexes)
        for start in range(0, len(indexes), CLAIMS_MAX):
            chosen = sorted(indexes[start : start + CLAIMS_MAX], key=ranks.__getitem__)
            number = f"{first_control_number + len(sets):04d}"
            head = list(parts[chosen[0]][0])
            header = head[1].split(_E)
            head[1] = _E.join((*header[:3], f"{reference}{len(sets) or ''}", date, time, *header[6:]))
            sets.append((_finished(head + _body(parts, chosen), number), chosen))
    return sets


Parts = tuple[list[str], list[str], list[str], list[str], list[str]]


def _parts(claim: Sequence[str]) -> Parts:
    """(header, billing level, subscriber level, patient level, claim) of a claim on its own."""
    parts: Parts = ([], [], [], [], [])
    at = 0
    for line in claim:
        if line.startswith(f"HL{_E}"):
            at = 1 + _LEVELS.get(line.split(_E)[3], 0)
            line = _E.join(("HL", "", "", line.split(_E)[3]))
        elif line.startswith(f"CLM{_E}"):
            at = 4
        elif line.startswith(f"SE{_E}"):
            break
        parts[at].append(line)
    return parts


def _without_header(head: Sequence[str]) -> list[str]:
    """ST and BHT aside, but for ST03 and BHT06, which a set's claims must have in common."""
    return [head[0].split(_E)[3], head[1].rsplit(_E, 1)[1], *head[2:]]


def _sharing(parts: Sequence[Parts], indexes: Sequence[int]) -> dict[int, tuple[int, int, int, int]]:
    """Sort keys that bring claims with common levels together, otherwise in the order of arrival."""
    first: dict[tuple[str, ...], int] = {}

    def seen(*levels: list[str]) -> int:
        return first.setdefault(tuple(line for level in levels for line in level), len(first))

    return {i: (seen(parts[i][1]), seen(parts[i][1], parts[i][2]), seen(*parts[i][1:4]), i) for i in indexes}


def _body(parts: Sequence[Parts], chosen: Sequence[int]) -> list[str]:
    lines: list[str] = []
    before: tuple[list[str], ...] = ([], [], [])
    for index in chosen:
        levels = parts[index][1:4]
        fresh = False
        for now, last in zip(levels, before, strict=True):
            fresh = fresh or now != last
            if fresh:
                lines += now
        lines += parts[index][4]
        before = levels
    return lines
