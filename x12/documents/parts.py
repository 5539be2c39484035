"""Parts that several documents share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from x12 import codes
from x12.documents.binding import Document, Text, at, coded, groups, meaning
from x12.documents.writing import DraftLoop
from x12.finding import Finding

__all__ = [
    "AAAError",
    "Address",
    "Contact",
    "Contacts",
    "Diagnosis",
    "Header",
    "PostalAddress",
    "Renamed",
    "located",
    "renamed_findings",
]


class Header(msgspec.Struct, frozen=True):
    """What a transaction set's header says: ST02, BHT03 and the moment (date CCYYMMDD, time HHMM)."""

    control_number: str
    reference: str
    date: str
    time: str

    def put(self, root: DraftLoop, structure: str, purpose: str) -> None:
        """Write BHT01, BHT02, BHT04 and BHT05; BHT03 is the document's own affair."""
        for number, value in ((1, structure), (2, purpose), (4, self.date), (5, self.time)):
            root.put(f"BHT{number:02d}", value)


class PostalAddress(Document):
    """N3 and N4 of whichever loop it is in."""

    address1: Annotated[Text, at("N301")] = None
    address2: Annotated[Text, at("N302")] = None
    city: Annotated[Text, at("N401")] = None
    state: Annotated[Text, at("N402")] = None
    postal_code: Annotated[Text, at("N403")] = None
    country_code: Annotated[Text, at("N404")] = None
    country_sub_division_code: Annotated[Text, at("N407")] = None


class Address(PostalAddress):
    """An address of an eligibility transaction, with the region that N406 names."""

    location_identifier: Annotated[Text, at("N406 N405~RJ")] = None


class Diagnosis(Document):
    """One composite of an HI: the kind of code and the code, without its dot."""

    diagnosis_type_code: Annotated[Text, at("@01-1")] = None
    diagnosis_code: Annotated[Text, at("@01-2")] = None


class Contact(Document):
    """One communication number of a PER, its kind in words."""

    communication_mode: Annotated[Text, coded("@01", codes.table("communication"))] = None
    communication_number: Annotated[Text, at("@02")] = None


class Contacts(Document):
    """PER: a name and up to three communication numbers."""

    name: Annotated[Text, at("PER02")] = None
    contacts: Annotated[list[Contact] | None, groups("PER03", 2, 8)] = None


class AAAError(Document):
    """One rejection (AAA) in words, with what can be done about it."""

    field: Text = None
    code: Annotated[Text, at("AAA03 AAA01~N")] = None
    description: Annotated[Text, meaning("AAA03", codes.table("reject_reason"))] = None
    followup_action: Annotated[Text, coded("AAA04", codes.table("follow_up"))] = None
    location: Text = None
    possible_resolutions: Annotated[Text, meaning("AAA03", codes.table("reject_resolution"))] = None


# A payer's own code, or one newer than the list.
_UNLISTED = ("A reason that the list of reasons does not have", "Ask the payer what it means by this code.")


def located(errors: Sequence[AAAError], loop_id: str) -> list[AAAError]:
    """The rejections of one loop, told where they stand."""
    for error in errors:
        error.field, error.location = "AAA", f"Loop {loop_id}"
        if error.code and error.description is None:
            error.description, error.possible_resolutions = _UNLISTED
    return list(errors)


# Canonical JSON path -> the path that the caller wrote, for findings.
Renamed = dict[str, str]


def renamed_findings(findings: Sequence[Finding], renamed: Mapping[str, str]) -> list[Finding]:
    """Findings whose paths are those that the caller wrote; what is said twice of one field is said once."""
    return list(dict.fromkeys(_renamed(f, renamed) for f in findings)) if renamed else list(findings)


def _renamed(finding: Finding, renamed: Mapping[str, str]) -> Finding:
    path = finding.path or ""
    for canonical in sorted(renamed, key=len, reverse=True):
        if path == canonical or path.startswith((f"{canonical}.", f"{canonical}[")):
            written = renamed[canonical] + path[len(canonical) :]
            return msgspec.structs.replace(finding, message=finding.message.replace(path, written), path=written)
    return finding
