"""The WSDL and schema of CORE vC2.2.0, in the shape in which payers publish them: what a client is generated from."""

from __future__ import annotations

__all__ = ["schema", "wsdl"]

_TYPES = "http://www.caqh.org/SOAP/WSDL/CORERule2.2.0.xsd"
_HEAD = ("PayloadType string", "ProcessingMode {mode}", "PayloadID string")
_IDS = ("TimeStamp string", "SenderID string", "ReceiverID string", "CORERuleVersion string")
_ERRORS = ("ErrorCode string", "ErrorMessage string")
_BATCH = (*_HEAD, "PayloadLength int {length}", *_IDS, "CheckSum string {length}", "Payload base64Binary {payload}")

# Element -> its children in order, each "name type", and "?" where it may be left out.
ELEMENTS = {
    "COREEnvelopeRealTimeRequest": (*_HEAD, *_IDS, "Payload string"),
    "COREEnvelopeRealTimeResponse": (*_HEAD, *_IDS, "Payload string ?", *_ERRORS),
    "COREEnvelopeBatchSubmission": _BATCH,
    "COREEnvelopeBatchSubmissionResponse": (*_BATCH, *_ERRORS),
    "COREEnvelopeBatchSubmissionAckRetrievalRequest": _BATCH,
    "COREEnvelopeBatchSubmissionAckRetrievalResponse": (*_BATCH, *_ERRORS),
    "COREEnvelopeBatchResultsRetrievalRequest": _BATCH,
    "COREEnvelopeBatchResultsRetrievalResponse": (*_BATCH, *_ERRORS),
    "COREEnvelopeBatchResultsAckSubmission": _BATCH,
    "COREEnvelopeBatchResultsAckSubmissionResponse": (*_BATCH, *_ERRORS),
}
OPERATIONS = {
    "RealTimeTransaction": ("COREEnvelopeRealTimeRequest", "COREEnvelopeRealTimeResponse"),
    "BatchSubmitTransaction": ("COREEnvelopeBatchSubmission", "COREEnvelopeBatchSubmissionResponse"),
    "BatchSubmitAckRetrievalTransaction": (
        "COREEnvelopeBatchSubmissionAckRetrievalRequest",
        "COREEnvelopeBatchSubmissionAckRetrievalResponse",
    ),
    "BatchResultsRetrievalTransaction": (
        "COREEnvelopeBatchResultsRetrievalRequest",
        "COREEnvelopeBatchResultsRetrievalResponse",
    ),
    "BatchResultsAckSubmitTransaction": (
        "COREEnvelopeBatchResultsAckSubmission",
        "COREEnvelopeBatchResultsAckSubmissionResponse",
    ),
}


def _child(line: str, element: str) -> str:
    must = "" if element == "COREEnvelopeBatchSubmission" else "?"
    mode = "RealTimeMode" if "RealTime" in element else "BatchMode"
    name, kind, *may = line.format(mode=mode, length=must, payload=must).split()
    prefix = "c:" if kind.endswith("Mode") else "xs:"
    least = ' minOccurs="0"' if "?" in may else ""
    return f'<xs:element name="{name}" type="{prefix}{kind}"{least}/>'


def schema() -> str:
    """The schema: children are unqualified, in a sequence."""
    modes = "".join(
        f'<xs:simpleType name="{mode}Mode"><xs:restriction base="xs:string"><xs:pattern value="{mode}"/></xs:restriction></xs:simpleType>'
        for mode in ("RealTime", "Batch")
    )
    elements = "".join(
        f'<xs:element name="{name}"><xs:complexType><xs:sequence>{"".join(_child(c, name) for c in children)}</xs:sequence>'
        "</xs:complexType></xs:element>"
        for name, children in ELEMENTS.items()
    )
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:c="{_TYPES}" targetNamespace="{_TYPES}">'
        f"{modes}{elements}</xs:schema>"
    )


def wsdl(address: str) -> str:
    """The description of a service at this address: SOAP 1.2, document/literal."""
    messages = "".join(
        f'<w:message name="{name}"><w:part name="body" element="c:{name}"/></w:message>' for name in ELEMENTS
    )
    port = "".join(
        f'<w:operation name="{name}"><w:input message="t:{asked}"/><w:output message="t:{told}"/></w:operation>'
        for name, (asked, told) in OPERATIONS.items()
    )
    binding = "".join(
        f'<w:operation name="{name}"><s:operation soapAction="{name}" style="document"/><w:input><s:body use="literal"/></w:input>'
        '<w:output><s:body use="literal"/></w:output></w:operation>'
        for name in OPERATIONS
    )
    return (
        f'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:c="{_TYPES}"'
        ' xmlns:t="http://www.caqh.org/SOAP/WSDL/" targetNamespace="http://www.caqh.org/SOAP/WSDL/" name="CORE">'
        f'<w:types>{schema()}</w:types>{messages}<w:portType name="CORETransactions">{port}</w:portType>'
        '<w:binding name="CoreSoapBinding" type="t:CORETransactions"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>'
        f'{binding}</w:binding><w:service name="Core"><w:port name="CoreSoapPort" binding="t:CoreSoapBinding">'
        f'<s:address location="{address}"/></w:port></w:service></w:definitions>'
    )
