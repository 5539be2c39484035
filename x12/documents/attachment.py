"""Additional information to support a claim (275) as JSON, both ways: documents of the provider, with their bytes.

The dialect has no such document: names are those of the guide, in the dialect's style. A document is one transaction set: who
sends, about which claim, and what is attached. The bytes of an attachment are Base64 in JSON.

Source: 005010X210.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from x12 import guides
from x12.documents.binding import Document, Text, at, binary, inside, period, read, segments
from x12.documents.parts import Contacts, Header, PostalAddress
from x12.documents.writing import Writer, Written
from x12.tree import Instance

__all__ = [
    "GUIDE_ID",
    "AdditionalInformation",
    "Attachment",
    "AttachmentPatient",
    "AttachmentPayer",
    "AttachmentProvider",
    "AttachmentReference",
    "AttachmentSubmitter",
    "ClaimAttachment",
    "read_attachments",
    "write_attachment",
]

GUIDE_ID = "005010X210"
_SUBMISSION = "02"


class AttachmentPayer(Document):
    """Whom it goes to: loop 1000A."""

    name: Annotated[Text, at("NM103")] = None
    payor_id: Annotated[Text, at("NM109 NM108=PI")] = None
    services_plan_id: Annotated[Text, at("NM109 NM108=XV")] = msgspec.field(default=None, name="servicesPlanID")
    contact_information: Contacts | None = None


class AttachmentSubmitter(Document):
    """Who sends it: loop 1000B."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    etin: Annotated[Text, at("NM109 NM108=46")] = None


class AttachmentReference(Document):
    """A number and its kind, with what stands beside it: REF."""

    reference_identification_qualifier: Annotated[Text, at("REF01")] = None
    reference_identification: Annotated[Text, at("REF02")] = None
    second_qualifier: Annotated[Text, at("REF04-1")] = None
    second_identification: Annotated[Text, at("REF04-2")] = None
    third_qualifier: Annotated[Text, at("REF04-3")] = None
    third_identification: Annotated[Text, at("REF04-4")] = None
    fourth_qualifier: Annotated[Text, at("REF04-5")] = None
    fourth_identification: Annotated[Text, at("REF04-6")] = None


class _Specialty(Document):
    provider_code: Annotated[Text, at("PRV01")] = None
    taxonomy_code: Annotated[Text, at("PRV03 PRV02~PXC")] = None


class _SecondaryIdentifier(Document):
    reference_identification_qualifier: Annotated[Text, at("REF01")] = None
    reference_identification: Annotated[Text, at("REF02")] = None


class AttachmentProvider(Document):
    """Whose claim it is: loops 1000C and 1100C."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    npi: Annotated[Text, at("NM109 NM108=XX")] = None
    tax_id: Annotated[Text, at("NM109 NM108=FI")] = None
    spn: Annotated[Text, at("NM109 NM108=SV")] = None
    specialty: _Specialty | None = None
    supplemental_identifiers: Annotated[list[_SecondaryIdentifier] | None, segments("REF")] = None
    address: Annotated[PostalAddress | None, inside("1100C")] = None


class AttachmentPatient(Document):
    """Whose claim it is about, and which: loop 1000D."""

    last_name: Annotated[Text, at("NM103")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    member_id: Annotated[Text, at("NM109 NM108=MI")] = None
    health_id: Annotated[Text, at("NM109 NM108=II")] = None
    patient_control_number: Annotated[Text, at("REF[EJ]02")] = None
    institutional_bill_type: Annotated[Text, at("REF[BLT]02")] = None
    medical_record_number: Annotated[Text, at("REF[EA]02")] = None
    clearinghouse_trace_number: Annotated[Text, at("REF[D9]02")] = None
    claim_service_date: Annotated[Text, period("DTP[472]03")] = None


class AdditionalInformation(Document):
    """When it was sent, what it is, and its bytes: loops 2100B and 2110B."""

    submission_date: Annotated[Text, at("DTP[368]03")] = None
    report_type_code: Annotated[Text, at("CAT01")] = None
    information_format_code: Annotated[Text, at("CAT02")] = None
    version_identifier: Annotated[Text, at("CAT03")] = None
    security_level_code: Annotated[Text, at("2110B EFI01")] = None
    data: Annotated[bytes | None, binary("2110B BIN02")] = None


class Attachment(Document):
    """One attachment: what it answers, and its bytes. Loop 2000A with what is in it.

    The information that the payer asked for is told by LOINC, each with a category of the claim's status.
    """

    assigned_number: Annotated[Text, at("LX01")] = None
    trace_type_code: Annotated[Text, at("TRN01")] = None
    attachment_control_number: Annotated[Text, at("TRN02")] = None
    status_category_code: Annotated[Text, at("STC01-1")] = None
    requested_information_code: Annotated[Text, at("STC01-2 STC01-4~LOI")] = None
    second_status_category_code: Annotated[Text, at("STC10-1")] = None
    second_requested_information_code: Annotated[Text, at("STC10-2 STC10-4~LOI")] = None
    third_status_category_code: Annotated[Text, at("STC11-1")] = None
    third_requested_information_code: Annotated[Text, at("STC11-2 STC11-4~LOI")] = None
    references: Annotated[list[AttachmentReference] | None, segments("REF")] = None
    service_date: Annotated[Text, period("2100A DTP[472]03")] = None
    additional_information: Annotated[AdditionalInformation | None, inside("2100B")] = None


class ClaimAttachment(Document):
    """A 275: additional information for one claim."""

    control_number: Text = None
    transaction_set_purpose_code: Annotated[Text, at("275 BGN01", default=_SUBMISSION)] = None
    transaction_set_reference_number: Annotated[Text, at("275 BGN02")] = None
    transaction_set_creation_date: Annotated[Text, at("275 BGN03")] = None
    payer: Annotated[AttachmentPayer | None, inside("1000A")] = None
    submitter: Annotated[AttachmentSubmitter | None, inside("1000B")] = None
    provider: Annotated[AttachmentProvider | None, inside("1000C")] = None
    patient: Annotated[AttachmentPatient | None, inside("1000D")] = None
    attachments: Annotated[list[Attachment] | None, inside("2000A")] = None


def read_attachments(root: Instance) -> list[ClaimAttachment]:
    """The document of a walked 275: always one."""
    made = read(ClaimAttachment, root)
    made.control_number = [*(root.rows().get("ST") or [[]])[0], "", "", ""][2] or None
    return [made]


def write_attachment(attachment: ClaimAttachment, header: Header) -> Written:
    """A 275. What the document does not tell of BGN comes from the header, and attachments without a number are numbered."""
    writer = Writer(guides.load(GUIDE_ID, "275"), header.control_number)
    writer.write(attachment, writer.root)
    for place, told, given in (
        ("BGN02", attachment.transaction_set_reference_number, header.reference),
        ("BGN03", attachment.transaction_set_creation_date, header.date),
    ):
        if not told:
            writer.root.put(place, given)
    for number, loop in enumerate((c for c in writer.root.children if c.loop.id == "2000A"), 1):
        loop.segment("LX").fill(1, 0, str(number))
    return writer.finish()
