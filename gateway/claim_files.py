"""Judges a file of claims in X12, claim by claim, and writes what answers it: TA1 and 999, and a 277CA that takes it in parts.

Pure and picklable, as `gateway.claim_judging`. What is wrong inside a claim refuses that claim; what is wrong above it, every claim
below; an interchange or a group that is refused takes its claims with it, and no others.

Sources: those of `x12.acknowledge` and `x12.claim_acknowledgement`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from gateway import code_files
from gateway.claim_judging import JudgedClaim, Treatment, claim_told
from gateway.claim_kinds import CLAIM_KINDS, ClaimKind, kind_for
from gateway.envelopes import claim_number
from gateway.scrubbing import Look, looks_at, scrub
from gateway.x12_answers import Answering, Reported, acknowledgements, claim_report
from x12.batch import claims_of, with_reference
from x12.claim_acknowledgement import Numbers
from x12.claim_judgement import ClaimJudgement, Judgements, judge_claims
from x12.claim_reasons import Reason
from x12.discreet import Discreet
from x12.envelope import Interchange, TransactionSet, read
from x12.finding import Finding
from x12.judging import LEVELS
from x12.syntax import CANONICAL, RESERVED, declared, reserved_findings, translate

__all__ = [
    "DUPLICATE",
    "REPEATED_CLAIM",
    "FileClaim",
    "JudgedFile",
    "Repeated",
    "Survey",
    "judged_file",
    "repetition",
    "surveyed",
]

# A duplicate of a claim that was already processed, returned as unprocessable: how payers and clearinghouses say it in a 277CA.
DUPLICATE = Reason("A3", "54")
# The rule that a claim that came before breaks.
REPEATED_CLAIM = "CW201"
# NM109 in what follows NM101.
_PAYER_ID = 7


class Repeated(msgspec.Struct, frozen=True):
    """A claim that came before: the transaction it is the same as, and whether it is refused for that."""

    transaction_id: str
    refused: bool = True


class FileClaim(Discreet):
    """A claim of a file, the id it would be kept under, the place of its interchange in the file, and what it repeats."""

    transaction_id: str
    claim: JudgedClaim
    interchange: int
    repeats: Repeated | None = None

    @property
    def accepted(self) -> bool:
        return self.claim.accepted and not (self.repeats is not None and self.repeats.refused)


class JudgedFile(Discreet):
    """What a file came to: its claims in order, what is wrong elsewhere in it, its answers in X12, and what it is known again by.

    `usages` are the ISA15 of its interchanges, `contents` what tells each from any other: sender, ISA13 and content.
    """

    claims: list[FileClaim]
    findings: list[Finding]
    acknowledgement: str
    report: str
    usages: list[str]
    contents: list[str]

    @property
    def accepted(self) -> bool:
        return any(one.accepted for one in self.claims)


# --- before it is read --------------------------------------------------------------------------------------------------


class Survey(NamedTuple):
    """What a file may hold: the identifiers of all payers that it names (NM109 of every NM1*PR), and at most so many claims."""

    payers: set[str]
    claims: int


def surveyed(content: bytes) -> Survey:
    """Look a file over before it is read."""
    text = content.decode("latin-1")
    payers: set[str] = set()
    claims = 0
    for element, segment in _separators(text):
        pattern = rf"NM1 *{re.escape(element)}PR *{re.escape(element)}([^{re.escape(segment)}]*)"
        rows = [match[1].split(element) for match in re.finditer(pattern, text)]
        payers |= {row[_PAYER_ID].strip() for row in rows if len(row) > _PAYER_ID}
        claims += text.count(f"CLM{element}")
    return Survey(payers, claims)


def _separators(text: str) -> set[tuple[str, str]]:
    """Element separator and segment terminator of every ISA."""
    found: set[tuple[str, str]] = set()
    start = text.find("ISA")
    while start >= 0:
        known = declared(text, start)
        if known is not None:
            found.add((known[0].element, known[0].segment))
        start = text.find("ISA", start + 3)
    return found


# --- judging ------------------------------------------------------------------------------------------------------------


def judged_file(
    kind: str,
    content: bytes,
    treatments: Mapping[str, Treatment | str],
    answering: Answering,
    today: date,
    ids: Sequence[str],
    repeated: Mapping[str, Repeated],
    already: Sequence[int] = (),
) -> JudgedFile:
    """A file for the path of one kind of claims (837P, 837I or 837D).

    `treatments` has each payer that the file names (`surveyed`), or why there is none; `ids` are new ones for at least as many
    claims as it has, which are used in order. `repeated` are claims known to have come before, by their id;
    `already` the places of interchanges that did, which are refused whole (TA1 025).
    """
    judging = _Judging(CLAIM_KINDS[kind], treatments, answering, today, ids, repeated)
    received = judging.read(content)
    for place in already:
        received[place].findings.append(_came_before())
    for place, one in enumerate(received):
        judging.interchange(place, one)
    findings = judging.findings
    if not any(i.sets for i in received) and not findings:
        findings.append(Finding(1, "file", "", "Here is no X12: send an interchange that begins with ISA."))
    return JudgedFile(
        judging.claims,
        findings,
        acknowledgements(received, answering, lambda s: id(s) in judging.taken) or "",
        "".join(judging.reports(received)),
        [i.usage for i in received],
        [_content(i) for i in received],
    )


def _came_before() -> Finding:
    message = "This interchange was submitted before, with the same sender, ISA13 and content: nothing was taken again."
    return Finding(1, "interchange", "025", message, segment="ISA", element=13)


def _content(interchange: Interchange) -> str:
    lines = (s for one in interchange.sets for s in one.segments)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"{interchange.elements[4]}|{interchange.sender}|{interchange.control_number}|{digest}"


class _Judging:
    """One file on its way."""

    def __init__(
        self,
        kind: ClaimKind,
        treatments: Mapping[str, Treatment | str],
        answering: Answering,
        today: date,
        ids: Sequence[str],
        repeated: Mapping[str, Repeated],
    ) -> None:
        self.kind = kind
        self.treatments = treatments
        self.answering = answering
        self.today = today
        self.ids = iter(ids)
        self.repeated = repeated
        self.claims: list[FileClaim] = []
        self.findings: list[Finding] = []
        # What was judged claim by claim, by the identity of the set; its numbers for the 277CA; and the sets that are taken.
        self.judged: dict[int, Judgements] = {}
        self.numbers: dict[int, dict[int, Numbers]] = {}
        self.taken: set[int] = set()
        # Claims of this very file, by what makes two claims the same.
        self.seen: dict[str, str] = {}

    def read(self, content: bytes) -> list[Interchange]:
        """The file, judged at all levels; what a payer's companion guides find lies with the claims of that payer alone."""
        known = [t for t in self.treatments.values() if isinstance(t, Treatment)]
        usage = "T" if known and all(t.usage == "T" for t in known) else None
        companions = {t.companions for t in known}
        common = companions.pop() if len(companions) == 1 else ()
        received = read(content, levels=LEVELS, lists=code_files.current(), companions=common, usage=usage)
        for texts in sorted(companions):
            if texts:
                again = read(content, levels=(7,), lists=code_files.current(), companions=texts, usage=usage)
                self._add(received, again, {t.payer_id for t in known if t.companions == texts})
        return received

    def _add(self, received: Sequence[Interchange], again: Sequence[Interchange], payers: set[str]) -> None:
        """Put what a payer's companions find to the findings of its claims."""
        for one, other in zip(_sets(received), _sets(again), strict=True):
            if one.guide is None or not any(f.level == _COMPANIONS for f in other.findings):
                continue
            looks = {look.position: look for look in looks_at(one.nodes, one.segments, one.delimiters)}
            for claim in judge_claims(other).claims:
                treatment = (
                    self.treatments.get(looks[claim.positions[0]].payer) if claim.positions[0] in looks else None
                )
                if isinstance(treatment, Treatment) and treatment.payer_id in payers:
                    known = set(one.findings)
                    one.findings += [f for f in claim.findings if f.level == _COMPANIONS and f not in known]

    # --- one interchange ---

    def interchange(self, place: int, received: Interchange) -> None:
        """Judge the claims of one interchange, those of refused envelopes aside."""
        self.findings += [f for f in received.findings if f.severity == "error"]
        for group in received.groups:
            self.findings += [f for f in group.findings if f.severity == "error"]
            for one in group.sets:
                if received.accepted and group.accepted:
                    self.set(place, one)

    def set(self, place: int, received: TransactionSet) -> None:
        """Judge one transaction set claim by claim."""
        other = kind_for(received)
        if other is not self.kind:
            # Their 999 must not say that they were taken.
            finding = _elsewhere(self.kind, other)
            received.findings.insert(0, finding)
            self.findings.append(finding)
            return
        looks = looks_at(received.nodes, received.segments, received.delimiters)
        by_position = {look.position: look for look in looks}
        edits = scrub(looks, self.today, "T" if self._for_test(received) else "P")
        received.findings += [msgspec.structs.replace(f, path=None) for f in edits]
        received.findings += self._unknown(looks)
        if any(c in raw for raw in received.segments for c in RESERVED):
            received.findings += reserved_findings(
                [translate(s, received.delimiters, CANONICAL) for s in received.segments]
            )
        received.findings.sort(key=lambda f: f.position or 0)
        judged = self._treated(received, judge_claims(received), by_position)
        clean = received.accepted
        if not looks:
            self.findings += [f for f in received.findings if f.severity == "error"]
        numbers: dict[int, Numbers] = {}
        for index, (claim, segments) in enumerate(zip(judged.claims, claims_of(received), strict=True)):
            # A claim without its CLM is nobody's: it has no id, and what is wrong with it refuses its set.
            look = by_position.get(claim.positions[0])
            if look is not None:
                numbers[index] = self._claim(place, judged, claim, segments, look)
        self.judged[id(received)], self.numbers[id(received)] = judged, numbers
        if clean or any(c.accepted for c in judged.claims):
            self.taken.add(id(received))

    def _for_test(self, received: TransactionSet) -> bool:
        group = received.group
        asked = group is not None and group.interchange.usage == "T"
        return asked or all(t.usage == "T" for t in self.treatments.values() if isinstance(t, Treatment))

    def _unknown(self, looks: Sequence[Look]) -> Iterator[Finding]:
        """Payers that nobody here knows, each told where it is named."""
        told: set[int] = set()
        for look in looks:
            why = self.treatments.get(look.payer, _NOBODY)
            if isinstance(why, str) and look.payer_position not in told:
                told.add(look.payer_position)
                position = look.payer_position or look.position
                message = f"NM109: {why}."
                yield Finding(
                    1, "element", "7", message, loop="2010BB", segment="NM1", position=position, element=9, data="67"
                )

    def _treated(self, received: TransactionSet, judged: Judgements, looks: Mapping[int, Look]) -> Judgements:
        """Findings of which every payer of the claims below them only wants a warning become warnings."""
        if not any(t.is_lenient for t in self.treatments.values() if isinstance(t, Treatment)):
            return judged
        refusing: dict[int, bool] = {}
        for claim in judged.claims:
            look = looks.get(claim.positions[0])
            treatment = self.treatments.get(look.payer) if look is not None else None
            for finding in claim.findings:
                warns = isinstance(treatment, Treatment) and treatment.only_warns(finding)
                refusing[id(finding)] = refusing.get(id(finding), False) or not warns
        if all(refusing.values()):
            return judged
        received.findings = [
            f if refusing.get(id(f), True) else msgspec.structs.replace(f, severity="warning")
            for f in received.findings
        ]
        return judge_claims(received)

    def _claim(self, place: int, judged: Judgements, claim: ClaimJudgement, segments: list[str], look: Look) -> Numbers:
        transaction_id = next(self.ids)
        found = self.treatments.get(look.payer)
        treatment = found if isinstance(found, Treatment) else None
        number = claim_number(transaction_id)
        told = claim_told(self.kind.x12.name, treatment, segments, claim.findings, look)
        repeats = self.repeated.get(transaction_id)
        if repeats is not None and claim.accepted:
            finding = repetition(repeats, claim.positions[0])
            told.findings.append(finding)
            if repeats.refused:
                judged.refuse(claim, finding, DUPLICATE)
        if claim.accepted:
            told.segments = with_reference(segments, "D9", number)
        self.claims.append(FileClaim(transaction_id, told, place, repeats))
        return Numbers(trace_number=number)

    # --- what answers it ---

    def reports(self, received: Sequence[Interchange]) -> Iterator[str]:
        """A 277CA for the sets that the 999 takes, an interchange for each received one that has any."""
        number = len(received)
        for one in (i for i in received if i.elements[5]):
            sets = [s for s in one.sets if id(s) in self.taken and self.judged[id(s)].claims]
            if sets:
                number += 1
                told = [Reported(s, self.judged[id(s)], self.numbers[id(s)]) for s in sets]
                yield claim_report(one, told, self.answering, number)[0]


_COMPANIONS = 7
_NOBODY = "no payer with this id is configured"


def repetition(repeats: Repeated, position: int | None = None) -> Finding:
    """What is said of a claim that came before."""
    what = f"Possible duplicate: the same claim was submitted before as transaction {repeats.transaction_id}"
    advice = (
        "send a replacement (CLM05-3 7) to change it, or say with X-Allow-Repeated-Claim: true that it is another one"
    )
    return Finding(
        4,
        "element",
        "7",
        f"{what}; {advice}." if repeats.refused else f"{what}.",
        "error" if repeats.refused else "warning",
        "2300",
        "CLM",
        position,
        1,
        rule=REPEATED_CLAIM,
        path="claimInformation" if position is None else None,
    )


def _elsewhere(kind: ClaimKind, other: ClaimKind | None) -> Finding:
    """What is said of a transaction set that this path does not take: which does, or what is taken here."""
    if other is None:
        message = f"Send 837 transaction sets of {kind.x12.guide_id} here: these are {kind.name} claims."
    else:
        message = (
            f"Here are {other.name} claims ({other.x12.guide_id}), and this path takes {kind.name} claims"
            f" ({kind.x12.guide_id}): send them to {other.path}/raw-x12-submission."
        )
    return Finding(1, "set", "1", message)


def _sets(received: Sequence[Interchange]) -> list[TransactionSet]:
    return [s for i in received for s in i.sets]
