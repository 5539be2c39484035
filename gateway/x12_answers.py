"""The acknowledgements of a received interchange, as `claimwire x12 ack` writes them and submissions get them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.world import SystemWorld
from x12.acknowledge import acknowledgement, addressed, answer_999, answer_ta1, sealed
from x12.claim_acknowledgement import Acknowledger, Numbers, acknowledge_claims
from x12.claim_judgement import Judgements, judge_claims, taken_in_parts
from x12.documents.parts import Header
from x12.envelope import Group, Interchange, TransactionSet
from x12.syntax import CANONICAL, InterchangeHeader

__all__ = ["Answering", "Reported", "Wanted", "acknowledgements", "answers", "claim_report"]

_E = CANONICAL.element
_GAP = "\n"
_ACKNOWLEDGING = "FA"
_CLAIMS = "HC"


class Wanted(NamedTuple):
    """Which acknowledgements are asked for; none of them leaves it to X12: TA1 where it is due, a 999 for each group."""

    ta1: bool = False
    implementation: bool = False
    claims: bool = False


class Answering(NamedTuple):
    """When an answer is made: date (CCYYMMDD) and time (HHMM)."""

    date: str
    time: str


class Reported(NamedTuple):
    """A set of claims to be told of, as it was judged, and what its claims are called here, by their index."""

    received: TransactionSet
    judged: Judgements
    numbers: Mapping[int, Numbers]


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
    claims = [s for g in groups if g.functional_id == _CLAIMS for s in g.sets] if wanted.claims else []
    told = [Reported(s, judge_claims(s), {}) for s in claims if s.guide is not None and s.set_id == "837"]
    if told:
        yield claim_report(received, told, Answering(f"{now:%Y%m%d}", f"{now:%H%M}"), control_number)


def _first(groups: list[Group], header: InterchangeHeader, wanted: Wanted, control_number: int) -> list[str]:
    """A group with a 999 for each group received."""
    made: list[str] = []
    for number, group in enumerate(groups, control_number):
        segments = answer_999(group, taken=taken_in_parts) if wanted.claims else answer_999(group)
        made += _grouped(("FA", "005010X231A1"), [segments], header, number)
    return made


def acknowledgements(
    received: Sequence[Interchange],
    answering: Answering,
    taken: Callable[[TransactionSet], bool] | None = None,
    control_number: int = 1,
) -> str | None:
    """TA1 and 999 for what came in, an interchange for each received one; None for what was none at all.

    `control_number` is the first of those that are used: an interchange uses as many as it has groups, at least one.
    """
    answers: list[str] = []
    for one in (i for i in received if i.elements[5]):
        header = addressed(one, answering.date[2:], answering.time, control_number)
        answers.append(acknowledgement(one, header, control_number, taken=taken or _accepted))
        control_number += max(len(one.groups), 1)
    return "".join(answers) or None


def _accepted(received: TransactionSet) -> bool:
    return received.accepted


def claim_report(
    received: Interchange, told: Sequence[Reported], answering: Answering, control_number: int
) -> tuple[str, int]:
    """An interchange with a group for each group of claims received, and how many: in it a 277CA for each set that is told of."""
    header = addressed(received, answering.date[2:], answering.time, control_number)
    source = Acknowledger(received.receiver, received.receiver)
    by_group: dict[int, list[Reported]] = {}
    for one in told:
        by_group.setdefault(id(one.received.group), []).append(one)
    body: list[str] = []
    for number, sets in enumerate(by_group.values(), control_number):
        made = [_acknowledged(one, source, answering, number, index) for index, one in enumerate(sets, 1)]
        body += _grouped(("HN", "005010X214"), made, header, number)
    body.append(_E.join(("IEA", str(len(by_group)), f"{header.control_number:09d}")))
    return sealed(body, header, _GAP), len(by_group)


def _acknowledged(one: Reported, source: Acknowledger, answering: Answering, group: int, index: int) -> list[str]:
    reference = f"{answering.date}{answering.time}{group}{index}"
    header = Header(f"{index:04d}", reference, answering.date, answering.time)
    return acknowledge_claims(one.received, source, header, numbers=one.numbers, judged=one.judged).segments


def _grouped(kind: tuple[str, str], sets: list[list[str]], header: InterchangeHeader, number: int) -> list[str]:
    group_id, guide_id = kind
    parties = (header.sender, header.receiver, f"20{header.date}", header.time, str(number), "X", guide_id)
    return [
        _E.join(("GS", group_id, *parties)),
        *(line for segments in sets for line in segments),
        _E.join(("GE", str(len(sets)), str(number))),
    ]
