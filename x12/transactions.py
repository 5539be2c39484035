"""Which document each kind of transaction set is, in both directions: any set into its documents, documents into interchanges.

A kind is named as people name it: `270`, `837P`, `277CA`, ... The modules of the documents are imported when a set of their
kind is first met, so that whoever reads remittances does not wait for claims.

Sources: the guides that each row names; names of the documents: the dialect.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from x12.acknowledge import sealed
from x12.discreet import Discreet
from x12.envelope import Interchange, TransactionSet
from x12.finding import Finding
from x12.guides import Guide
from x12.headers import judge_gs, judge_isa, judge_ta1
from x12.syntax import CANONICAL, InterchangeHeader, Unwritable, interchange_header, unwritable_character
from x12.tree import Instance

if TYPE_CHECKING:
    from x12.documents.acknowledgements import InterchangeAcknowledgement
    from x12.documents.binding import Document
    from x12.documents.parts import Header
    from x12.documents.writing import Written
    from x12.judging import Manner

__all__ = [
    "KINDS",
    "Kind",
    "Parcel",
    "Sealed",
    "acknowledgements",
    "document_of",
    "documents_of",
    "kind_of",
    "kind_of_document",
    "write",
]

_E = CANONICAL.element
# TRN03 of a question that we ask for somebody: ten characters that name who assigned the number.
_ASSIGNER = "9CLAIMWIRE"
# The kinds whose document tells its ST02 as `controlNumber`.
_NUMBERED = ("275", "277CA", "278-request", "278-response", "835")


class Kind(NamedTuple):
    """One kind of transaction set: its name, guide and group, and where its document type, reader and writer are.

    `asks` tells that its writer also takes a trace number, `chosen` is the code in the set that chooses its guide among those
    that share its id. A kind without a writer is only read.
    """

    name: str
    guide_id: str
    set_id: str
    group_id: str
    title: str
    module: str
    document: str
    reader: str
    writer: str
    asks: str = ""
    chosen: str = ""

    @property
    def type(self) -> type[Document]:
        """The document type."""
        return self._part(self.document)

    def _part(self, name: str) -> Any:
        return getattr(import_module(f"x12.documents.{self.module}"), name)

    def read(self, received: TransactionSet) -> list[Document]:
        """The documents of a set of this kind."""
        return self.read_tree(received.tree())

    def read_tree(self, root: Instance) -> list[Document]:
        """The documents of a set of this kind whose loops are at hand."""
        found: Any = self._part(self.reader)(root)
        return list(found) if isinstance(found, list) else [found]  # pyright: ignore[reportUnknownArgumentType]

    def write_claim(self, made: Document, header: Header, manner: Manner) -> Written:
        """A transaction set with this one claim, of a kind of claims, judged in a manner as it is written."""
        return self._part(self.writer)(made, header, manner)

    def write(self, made: Document, header: Header) -> Written:
        """A transaction set with this one document."""
        trace: dict[str, tuple[Any, ...]] = {
            "": (),
            "number": ("",),
            "number and assigner": ((header.reference, _ASSIGNER),),
        }
        return self._part(self.writer)(made, header, *trace[self.asks])


_ROWS = (
    Kind("270", "005010X279A1", "270", "HS", "Eligibility question", "eligibility_request", "EligibilityRequest",
         "read_requests", "write_request", "number and assigner"),
    Kind("271", "005010X279A1", "271", "HB", "Eligibility answer", "eligibility", "EligibilityResponse",
         "read_responses", "write_response"),
    Kind("275", "005010X210", "275", "PI", "Additional information for a claim", "attachment", "ClaimAttachment",
         "read_attachments", "write_attachment"),
    Kind("276", "005010X212", "276", "HR", "Claim status question", "claim_status", "ClaimStatusRequest",
         "read_status_requests", "write_status_request", "number"),
    Kind("277", "005010X212", "277", "HN", "Claim status answer", "claim_status", "ClaimStatusResponse",
         "read_status_responses", "write_status_response"),
    Kind("277CA", "005010X214", "277", "HN", "Claim acknowledgement", "claim_acknowledgement", "ClaimReport",
         "read_claim_report", "write_claim_report"),
    Kind("278-request", "005010X217", "278", "HI", "Services review question", "services_review", "ServicesReviewRequest",
         "read_reviews", "write_review", chosen="13"),
    Kind("278-response", "005010X217", "278", "HI", "Services review answer", "services_review", "ServicesReviewResponse",
         "read_review_responses", "write_review_response", chosen="11"),
    Kind("835", "005010X221A1", "835", "HP", "Remittance advice", "remittance", "Remittance",
         "read_remittance", "write_remittance"),
    Kind("837P", "005010X222A1", "837", "HC", "Professional claim", "professional_claim", "ProfessionalClaim",
         "read_claims", "write_claim"),
    Kind("837I", "005010X223A2", "837", "HC", "Institutional claim", "institutional_claim", "InstitutionalClaim",
         "read_claims", "write_claim"),
    Kind("837D", "005010X224A2", "837", "HC", "Dental claim", "dental_claim", "DentalClaim",
         "read_claims", "write_claim"),
    Kind("999", "005010X231A1", "999", "FA", "Implementation acknowledgement", "acknowledgements", "GroupAcknowledgement",
         "read_999", "write_999"),
    Kind("997", "005010", "997", "FA", "Functional acknowledgement", "acknowledgements", "GroupAcknowledgement",
         "read_997", ""),
)  # fmt: skip
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}


@cache
def _of_guide(guide: Guide) -> Kind | None:
    named = [k for e in guide.editions for k in _ROWS if (k.guide_id, k.set_id) == (e, guide.set_id)]
    choice = guide.chosen
    return next((k for k in named if choice is None or k.chosen in choice.codes), None)


def kind_of(received: TransactionSet) -> Kind | None:
    """The kind of a received set; None where there is no guide or no document for it."""
    return _of_guide(received.guide) if received.guide is not None else None


def documents_of(received: TransactionSet) -> list[Document]:
    """What a transaction set says, as the dialect's documents: a claim each, a patient each, or the one advice.

    [] for a set whose kind has no document. Never raises on content: what is not there is absent, and what is wrong is in
    `received.findings`.
    """
    kind = kind_of(received)
    return kind.read(received) if kind is not None else []


def document_of(received: TransactionSet) -> Document | None:
    """The first document of a transaction set; None where it has none. An 835, a 277CA and a 999 are always one document."""
    return next(iter(documents_of(received)), None)


def acknowledgements(interchange: Interchange) -> list[Document]:
    """The TA1 segments that stood in an interchange, as documents."""
    from x12.documents.acknowledgements import read_ta1

    return [read_ta1(elements) for elements in interchange.acknowledgements]


def kind_of_document(made: Document) -> Kind:
    """The kind that a document is written as; KeyError for a type that is no whole document."""
    for kind in _ROWS:
        # A module that is not loaded yet can have made no document.
        if kind.document == type(made).__name__ and isinstance(made, kind.type):
            return kind
    raise KeyError(type(made).__name__)


# --- writing -------------------------------------------------------------------------------------------------------


class Parcel(Discreet):
    """Documents that go into one functional group, and what its envelope says. A blank sender or receiver is the interchange's.

    `reference` is BHT03, with a number appended where several sets are made. `paths` are what findings call the documents;
    `documents[N]` where they are left out. `begins` are the indexes of claims that begin another set: without it as many as may share one.
    """

    documents: list[Document]
    kind: Kind
    sender: str = ""
    receiver: str = ""
    control_number: int = 1
    reference: str = "1"
    paths: list[str] = msgspec.field(default_factory=list[str])
    begins: list[int] = msgspec.field(default_factory=list[int])


class Sealed(Discreet):
    """An interchange as text, or "" and why not. Findings have JSON paths that begin at `documents[N]`."""

    text: str
    findings: list[Finding]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


def write(
    parcels: Sequence[Parcel] | Sequence[Document],
    header: InterchangeHeader,
    *,
    acknowledgements: Sequence[InterchangeAcknowledgement] = (),
    gap: str = "",
) -> Sealed:
    """One interchange with a functional group for each parcel, or one group for each run of documents of one kind.

    `acknowledgements` are TA1s that stand before the groups.

    Refuses with findings, and without text, when any document cannot be sent as it is, or what the header says is wrong. Raises KeyError
    for a document that is no whole transaction.
    """
    groups = [p for p in parcels if isinstance(p, Parcel)] or _parcelled(
        [d for d in parcels if not isinstance(d, Parcel)]
    )
    findings: list[Finding] = []
    body = [_ta1(said, findings) for said in acknowledgements]
    for parcel in groups:
        sets = _sets(parcel, header, findings)
        lines = _group(parcel, sets, header)
        findings += judge_gs(lines[0].split(_E)[1:])
        body += lines
    findings += _judged(header)
    if any(f.severity == "error" for f in findings):
        return Sealed("", findings)
    body.append(_E.join(("IEA", str(len(groups)), f"{header.control_number:09d}")))
    try:
        return Sealed(sealed(body, header, gap), findings)
    except Unwritable as error:
        return Sealed("", [*findings, Finding(1, "interchange", "024", f"{error}.", segment="ISA")])


def _judged(header: InterchangeHeader) -> list[Finding]:
    """What is wrong with the ISA that a header becomes; what does not fit into one is told when it is sealed."""
    try:
        text = interchange_header(header, CANONICAL)
    except Unwritable:
        return []
    return judge_isa(text.removesuffix(CANONICAL.segment).split(_E)[1:], CANONICAL)


def _parcelled(made: Sequence[Document]) -> list[Parcel]:
    parcels: list[Parcel] = []
    for one in made:
        kind = kind_of_document(one)
        if not parcels or parcels[-1].kind is not kind:
            parcels.append(Parcel([], kind, control_number=len(parcels) + 1, reference=str(len(parcels) + 1)))
        parcels[-1].documents.append(one)
    return parcels


def _group(parcel: Parcel, sets: Sequence[Sequence[str]], header: InterchangeHeader) -> list[str]:
    sender, receiver = parcel.sender or header.sender, parcel.receiver or header.receiver
    number, kind = str(parcel.control_number), parcel.kind
    lines = [
        _E.join(("GS", kind.group_id, sender, receiver, f"20{header.date}", header.time, number, "X", kind.guide_id))
    ]
    for segments in sets:
        lines += segments
    lines.append(_E.join(("GE", str(len(sets)), number)))
    return lines


def _ta1(said: InterchangeAcknowledgement, findings: list[Finding]) -> str:
    values = [said.control_number, said.date, said.time, said.code, said.note]
    for number, value in enumerate(values, 1):
        if not value or unwritable_character(value) is not None:
            message = f"TA1{number:02d} is missing or has characters that X12 cannot carry."
            findings.append(Finding(1, "interchange", "024", message, segment="TA1", element=number))
    line = _E.join(("TA1", *(value or "" for value in values)))
    told = {f.element for f in findings if f.segment == "TA1"}
    findings += [f for f in judge_ta1(line.rstrip(_E), CANONICAL, late=False) if f.element not in told]
    return line


def _sets(parcel: Parcel, header: InterchangeHeader, findings: list[Finding]) -> list[list[str]]:
    """The transaction sets of a group; what is wrong with them goes to `findings`."""
    from x12.batch import assemble
    from x12.documents.parts import Header

    date, time = f"20{header.date}", header.time
    made: list[list[str]] = []
    if not parcel.kind.writer:
        message = f"A {parcel.kind.name} is only read, never written."
        findings.append(Finding(2, "group", "1", message, path=next(iter(parcel.paths), "documents[0]")))
        return made
    numbers = _set_numbers(parcel)
    for index, (one, number) in enumerate(zip(parcel.documents, numbers, strict=True)):
        written = parcel.kind.write(one, Header(number, f"{parcel.reference}{index or ''}", date, time))
        path = parcel.paths[index] if index < len(parcel.paths) else f"documents[{index}]"
        findings += [msgspec.structs.replace(f, path=f"{path}.{f.path}" if f.path else path) for f in written.findings]
        made.append(written.segments)
    if parcel.kind.set_id == "837" and not any(f.severity == "error" for f in findings):
        claims, made = made, []
        for start, end in pairwise((0, *parcel.begins, len(claims))):
            reference = f"{parcel.reference}{len(made) or ''}"
            assembled = assemble(claims[start:end], reference, date, time, len(made) + 1)
            made += [segments for segments, _ in assembled]
    return made


def _set_numbers(parcel: Parcel) -> list[str]:
    """ST02 of each document: its own where it tells one that nothing before it has, else the next that is free."""
    own = [getattr(d, "control_number", None) if parcel.kind.name in _NUMBERED else None for d in parcel.documents]
    taken, numbers, counted = {n for n in own if n}, list[str](), 0
    for number in own:
        if number and 4 <= len(number) <= 9 and number not in numbers:
            numbers.append(number)
            continue
        counted += 1
        while f"{counted:04d}" in taken:
            counted += 1
        numbers.append(f"{counted:04d}")
    return numbers
