"""Laws of the 275: documents and their bytes come through writing, reading and JSON as they were."""

from __future__ import annotations

from base64 import b64encode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from tests.laws.cases import cases
from tests.laws.review_values import attachment, returned
from tests.laws.status_values import ENVELOPE, HEADER, Draw, mutated, plain, seeds, set_of, translated
from x12 import transactions
from x12.documents.attachment import (
    AdditionalInformation,
    Attachment,
    AttachmentReference,
    ClaimAttachment,
    write_attachment,
)
from x12.documents.lenient import decode
from x12.envelope import TransactionSet
from x12.transactions import documents_of


@settings(max_examples=cases(150), deadline=None)
@given(seeds, st.floats(0, 1))
def test_an_attachment_that_is_written_is_read_back(seed: int, filled: float) -> None:
    made = attachment(seed, filled)
    assert [made] == documents_of(returned(made))
    assert (made, []) == decode(ClaimAttachment, msgspec.json.encode(made))


@settings(max_examples=cases(150), deadline=None)
@given(st.binary(min_size=1, max_size=300), st.sampled_from(["", "\n", "\r\n"]), st.integers(1, 40))
def test_any_bytes_come_through_whatever_the_pieces(data: bytes, gap: str, size: int) -> None:
    made = with_data(data)
    whole = transactions.write([made], ENVELOPE, gap=gap).text.encode("latin-1")
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert [[made]] == [documents_of(one) for one in x12.stream(pieces) if isinstance(one, TransactionSet)]


@settings(max_examples=cases(100), deadline=None)
@given(seeds)
def test_nothing_received_makes_reading_fail(seed: int) -> None:
    made = returned(attachment(seed, 0.7))
    one = set_of(mutated(Draw(seed), translated(made.segments, made.delimiters)), "PI", "005010X210")
    for document in documents_of(one):
        assert document == msgspec.json.decode(msgspec.json.encode(document), type=ClaimAttachment)


def with_data(data: bytes | None) -> ClaimAttachment:
    made = attachment(1, 0)
    made.attachments = [
        Attachment(
            assigned_number="1",
            trace_type_code="1",
            attachment_control_number="A1",
            additional_information=AdditionalInformation(
                submission_date="20260105",
                report_type_code="AE",
                information_format_code="HL",
                security_level_code="05",
                data=data,
            ),
        )
    ]
    return made


def test_the_length_and_the_numbers_follow() -> None:
    made = with_data(b"A~B")
    assert made.attachments is not None
    made.attachments = [msgspec.structs.replace(one, assigned_number=None) for one in made.attachments * 2]
    made.transaction_set_reference_number = made.transaction_set_creation_date = None
    lines = write_attachment(made, HEADER).segments
    assert ["BIN\x1d3\x1dA~B"] * 2 == [line for line in lines if line.startswith("BIN")]
    assert ["LX\x1d1", "LX\x1d2"] == [line for line in lines if line.startswith("LX")]
    assert f"BGN\x1d{made.transaction_set_purpose_code}\x1d{HEADER.reference}\x1d{HEADER.date}" == lines[1]


@pytest.mark.parametrize("data", [None, b""])
def test_no_bytes_are_a_finding(data: bytes | None) -> None:
    written = write_attachment(with_data(data), HEADER)
    assert not written.accepted
    assert all(str(f.path).startswith("attachments[0].additionalInformation") for f in written.findings)


@pytest.mark.parametrize("value", [1, True, ["QQ=="], {"a": 1}, "SECRET!", "QQ"])
def test_what_is_no_base64_is_told_by_its_field(value: object) -> None:
    body = {"attachments": [{"additionalInformation": {"data": value}}]}
    made, findings = decode(ClaimAttachment, msgspec.json.encode(body))
    assert made is None
    path = "attachments[0].additionalInformation.data"
    assert [(path, f"{path} must be Base64.")] == [(f.path, f.message) for f in findings]


def test_base64_is_taken_beside_numbers_for_text() -> None:
    body = {
        "payer": {"payorId": 12345},
        "attachments": [{"additionalInformation": {"data": b64encode(b"\xff~").decode()}}],
    }
    made, findings = decode(ClaimAttachment, msgspec.json.encode(body))
    assert [] == findings
    assert made is not None
    assert made.attachments is not None
    assert made.attachments[0].additional_information == AdditionalInformation(data=b"\xff~")


def test_a_procedure_has_its_modifiers_beside_it() -> None:
    made = with_data(b"A")
    assert made.attachments is not None
    made.attachments[0].references = [
        AttachmentReference(reference_identification_qualifier="FJ", reference_identification="1"),
        AttachmentReference(
            reference_identification_qualifier="CPT",
            reference_identification="99213",
            second_qualifier="YJ",
            second_identification="99214",
        ),
    ]
    one = returned(made)
    assert "REF*CPT*99213**YJ:99214" in plain(one.segments, one)
    assert [made] == documents_of(one)
