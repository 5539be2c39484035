"""Judges claims whole, at all levels, with edits and the payer's own rules: the work of the judges (`gateway.judges`).

All is pure and picklable. A claim in JSON is judged in the walk that it is written with; a file is read once, and once more for each
payer in it that has companion guides of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache, partial

import msgspec

from gateway import code_files
from gateway.claim_kinds import CLAIM_KINDS
from gateway.scrubbing import Look, looks_at, scrub
from gateway.scrubbing.edits import EDITS
from x12 import guides
from x12.discreet import Discreet
from x12.documents.parts import Header
from x12.finding import Finding
from x12.judging import LEVELS, Manner, judgement_of
from x12.situations import rules
from x12.syntax import CANONICAL
from x12.table import Node

__all__ = ["JudgedClaim", "Treatment", "as_treated", "claim_told", "judged_claim", "rule_ids", "sameness"]


@cache
def rule_ids() -> frozenset[str]:
    """The ids of all edits and situational rules of claims: what a payer may want only a warning of, one by one."""
    kinds = [kind.x12 for kind in CLAIM_KINDS.values()]
    stated = (s.rule.id for kind in kinds for s in rules(guides.load(kind.guide_id, kind.set_id)))
    return frozenset((*(edit.id for edit in EDITS), *stated))


class Treatment(msgspec.Struct, frozen=True):
    """How the claims of one payer are judged: who it is, ISA15 on the way to it, where what is wrong only warns, its companions.

    What is wrong only warns at the levels `warns_at`, and by the rules `warns_of`.
    `same_as` is what its claims are compared by: equal for all names of one payer.
    """

    payer_id: str
    same_as: str
    usage: str = "P"
    warns_at: frozenset[int] = frozenset()
    companions: tuple[str, ...] = ()
    warns_of: frozenset[str] = frozenset()

    @property
    def is_lenient(self) -> bool:
        """Whether there is anything that only warns."""
        return bool(self.warns_at or self.warns_of)

    def only_warns(self, finding: Finding) -> bool:
        """Whether the payer only wants a warning of this."""
        return finding.level in self.warns_at or finding.rule in self.warns_of


class JudgedClaim(Discreet):
    """A claim that was judged: what it is kept as, what is wrong with it, and what it is known and compared by.

    `sameness` is equal for claims that are the same one, "" where too little is told. `frequency` is CLM05-3, `original` the payer's
    number of the claim that a replacement or a void is about (REF*F8).
    """

    segments: list[str]
    findings: list[Finding]
    number: str = ""
    member: str = ""
    payer: str = ""
    line_numbers: list[str] = msgspec.field(default_factory=list[str])
    sameness: str = ""
    frequency: str = ""
    original: str = ""

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


def judged_claim(kind: str, told: bytes, header: Header, today: date, treatment: Treatment) -> JudgedClaim:
    """A claim in JSON with everything that guide, lists, rules and edits find wrong with it. `kind` is 837P, 837I or 837D."""
    claim = msgspec.json.decode(told, type=CLAIM_KINDS[kind].type)
    judgement, patches = judgement_of(LEVELS, code_files.current(), treatment.companions)
    seen: list[Look] = []
    further = partial(_further, seen, today, treatment.usage)
    manner = Manner(judgement, header.date, treatment.usage, patches, further)
    written = CLAIM_KINDS[kind].x12.write_claim(claim, header, manner)
    findings = as_treated(written.findings, treatment)
    return claim_told(kind, treatment, written.segments, findings, seen[0] if seen else None)


def _further(
    seen: list[Look], today: date, usage: str, nodes: Sequence[Node | None], segments: Sequence[str]
) -> list[Finding]:
    seen += looks_at(nodes, segments)
    return scrub(seen, today, usage)


def as_treated(findings: Sequence[Finding], treatment: Treatment) -> list[Finding]:
    """The findings, those of which the payer only wants a warning as warnings."""
    if not treatment.is_lenient:
        return list(findings)
    return [msgspec.structs.replace(f, severity="warning") if treatment.only_warns(f) else f for f in findings]


def claim_told(
    kind: str, treatment: Treatment | None, segments: list[str], findings: list[Finding], look: Look | None
) -> JudgedClaim:
    """A judged claim with what its look tells of it; without a treatment there is nothing to compare it with."""
    if look is None:
        return JudgedClaim(segments, findings)
    return JudgedClaim(
        segments,
        findings,
        look.number,
        look.member,
        look.payer,
        [line.number for line in look.lines],
        sameness(kind, treatment.same_as, look) if treatment is not None else "",
        look.frequency,
        look.original,
    )


# --- the same claim again ----------------------------------------------------------------------------------------------------


def sameness(kind: str, payer: str, look: Look) -> str:
    """What is equal for two claims that ask for the same services to be paid, whatever they are called and however they came.

    Payer, provider (billing and rendering), member and patient, the days, the charge and every line are compared; the patient control
    number is not, nor the order of the lines. "" where a claim has no provider, no patient or no line: nothing could be told apart.
    """
    provider, patient = look.billing or look.tax_id, look.member or look.patient[1]
    if not provider or not patient or not look.lines:
        return ""
    statement = look.statement
    lines = sorted(
        _E.join((*line.service, _amount(line.charge), line.days, line.teeth, line.rendering)) for line in look.lines
    )
    about = (
        kind,
        payer,
        provider,
        look.rendering,
        look.responsibility,
        patient,
        look.patient[0],
        look.born,
        _amount_of(look.charge),
        "asked" if look.predetermines else "",
        f"{statement.first}-{statement.last}" if statement is not None else "",
        *(f"{days.first}-{days.last}" for days in look.days if days.loop == "2300"),
    )
    return CANONICAL.segment.join((_E.join(about), *lines)).upper()


_E = CANONICAL.element


def _amount_of(text: str) -> str:
    try:
        return _amount(Decimal(text))
    except InvalidOperation:
        return text


def _amount(charge: Decimal | None) -> str:
    """Equal for equal amounts: 120 and 120.00 are one."""
    return "" if charge is None else format(charge.normalize(), "f")
