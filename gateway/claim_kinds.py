"""The three kinds of claims, professional, institutional and dental: all that tells them apart here, in one table.

What the documents of the three call by different names is read through the functions below, so that nothing else of the
gateway asks which kind a claim is of.

Sources: 005010X222A1, 005010X223A2, 005010X224A2; names and paths: the dialect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from x12 import guides
from x12.discreet import Discreet
from x12.documents.claim_parts import Receiver, Submitter
from x12.documents.dental_claim import DentalClaim
from x12.documents.dental_line import DentalLine
from x12.documents.institutional_claim import InstitutionalClaim
from x12.documents.institutional_line import InstitutionalLine
from x12.documents.institutional_parts import InstitutionalReceiver, InstitutionalSubmitter
from x12.documents.professional_claim import ProfessionalClaim
from x12.documents.service_line import ServiceLine
from x12.envelope import TransactionSet
from x12.syntax import CANONICAL
from x12.transactions import KINDS, Kind, kind_of
from x12.tree import Instance
from x12.walk import Walk, compiled, tree

__all__ = [
    "CLAIM_KINDS",
    "DENTAL",
    "INSTITUTIONAL",
    "PROFESSIONAL",
    "AnyClaim",
    "AnyLine",
    "ClaimKind",
    "ServiceDays",
    "addressed",
    "bill_type",
    "convention_of",
    "kept_claim",
    "kind_for",
    "line_number",
    "lines_of",
    "read_claims",
    "service_days",
    "span_of",
    "statement_days",
]

AnyClaim = ProfessionalClaim | InstitutionalClaim | DentalClaim
AnyLine = ServiceLine | InstitutionalLine | DentalLine


class ClaimKind(NamedTuple):
    """One kind of claim. `path` is where the dialect takes it, `claim_type` what a claim response calls it.

    `asked` is what its submissions are called under an Idempotency-Key: a key belongs to one kind's submissions.
    """

    name: str
    x12: Kind
    type: type[AnyClaim]
    claim_type: str
    path: str
    asked: str


PROFESSIONAL = ClaimKind(
    "professional", KINDS["837P"], ProfessionalClaim, "PRO", "/medicalnetwork/professionalclaims/v3", "claim"
)
INSTITUTIONAL = ClaimKind(
    "institutional",
    KINDS["837I"],
    InstitutionalClaim,
    "INS",
    "/medicalnetwork/institutionalclaims/v1",
    "institutional claim",
)
DENTAL = ClaimKind("dental", KINDS["837D"], DentalClaim, "DEN", "/dental-claims", "dental claim")
CLAIM_KINDS: dict[str, ClaimKind] = {k.x12.name: k for k in (PROFESSIONAL, INSTITUTIONAL, DENTAL)}


def kind_for(received: TransactionSet) -> ClaimKind | None:
    """The kind of the claims of a received set; None where it holds none that are taken."""
    kind = kind_of(received)
    return CLAIM_KINDS.get(kind.name) if kind is not None else None


def convention_of(segments: Sequence[str]) -> str:
    """ST03 of a claim in canonical separators: the edition of its guide, which its group must name too."""
    return segments[0].split(CANONICAL.element)[3]


def kept_claim(segments: Sequence[str]) -> AnyClaim:
    """A claim out of the canonical segments that it is kept as, which one of the guides of the kinds must serve."""
    guide = guides.load(convention_of(segments), "837")
    walk = Walk(compiled(guide, CANONICAL))
    walk.feed(list(segments))
    kind = next(k for k in CLAIM_KINDS.values() if k.x12.guide_id in guide.editions)
    return read_claims(kind, tree(guide, walk.nodes, list(segments), CANONICAL))[0]


def read_claims(kind: ClaimKind, root: Instance) -> list[AnyClaim]:
    """The claims of a walked 837 of this kind, in file order."""
    return [made for made in kind.x12.read_tree(root) if isinstance(made, kind.type)]


def addressed(claim: AnyClaim, payer_id: str, payer_name: str, sender_id: str, receiver_id: str) -> AnyClaim:
    """The claim with the envelope's parties, the receiver's name only where the caller left it open."""
    replace = msgspec.structs.replace
    if isinstance(claim, InstitutionalClaim):
        to = claim.receiver or InstitutionalReceiver()
        name = to.organization_name or payer_name
        return replace(
            claim,
            trading_partner_service_id=payer_id,
            trading_partner_name=payer_name,
            submitter=replace(claim.submitter or InstitutionalSubmitter(), tax_id=sender_id),
            receiver=replace(to, organization_name=name, receiver_id=receiver_id, tax_id=None),
        )
    receiver = claim.receiver or Receiver()
    return replace(
        claim,
        trading_partner_service_id=payer_id,
        trading_partner_name=payer_name,
        submitter=replace(claim.submitter or Submitter(), submitter_identification=sender_id),
        receiver=replace(receiver, organization_name=receiver.organization_name or payer_name, receiver_id=receiver_id),
    )


def lines_of(claim: AnyClaim) -> Sequence[AnyLine]:
    """The service lines of a claim."""
    information = claim.claim_information
    return (information.service_lines if information is not None else None) or ()


def line_number(line: AnyLine) -> str | None:
    """The provider's own number of a service line."""
    if not isinstance(line, InstitutionalLine):
        return line.provider_control_number
    older = line.service_line_reference_information
    return line.line_item_control_number or (older.provider_control_number if older is not None else None)


def bill_type(claim: AnyClaim) -> str | None:
    """The type of bill of an institutional claim, as a payer keeps it: facility type and frequency (CLM05-1, CLM05-3)."""
    information = claim.claim_information
    if not isinstance(claim, InstitutionalClaim) or information is None or not information.place_of_service_code:
        return None
    return f"{information.place_of_service_code}{information.claim_frequency_code or ''}"


# --- days of service -------------------------------------------------------------------------------------------------


class ServiceDays(Discreet):
    """A day or a period of service (CCYYMMDD) and the JSON paths of its first and last day."""

    first: str | None
    last: str | None
    first_path: str
    last_path: str


_DATES = "claimInformation.claimDateInformation"


def service_days(claim: AnyClaim) -> Iterator[ServiceDays]:
    """The days of service that a claim tells: those of its lines, and of a dental claim as a whole."""
    if isinstance(claim, DentalClaim):
        information = claim.claim_information
        dates = information.claim_date_information if information is not None else None
        if dates is not None and dates.service_date:
            first, _, last = dates.service_date.partition("-")
            yield ServiceDays(first, last or None, f"{_DATES}.serviceDate", f"{_DATES}.serviceDate")
    for index, line in enumerate(lines_of(claim)):
        path = f"claimInformation.serviceLines[{index}]"
        if isinstance(line, DentalLine):
            yield ServiceDays(line.service_date, None, f"{path}.serviceDate", f"{path}.serviceDate")
        elif isinstance(line, InstitutionalLine) and line.service_line_date_information is not None:
            yield _as_before(line, path)
        else:
            yield ServiceDays(line.service_date, line.service_date_end, f"{path}.serviceDate", f"{path}.serviceDateEnd")


def _as_before(line: InstitutionalLine, path: str) -> ServiceDays:
    """The days of an institutional line that tells them under their older names."""
    older, within = line.service_line_date_information, f"{path}.serviceLineDateInformation"
    assert older is not None
    firsts = (
        (line.service_date, f"{path}.serviceDate"),
        (older.begin_service_date, f"{within}.beginServiceDate"),
        (older.service_date, f"{within}.serviceDate"),
    )
    lasts = ((line.service_date_end, f"{path}.serviceDateEnd"), (older.end_service_date, f"{within}.endServiceDate"))
    first = next((f for f in firsts if f[0]), firsts[0])
    last = next((one for one in lasts if one[0]), lasts[0])
    return ServiceDays(first[0], last[0], first[1], last[1])


def statement_days(claim: AnyClaim) -> ServiceDays:
    """The period of an institutional claim's statement; without days where there is none."""
    information = claim.claim_information if isinstance(claim, InstitutionalClaim) else None
    dates = information.claim_date_information if information is not None else None
    first, last = (dates.statement_begin_date, dates.statement_end_date) if dates is not None else (None, None)
    return ServiceDays(first, last, f"{_DATES}.statementBeginDate", f"{_DATES}.statementEndDate")


def span_of(claim: AnyClaim) -> tuple[str, str]:
    """The first and the last day of service by which a payer finds a claim: a statement's period, else those of its lines."""
    told = statement_days(claim)
    spans = (told,) if told.first else service_days(claim)
    days = sorted(day for one in spans for day in (one.first, one.last) if day)
    return (days[0], days[-1]) if days else ("", "")
