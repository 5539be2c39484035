"""The acknowledgements of a received interchange, as `claimwire x12 ack` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.world import SystemWorld
from x12.acknowledge import acknowledgement, addressed, answer_999, answer_ta1, sealed
from x12.claim_acknowledgement import Acknowledger, acknowledge_claims
from x12.claim_judgement import taken_in_parts
from x12.documents.parts import Header
from x12.envelope import Group, Interchange
from x12.syntax import CANONICAL, InterchangeHeader

__all__ = ["Wanted", "answers"]

_E = CANONICAL.element
_GAP = "\n"
_ACKNOWLEDGING = "FA"
_CLAIMS = "HC"


class Wanted(NamedTuple):
    """Which acknowledgements are asked for; none of them leaves it to X12: TA1 where it is due, a 999 for each group."""

    ta1: bool = False
    implementation: bool = False
    claims: bool = False


def answers(received: Interchange, wanted: Wanted, control_number: int) -> Iterator[tuple[str, int]]:
    """(interchange, number of its groups) of what answers one that was received; its sets kept their segments for a 277CA.

    With a 277CA, the 999 leaves to it what is wrong with single claims.
    """
    now = SystemWorld().now()
    header = addressed(received, f"{now:%y%m%d}", f"{now:%H%M}", control_number)
    if not any(wanted):
        if text := acknowledgement(received, header, control_number, gap=_GAP):
            yield text, len(received.groups)
        return
    groups = [] if not received.accepted else [g for g in received.groups if g.functional_id != _ACKNOWLEDGING]
    made = _first(groups, header, wanted, control_number) if wanted.implementation else []
    if wanted.ta1:
        made.insert(0, answer_ta1(received))
    if made:
        count = len(groups) if wanted.implementation else 0
        made.append(_E.join(("IEA", str(count), f"{control_number:09d}")))
        yield sealed(made, header, _GAP), count
        control_number += max(count, 1)
    claims = [g for g in groups if g.functional_id == _CLAIMS] if wanted.claims else []
    body = [line for n, g in enumerate(claims) for line in _report(received, g, header, control_number + n)]
    if body:
        header = addressed(received, f"{now:%y%m%d}", f"{now:%H%M}", control_number)
        count = sum(line.startswith(f"GS{_E}") for line in body)
        body.append(_E.join(("IEA", str(count), f"{control_number:09d}")))
        yield sealed(body, header, _GAP), count


def _first(groups: list[Group], header: InterchangeHeader, wanted: Wanted, control_number: int) -> list[str]:
    """A group with a 999 for each group received."""
    made: list[str] = []
    for number, group in enumerate(groups, control_number):
        segments = answer_999(group, taken=taken_in_parts) if wanted.claims else answer_999(group)
        made += _grouped(("FA", "005010X231A1"), [segments], header, number)
    return made


def _report(received: Interchange, group: Group, header: InterchangeHeader, number: int) -> list[str]:
    """A group with a 277CA for each set of claims that is taken at all."""
    source = Acknowledger(received.receiver, received.receiver)
    date = f"20{header.date}"
    made = [
        acknowledge_claims(
            one, source, Header(f"{index:04d}", f"{date}{header.time}{number}{index}", date, header.time)
        )
        for index, one in enumerate((s for s in group.sets if s.guide is not None and s.set_id == "837"), 1)
    ]
    return _grouped(("HN", "005010X214"), [m.segments for m in made], header, number) if made else []


def _grouped(kind: tuple[str, str], sets: list[list[str]], header: InterchangeHeader, number: int) -> list[str]:
    group_id, guide_id = kind
    parties = (header.sender, header.receiver, f"20{header.date}", header.time, str(number), "X", guide_id)
    return [
        _E.join(("GS", group_id, *parties)),
        *(line for segments in sets for line in segments),
        _E.join(("GE", str(len(sets)), str(number))),
    ]
