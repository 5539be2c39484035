"""The 277CA about a claim that came in JSON, was kept, and that our own edits reject: what a clearinghouse says of it.

Pure and picklable, as `gateway.claim_judging`. Sources: those of `x12.claim_acknowledgement`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.claim_files import DUPLICATE, REPEATED_CLAIM
from gateway.reports import report_277, statuses_of
from gateway.x12_answers import Answering, Reported, claim_report
from x12.acknowledge import sealed
from x12.claim_acknowledgement import Numbers
from x12.claim_judgement import judge_claims
from x12.discreet import Discreet
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.envelope import read
from x12.finding import Finding
from x12.syntax import CANONICAL, InterchangeHeader

__all__ = ["OURSELVES", "Addressed", "EditReport", "edit_report"]

# Whose word it is: the number that this gateway has for who calls it.
OURSELVES = "CLAIMWIRE"
_E = CANONICAL.element


class EditReport(Discreet):
    """A 277CA: the interchange, the same in the dialect's JSON, and the statuses of its claim as category:status[:entity]."""

    content: bytes
    answer: bytes
    statuses: list[str]


class Addressed(msgspec.Struct, frozen=True):
    """Whom a report is for: who submitted the claim, by the number that payers know, with ISA15; its control number and transaction."""

    submitter_qualifier: str
    submitter: str
    usage: str
    control_number: int
    report_id: str


def edit_report(
    segments: Sequence[str],
    findings: Sequence[Finding],
    claim_number: str,
    guide_id: str,
    addressed: Addressed,
    answering: Answering,
) -> EditReport:
    """What is said of a kept claim, out of what was found wrong with it; `segments` are canonical, ST to SE."""
    errors = [f for f in findings if f.severity == "error"]
    parties = (addressed.submitter_qualifier, addressed.submitter, "ZZ", OURSELVES)
    header = InterchangeHeader(*parties, answering.date[2:], answering.time, 1, addressed.usage)
    group = ("GS", "HC", addressed.submitter, OURSELVES, answering.date, answering.time, "1", "X", guide_id)
    body = [_E.join(group), *segments, _E.join(("GE", "1", "1")), _E.join(("IEA", "1", "000000001"))]
    (received,) = read(sealed(body, header).encode("ascii"), levels=(1, 2))
    (one,) = received.sets
    # It was judged before, at all levels and by its payer's own rules: that is what is told.
    one.findings = [f for f in errors if f.rule != REPEATED_CLAIM]
    judged = judge_claims(one)
    for finding in (f for f in errors if f.rule == REPEATED_CLAIM):
        judged.refuse(judged.claims[0], finding, DUPLICATE)
    told = Reported(one, judged, {0: Numbers(trace_number=claim_number)})
    content = claim_report(received, [told], answering, addressed.control_number)[0].encode("ascii")
    ((report,),) = (i.sets for i in read(content, levels=(1,)))
    (verdict,) = claim_verdicts(report.tree())
    answer = report_277(report, addressed.report_id, addressed.usage, OURSELVES)
    return EditReport(content, msgspec.json.encode(answer), statuses_of(verdict.codes))
