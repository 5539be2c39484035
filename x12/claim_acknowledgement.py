"""Writes the 277CA for a judged 837, claim by claim, so that a batch is accepted and rejected in parts.

Every claim is told of, under its billing provider and its patient, with why it is rejected: a status for each finding, on the
service line where the finding is in one, else on the claim. A fault of a provider or of the whole set is told there too and
repeated on each claim beneath, so that whoever looks for a claim finds its answer. What a sender wrote comes back only where
the 277CA can carry it: what cannot be sent is left out or called UNKNOWN.

Sources: 005010X214 (all levels; the totals QTY 90, AA, QA, QC and AMT YU, YY), 005010X222A1, X223A2, X224A2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from x12.claim_judgement import ClaimJudgement, Judgements, judge_claims
from x12.claim_reasons import INSTITUTIONAL, Reason, accepting, reasons
from x12.documents.claim_acknowledgement import (
    ClaimReport,
    ClaimStatus,
    ClaimStatusDetail,
    ClaimStatusTransaction,
    InformationClaimStatus,
    PatientClaimStatusDetail,
    ProviderClaimStatus,
    ReportClaim,
    ReportPayer,
    ReportReceiver,
    ReportService,
    ReportServiceProvider,
    ReportSubscriber,
    ServiceClaimStatus,
    ServiceLine,
    ServiceProviderClaimStatus,
    StatusDetail,
    write_claim_report,
)
from x12.documents.parts import Header
from x12.documents.standing import amount, days, found, reference
from x12.documents.writing import Written
from x12.envelope import TransactionSet
from x12.finding import Finding
from x12.guides import Guide
from x12.syntax import unwritable_character
from x12.walk import Instance

__all__ = ["Acknowledger", "Numbers", "acknowledge_claims", "report_on_claims"]

_ACCEPT, _REJECT = "WQ", "U"
_UNKNOWN = "UNKNOWN"
_STATUSES_MAX = 30
_MESSAGE_MAX = 264
# Element 782 of a 277CA has eighteen digits.
_AMOUNT_DIGITS_MAX = 18
# Segment of a line -> element of its procedure and its charge, its revenue code, its units.
_SERVICES = {"SV1": (1, 2, 0, 4), "SV2": (2, 3, 1, 5), "SV3": (1, 2, 0, 6)}
# As `x12.elements` judges dates.
_FIRST_YEAR = 1800
_LINES_AT_FAULT = Reason("A7", "21")
_PROCEDURES = frozenset(("AD", "ER", "HC", "HP", "IV", "WK"))
_REVENUE = "NU"


class Acknowledger(msgspec.Struct, frozen=True):
    """Who acknowledges: a payer (`PR`) or a clearinghouse (`AY`). `qualifier` is NM108: 46 an ETIN, PI a payer id, FI, XV."""

    name: str
    identifier: str
    entity: Literal["AY", "PR"] = "AY"
    qualifier: Literal["46", "FI", "PI", "XV"] = "46"


class Numbers(msgspec.Struct, frozen=True):
    """What the acknowledger calls one claim: its claim control number (REF*1K) and trace number (REF*D9)."""

    control_number: str = ""
    trace_number: str = ""


def acknowledge_claims(
    received: TransactionSet,
    source: Acknowledger,
    header: Header,
    *,
    received_on: str = "",
    numbers: Mapping[int, Numbers] | None = None,
    judged: Judgements | None = None,
) -> Written:
    """One 277CA set for one 837 set: canonical segments ST to SE, clean whatever the 837 holds.

    `header` gives ST02, BHT03 (also the source's trace number) and the moment; `received_on` is the day the claims came
    (CCYYMMDD), else the header's. `numbers` says what the claims are called here, by their index in `claims_of`; `judged` is what
    `judge_claims` gave for the set, where it is at hand. ValueError for a set that is no 837, has no guide, or whose segments
    were not kept.
    """
    report = report_on_claims(received, source, header, received_on=received_on, numbers=numbers, judged=judged)
    return write_claim_report(report, header)


def report_on_claims(
    received: TransactionSet,
    source: Acknowledger,
    header: Header,
    *,
    received_on: str = "",
    numbers: Mapping[int, Numbers] | None = None,
    judged: Judgements | None = None,
) -> ClaimReport:
    """What `acknowledge_claims` writes, as a document."""
    if received.set_id != "837":
        raise ValueError("only claims (837) are acknowledged claim by claim")
    judged = judged or judge_claims(received)
    assert received.guide is not None
    day_received = received_on or header.date
    told = _Report(judged, received.guide, source, header.date, day_received, numbers or {})
    payer = ReportPayer(
        entity_identifier_code=source.entity,
        organization_name=_fit(source.name, 60) or _UNKNOWN,
        transmission_receipt_control_identifier=header.reference,
        receipt_date=day_received,
        process_date=header.date,
        claim_status_transactions=[told.receiver()],
    )
    identifier = _fit(source.identifier, 80, 2) or _UNKNOWN
    match source.qualifier:
        case "PI":
            payer.payer_identification = identifier
        case "XV":
            payer.centers_for_medicare_and_medicaid_service_plan_id = identifier
        case "FI":
            payer.federal_taxpayer_identification_number = identifier
        case _:
            payer.etin = identifier
    return ClaimReport(payers=[payer])


class _Report:
    """One 837 on its way into a 277CA."""

    def __init__(
        self,
        judged: Judgements,
        guide: Guide,
        source: Acknowledger,
        today: str,
        received_on: str,
        numbers: Mapping[int, Numbers],
    ) -> None:
        self.judged = judged
        self.guide = guide
        self.source = source
        self.today = today
        self.received_on = received_on
        self.numbers = {id(c.claim): numbers[i] for i, c in enumerate(judged.claims) if i in numbers}
        self.claims_of: dict[int, list[ClaimJudgement]] = {}
        for one in judged.claims:
            self.claims_of.setdefault(id(_billing(one.claim)), []).append(one)
        # Where a finding lies, to say whose name or address it is about.
        self.lying = {id(f): i for i in _everything(judged.root) for f in judged.at.get(id(i), ())}

    # --- levels ---

    def receiver(self) -> ClaimStatusTransaction:
        """2000B: the submitter of the claims, the totals, and what is wrong with the set as a whole."""
        root, claims = self.judged.root, self.judged.claims
        submitter = next(iter(root.inside("1000A")), None)
        own = [f for f in self.judged.at.get(id(root), ()) if f.severity == "error"]
        own += [f for loop in root.inside("1000A", "1000B") for f in self.judged.inside(loop) if f.severity == "error"]
        taken, refused = _totals(claims)
        return ClaimStatusTransaction(
            provider=_receiver(submitter),
            claim_transaction_batch_number=_fit(found(root, "BHT", 3), 50) or _UNKNOWN,
            provider_claim_statuses=[
                ProviderClaimStatus(
                    status_information_effective_date=self.today,
                    status_information_action_code=_REJECT if own else _ACCEPT,
                    total_submitted_charges=_money(taken[1] + refused[1]),
                    provider_statuses=said,
                )
                for said, _ in self.told(own, "2200B")
            ],
            total_accepted_quantity=str(taken[0]) if taken[0] else None,
            total_rejected_quantity=str(refused[0]) if refused[0] else None,
            total_accepted_amount=_money(taken[1]) if taken[0] else None,
            total_rejected_amount=_money(refused[1]) if refused[0] else None,
            claim_status_details=[d for b in root.inside("2000A") if (d := self.provider(b)) is not None] or None,
        )

    def provider(self, billing: Instance) -> ClaimStatusDetail | None:
        """2000C: a billing provider and its totals; None for one without claims and without a fault of its own."""
        claims = self.claims_of.get(id(billing), [])
        own = [f for f in self.judged.at.get(id(billing), ()) if f.severity == "error"]
        names = billing.inside("2010AA", "2010AB", "2010AC")
        own += [f for name in names for f in self.judged.inside(name) if f.severity == "error"]
        if not claims and not own:
            return None
        taken, refused = _totals(claims)
        return ClaimStatusDetail(
            service_provider=_provider(next(iter(billing.inside("2010AA")), None)),
            provider_of_service_information_trace_identifier="0",
            service_provider_claim_statuses=[
                ServiceProviderClaimStatus(
                    status_information_action_code=_REJECT if own else _ACCEPT,
                    total_submitted_charges=_money(taken[1] + refused[1]),
                    service_provider_statuses=said,
                )
                for said, _ in self.told(own, "2200C")
            ],
            total_accepted_quantity=str(taken[0]) if taken[0] else None,
            total_rejected_quantity=str(refused[0]) if refused[0] else None,
            total_accepted_amount=_money(taken[1]) if taken[0] else None,
            total_rejected_amount=_money(refused[1]) if refused[0] else None,
            patient_claim_status_details=[self.patient(level, some) for level, some in _by_patient(claims)] or None,
        )

    def patient(self, level: Instance, claims: Sequence[ClaimJudgement]) -> PatientClaimStatusDetail:
        """2000D: the dependent where there is one, else the subscriber, known by the subscriber's number."""
        subscriber = level.parent if level.loop.id == "2000C" and level.parent is not None else level
        insured = next(iter(subscriber.inside("2010BA")), None)
        name = next(iter(level.inside("2010CA")), None) if level is not subscriber else insured
        last, first, middle, suffix = _names(name)
        return PatientClaimStatusDetail(
            subscriber=ReportSubscriber(
                last_name=last or _UNKNOWN,
                first_name=first,
                middle_name=middle,
                suffix=suffix,
                member_id=_identifier(insured) or _UNKNOWN,
            ),
            claims=[self.claim(one) for one in claims],
        )

    def claim(self, one: ClaimJudgement) -> ReportClaim:
        """2200D: the claim, why it is rejected, and its lines that are at fault."""
        loop = one.claim
        wrong = [f for f in one.findings if f.severity == "error"]
        lines, left = self.lines(loop, wrong)
        # Where the lines say why, the claim says that it is rejected for them.
        said = [([_detail(_LINES_AT_FAULT)], "")] if lines and not left else self.told(left, "2200D")
        numbers = self.numbers.get(id(loop), Numbers())
        number = _fit(found(loop, "CLM", 1), 50) or _UNKNOWN
        return ReportClaim(
            claim_status=ClaimStatus(
                referenced_transaction_trace_number=number,
                information_claim_statuses=[
                    InformationClaimStatus(
                        status_information_effective_date=self.today,
                        status_information_action_code=_REJECT if wrong else _ACCEPT,
                        total_claim_charge_amount=_money(_charge(loop)),
                        information_statuses=details,
                        message=message or None,
                    )
                    for details, message in said
                ],
                trading_partner_claim_number=_fit(numbers.control_number, 50) or None,
                clearinghouse_trace_number=_fit(numbers.trace_number or reference(loop, "D9"), 50) or None,
                bill_type_identifier=_bill_type(loop) if self.guide.id in INSTITUTIONAL else None,
                **self.service_days(loop),
            ),
            service_lines=lines or None,
        )

    def service_days(self, loop: Instance) -> dict[str, str]:
        """The claim's days of service: its own, else the first and last of its lines, else the day it came."""
        spans = [_days(loop, "434"), _days(loop, "472")]
        spans = [s for s in spans if s[0] and s[1]] or [_days(line, "472") for line in loop.inside("2400")]
        known = [d for first, last in spans for d in (first, last) if d is not None]
        if not known:
            return {"claim_service_date": self.received_on}
        first, last = f"{min(known):%Y%m%d}", f"{max(known):%Y%m%d}"
        if first == last:
            return {"claim_service_date": first}
        return {"claim_service_begin_date": first, "claim_service_end_date": last}

    # --- service lines ---

    def lines(self, loop: Instance, wrong: Sequence[Finding]) -> tuple[list[ServiceLine], list[Finding]]:
        """The lines that are at fault, and the findings that are left for the claim: those in no line that can be told of."""
        told: list[ServiceLine] = []
        placed: set[int] = set()
        errors = {id(f) for f in wrong}
        for index, line in enumerate(loop.inside("2400"), 1):
            own = [f for f in self.judged.inside(line) if id(f) in errors]
            service = _service(line) if own else None
            if service is None:
                continue
            placed |= {id(f) for f in own}
            first, last = _days(line, "472")
            told.append(
                ServiceLine(
                    service=service,
                    service_claim_statuses=[
                        ServiceClaimStatus(
                            status_information_action_code=_REJECT,
                            service_statuses=details,
                            status_message=message or None,
                        )
                        for details, message in self.told(own, "2220D")
                    ],
                    line_item_control_number=_fit(reference(line, "6R") or found(line, "LX", 1), 50) or str(index),
                    service_line_date=f"{first:%Y%m%d}" if first is not None and first == last else None,
                )
            )
        return told, [f for f in wrong if id(f) not in placed]

    # --- statuses ---

    def told(self, wrong: Sequence[Finding], level: str) -> list[tuple[list[StatusDetail], str]]:
        """The STC of a level: each different reason once, with words where the level has room for them, or an acceptance."""
        if not wrong:
            entity = self.source.entity
            said = accepting(entity) if level == "2200D" else Reason("A1", "19", entity)
            return [([_detail(said)], "")]
        made: dict[tuple[tuple[Reason, ...], str], None] = {}
        for finding in wrong:
            instance = self.lying.get(id(finding), self.judged.root)
            words = _fit(finding.message, _MESSAGE_MAX) if level in ("2200D", "2220D") else ""
            said = self.judged.reasons.get(id(finding)) or reasons(finding, instance, self.guide, level)
            made.setdefault((tuple(said), words))
        return [([_detail(r) for r in said], words) for said, words in list(made)[:_STATUSES_MAX]]


def _detail(reason: Reason) -> StatusDetail:
    return StatusDetail(
        health_care_claim_status_category_code=reason.category,
        status_code=reason.status,
        entity_identifier_code=reason.entity or None,
    )


# --- values out of the 837 -----------------------------------------------------------------------------------------


def _fit(text: str, longest: int, shortest: int = 1) -> str:
    """A value as the 277CA can carry it: what cannot be sent left out, cut; "" where too little is left."""
    if unwritable_character(text) is not None:
        text = "".join(c for c in text if unwritable_character(c) is None)
    kept = text.strip()[:longest].strip()
    return kept if len(kept) >= shortest else ""


def _days(loop: Instance, qualifier: str) -> tuple[date | None, date | None]:
    """First and last day of a DTP, without those that no DTP of ours can carry: the calendar of X12 begins in 1800."""
    first, last = (d if d is not None and d.year >= _FIRST_YEAR else None for d in days(loop, qualifier))
    return first, last


def _everything(instance: Instance) -> Iterable[Instance]:
    yield instance
    for child in instance.children:
        yield from _everything(child)


def _billing(claim: Instance) -> Instance:
    """The billing provider's level that a claim is under."""
    here = claim
    while here.loop.id != "2000A" and here.parent is not None:
        here = here.parent
    return here


def _by_patient(claims: Iterable[ClaimJudgement]) -> list[tuple[Instance, list[ClaimJudgement]]]:
    """The claims of each patient's level, in file order."""
    levels: dict[int, tuple[Instance, list[ClaimJudgement]]] = {}
    for one in claims:
        level = one.claim.parent
        assert level is not None
        levels.setdefault(id(level), (level, []))[1].append(one)
    return list(levels.values())


def _charge(loop: Instance) -> Decimal:
    """CLM02, or nothing where it is no amount that a 277CA has room for."""
    text = found(loop, "CLM", 2)
    value = amount(text) if sum(c.isdigit() for c in text) <= _AMOUNT_DIGITS_MAX else None
    return value if value is not None else Decimal(0)


def _totals(claims: Iterable[ClaimJudgement]) -> tuple[tuple[int, Decimal], tuple[int, Decimal]]:
    """Count and charges of the accepted claims, and of the rejected ones."""
    taken: list[Decimal] = []
    refused: list[Decimal] = []
    for one in claims:
        (taken if one.accepted else refused).append(_charge(one.claim))
    return (len(taken), sum(taken, Decimal(0))), (len(refused), sum(refused, Decimal(0)))


def _money(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if sum(c.isdigit() for c in text) <= _AMOUNT_DIGITS_MAX and text not in ("", "-0") else "0"


def _row(loop: Instance | None) -> list[str]:
    """The name of a loop, with an empty element for each that is missing."""
    rows = loop.rows().get("NM1") if loop is not None else None
    return [*(rows[0] if rows else []), *[""] * 10][:10]


def _names(loop: Instance | None) -> tuple[str, str | None, str | None, str | None]:
    row = _row(loop)
    last, first, middle, suffix = (_fit(row[i], n) for i, n in ((3, 60), (4, 35), (5, 25), (7, 10)))
    return last, first or None, middle or None, suffix or None


def _identifier(loop: Instance | None) -> str:
    return _fit(_row(loop)[9], 80, 2)


def _receiver(submitter: Instance | None) -> ReportReceiver:
    last, first, middle, _ = _names(submitter)
    number = _identifier(submitter) or _UNKNOWN
    if _row(submitter)[2] == "1":
        return ReportReceiver(last_name=last or _UNKNOWN, first_name=first, middle_name=middle, etin=number)
    return ReportReceiver(organization_name=last or _UNKNOWN, etin=number)


def _provider(billing: Instance | None) -> ReportServiceProvider:
    last, first, middle, suffix = _names(billing)
    made = ReportServiceProvider(organization_name=last or _UNKNOWN)
    if _row(billing)[2] == "1":
        made = ReportServiceProvider(last_name=last or _UNKNOWN, first_name=first, middle_name=middle, suffix=suffix)
    if _row(billing)[8] == "XX" and _identifier(billing):
        made.npi = _identifier(billing)
    else:
        numbers = (reference(billing, q) for q in ("EI", "SY")) if billing is not None else ()
        made.tin = next((n for text in numbers if (n := _fit(text, 80, 2))), _UNKNOWN)
    return made


def _bill_type(loop: Instance) -> str | None:
    """CLM05-1 and CLM05-3 of an institutional claim: the type of bill."""
    parts = [*found(loop, "CLM", 5).split(loop.delimiters.component), "", "", ""]
    return _fit(parts[0] + parts[2], 50) or None


def _service(line: Instance) -> ReportService | None:
    """SVC of a line; None where what identifies the service is not there or cannot be told."""
    rows = line.rows()
    for segment_id, (procedure, charge, revenue, units) in _SERVICES.items():
        for found_row in rows.get(segment_id, ())[:1]:
            row = [*found_row, *[""] * 8]
            parts = [*row[procedure].split(line.delimiters.component), "", "", "", "", "", ""]
            qualifier, code = parts[0], _fit(parts[1], 48)
            revenue_code = _fit(row[revenue], 48) if revenue else ""
            if qualifier not in _PROCEDURES or not code:
                qualifier, code, revenue_code = _REVENUE, revenue_code, ""
            if not code or amount(row[charge]) is None:
                return None
            value = amount(row[charge]) or Decimal(0)
            return ReportService(
                service_id_qualifier_code=qualifier,
                procedure_code=code,
                procedure_modifiers=[m for m in parts[2:6] if len(m) == 2 and _fit(m, 2) == m] or None,
                charge_amount=_money(value),
                revenue_code=revenue_code or None,
                submitted_units=_money(u) if (u := amount(row[units])) is not None else None,
            )
    return None
