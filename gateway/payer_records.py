"""The payer directory in JSON and as a table: what each payer takes, derived from its data and from what its adapter can."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from adapters.protocol import Capabilities
from gateway.payer_search import Found
from gateway.payers import Payer, Support
from x12.documents.binding import Document, Text

__all__ = [
    "FILTERS",
    "PayerMatches",
    "PayerPage",
    "PayerRecord",
    "PayerSearchPage",
    "csv_of",
    "record_of",
    "search_page",
    "supports",
    "together",
]

# Our names -> the dialect's.
_DIALECT = {
    "eligibility_check": "eligibilityCheck",
    "claim_status": "claimStatus",
    "professional_claim": "professionalClaimSubmission",
    "institutional_claim": "institutionalClaimSubmission",
    "dental_claim": "dentalClaimSubmission",
    "claim_payment": "claimPayment",
}
# What there is no operation for here.
_NEVER = ("coordinationOfBenefits", "unsolicitedClaimAttachment")
FILTERS = (*_DIALECT.values(), *_NEVER)
_COLUMNS = ("StediId", "DisplayName", "PrimaryPayerId", "Aliases", "Names", *(f[0].upper() + f[1:] for f in FILTERS), "CoverageTypes", "OperatingStates")  # fmt: skip


class PayerUrls(Document):
    """Where more is told of a payer."""

    website: Text = None


class TransactionSupport(Document):
    """Whether each transaction is `SUPPORTED`, `NOT_SUPPORTED`, or `ENROLLMENT_REQUIRED` with the payer first."""

    eligibility_check: str
    claim_status: str
    professional_claim_submission: str
    institutional_claim_submission: str
    dental_claim_submission: str
    claim_payment: str
    coordination_of_benefits: str
    unsolicited_claim_attachment: str
    # The older name of professionalClaimSubmission.
    claim_submission: Text = None


class PayerRecord(Document):
    """A payer of the directory. `stediId` is what claims name it by: its id or alias of five letters, or its id where it has none."""

    stedi_id: str
    display_name: str
    primary_payer_id: str
    aliases: list[str]
    names: list[str]
    programs: list[str]
    transaction_support: TransactionSupport
    coverage_types: list[str] | None = None
    operating_states: list[str] | None = None
    urls: PayerUrls | None = None


class PayerPage(Document):
    """Payers by name."""

    items: list[PayerRecord]
    next_page_token: Text = None


class PayerMatches(Document):
    """The texts of a payer that match, with the matching parts between <b> and </b>."""

    stedi_id: Text = None
    display_name: Text = None
    primary_payer_id: Text = None
    aliases: list[str] | None = None
    names: list[str] | None = None


class PayerFound(Document):
    """A payer that matches, and how well."""

    payer: PayerRecord
    score: float
    matches: PayerMatches | None = None


class SupportCounts(Document):
    """How many of the payers found support a transaction, and how."""

    supported: int
    enrollment_required: int
    not_supported: int


class SupportedTotal(Document):
    """How many support it."""

    total: int
    enrollment_required: int
    enrollment_not_required: int


class NotSupportedTotal(Document):
    """How many do not."""

    total: int


class SupportTotals(Document):
    """How many of the payers found support a transaction."""

    supported: SupportedTotal
    not_supported: NotSupportedTotal


class SearchStats(Document):
    """Counts over all payers found, not of one page."""

    total: int
    transaction_support: dict[str, SupportCounts]
    transaction_support_counts: dict[str, SupportTotals]


class PayerSearchPage(Document):
    """Payers that match, best first."""

    items: list[PayerFound]
    stats: SearchStats
    next_page_token: Text = None


def together(ways: Iterable[Capabilities]) -> Capabilities:
    """What can be done over some of the ways: claims may go as files where questions have a way of their own."""
    all_of = list(ways)
    return Capabilities(
        frozenset[str]().union(*(one.real_time for one in all_of)),
        frozenset[str]().union(*(one.batch for one in all_of)),
        any(one.collects for one in all_of),
        any(one.probes for one in all_of),
    )


def supports(payer: Payer, capabilities: Capabilities) -> dict[str, Support]:
    """What a payer supports, by our names: as its data say, else as the adapters of its ways can."""
    sends = capabilities.real_time | capabilities.batch
    able = {
        "eligibility_check": "270" in sends,
        "claim_status": "276" in sends,
        "professional_claim": "837" in sends,
        "institutional_claim": "837" in sends,
        "dental_claim": "837" in sends,
        "claim_payment": capabilities.collects,
    }
    said = {name: getattr(payer.transactions, name) for name in able}
    return {name: said[name] or ("supported" if can else "not_supported") for name, can in able.items()}


def record_of(payer: Payer, capabilities: Capabilities) -> PayerRecord:
    """A payer as the directory shows it."""
    words = dict.fromkeys(_NEVER, "NOT_SUPPORTED")
    words |= {_DIALECT[name]: how.upper() for name, how in supports(payer, capabilities).items()}
    support = msgspec.convert({**words, "claimSubmission": words["professionalClaimSubmission"]}, TransactionSupport)
    return PayerRecord(
        stedi_id=payer.hosted_id,
        display_name=payer.name,
        primary_payer_id=payer.id,
        aliases=sorted({payer.id, *payer.aliases}),
        names=list(payer.names),
        programs=[],
        transaction_support=support,
        coverage_types=list(payer.coverage_types) or None,
        operating_states=list(payer.operating_states) or None,
        urls=PayerUrls(website=payer.website) if payer.website else None,
    )


def _support(record: PayerRecord) -> dict[str, str]:
    return {name: said for name, said in msgspec.to_builtins(record.transaction_support).items() if name in FILTERS}


def search_page(
    found: Sequence[tuple[Found, PayerRecord]],
    wanted: Mapping[str, str],
    coverage: Sequence[str],
    states: Sequence[str],
    after: int,
    limit: int,
) -> PayerSearchPage:
    """A page of what was found and passes the filters; counts of all of it."""

    def passes(record: PayerRecord) -> bool:
        said = _support(record)
        for name, how in wanted.items():
            if how != said[name] and not (how == "EITHER" and said[name] != "NOT_SUPPORTED"):
                return False
        return set(coverage) <= set(record.coverage_types or ()) and set(states) <= set(record.operating_states or ())

    kept = [(f, r) for f, r in found if passes(r)]
    page = kept[after : after + limit]
    return PayerSearchPage(
        items=[PayerFound(payer=r, score=f.score, matches=_matches(f)) for f, r in page],
        stats=_stats([r for _, r in kept]),
        next_page_token=str(after + limit) if after + limit < len(kept) else None,
    )


def _matches(found: Found) -> PayerMatches | None:
    marked = (*found.aliases, *filter(None, (found.primary_payer_id,)))
    made = PayerMatches(
        # One of the other ids under another name.
        stedi_id=next((m for m in marked if re.sub("</?b>", "", m) == found.payer.hosted_id), None),
        display_name=found.display_name,
        primary_payer_id=found.primary_payer_id,
        aliases=list(found.aliases) or None,
        names=list(found.names) or None,
    )
    return made if made != PayerMatches() else None


def _stats(records: Sequence[PayerRecord]) -> SearchStats:
    counts: dict[str, SupportCounts] = {}
    totals: dict[str, SupportTotals] = {}
    for name in FILTERS:
        said = [_support(r)[name] for r in records]
        free, enrolled, none = (said.count(w) for w in ("SUPPORTED", "ENROLLMENT_REQUIRED", "NOT_SUPPORTED"))
        counts[name] = SupportCounts(supported=free, enrollment_required=enrolled, not_supported=none)
        totals[name] = SupportTotals(
            supported=SupportedTotal(total=free + enrolled, enrollment_required=enrolled, enrollment_not_required=free),
            not_supported=NotSupportedTotal(total=none),
        )
    return SearchStats(total=len(records), transaction_support=counts, transaction_support_counts=totals)


def csv_of(records: Sequence[PayerRecord]) -> str:
    """The directory as a table: a payer a row, lists joined with `|`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for r in records:
        said = _support(r)
        row = [r.stedi_id, r.display_name, r.primary_payer_id, "|".join(r.aliases), "|".join(r.names)]
        row += [said[name] for name in FILTERS]
        row += ["|".join(r.coverage_types or ()), "|".join(r.operating_states or ())]
        # A cell that begins like a formula is one to a spreadsheet.
        writer.writerow([f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else cell for cell in row])
    return text.getvalue()
