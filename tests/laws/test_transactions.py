"""Every kind of transaction set is read into documents, and these are written into an interchange that says the same."""

from __future__ import annotations

import msgspec
import pytest

import x12
from tests import synthetic
from tests.laws.status_values import ENVELOPE, Draw
from tests.laws.test_claim_acknowledgement import report
from tests.laws.test_professional_claim import filled
from tests.laws.test_remittance import remittance
from x12 import guides
from x12.documents.acknowledgements import GroupAcknowledgement, InterchangeAcknowledgement, SetAcknowledgement
from x12.documents.binding import Document
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.professional_claim import ProfessionalClaim, normalised
from x12.transactions import KINDS, Kind, Parcel, documents_of, kind_of, kind_of_document, write


def read_again(text: str) -> list[Document]:
    return [d for i in x12.read(text.encode()) for s in i.sets for d in documents_of(s)]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_a_kind_has_a_guide_a_document_and_ways_to_read_and_write_it(kind: Kind) -> None:
    assert (kind.guide_id, kind.set_id) in guides.available()
    assert issubclass(kind.type, Document)
    # A 997 is only read; what it says is written as a 999.
    assert kind_of_document(kind.type()) is (kind if kind.writer else KINDS["999"])


def test_a_kind_that_is_only_read_is_refused() -> None:
    told = write([Parcel([GroupAcknowledgement()], KINDS["997"])], ENVELOPE)
    assert ("", ["documents[0]"]) == (told.text, [f.path for f in told.findings])


@pytest.mark.parametrize(
    "made",
    [
        *(normalised(filled(seed, 0.2)) for seed in range(3)),
        *(remittance(seed, 0.2) for seed in range(3)),
        *(report(Draw(seed)) for seed in range(3)),
        GroupAcknowledgement(
            functional_id="HC", control_number="7", version="005010X222A1", code="R", included=1, received=1, accepted_sets=0,
            sets=[SetAcknowledgement(set_id="837", control_number="0001", code="R", codes=["5"])],
        ),
    ],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
def test_a_document_is_written_and_read_again(made: Document) -> None:
    told = write([made], ENVELOPE)
    assert [] == [f for f in told.findings if f.severity == "error"]
    first = read_again(told.text)
    assert first == read_again(write(first, ENVELOPE).text)
    assert [kind_of_document(made).name] == [k.name for s in x12.read(told.text.encode())[0].sets if (k := kind_of(s))]


def test_documents_of_several_kinds_get_a_group_each() -> None:
    claim = normalised(filled(1, 0.1))
    told = write([claim, claim, remittance(1, 0.1), claim], ENVELOPE)
    (back,) = x12.read(told.text.encode())
    assert ["HC", "HP", "HC"] == [g.functional_id for g in back.groups]
    assert ([], 4) == (back.findings, len(read_again(told.text)))


def test_one_wrong_document_is_told_by_its_path_and_nothing_is_written() -> None:
    good, bad = normalised(filled(1, 0.1)), ProfessionalClaim()
    told = write([good, bad], ENVELOPE)
    assert ("", False) == (told.text, told.accepted)
    assert {"documents[1]"} == {(f.path or "").partition(".")[0] for f in told.findings if f.severity == "error"}


def test_a_caller_may_name_the_documents() -> None:
    told = write([Parcel([EligibilityRequest()], KINDS["270"], paths=["lines[7]"])], ENVELOPE)
    assert {"lines[7]"} == {(f.path or "").partition(".")[0] for f in told.findings}


def test_an_acknowledgement_of_an_interchange_stands_before_the_groups() -> None:
    said = InterchangeAcknowledgement(control_number="000000001", date="260105", time="0930", code="A", note="000")
    (back,) = x12.read(write([], ENVELOPE, acknowledgements=[said]).text.encode())
    assert [("000000001", "260105", "0930", "A", "000")] == back.acknowledgements
    assert [said.note] == [getattr(d, "note", None) for d in x12.transactions.acknowledgements(back)]


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"sender": "A"}, {("GS", 2)}),
        ({"sender": ""}, {("GS", 2), ("ISA", 6)}),
        ({"receiver": "B"}, {("GS", 3)}),
        ({"sender_qualifier": "XX"}, {("ISA", 5)}),
        ({"usage": "X"}, {("ISA", 15)}),
    ],
)
def test_an_interchange_with_a_wrong_header_is_not_written(
    change: dict[str, str], places: set[tuple[str, int]]
) -> None:
    header = msgspec.structs.replace(ENVELOPE, **change)
    told = write([normalised(filled(1, 0.1))], header)
    assert ("", places) == (told.text, {(f.segment, f.element) for f in told.findings if f.severity == "error"})


def test_a_wrong_acknowledgement_of_an_interchange_is_not_written() -> None:
    said = InterchangeAcknowledgement(control_number="1", date="260105", time="0930", code="X", note=None)
    told = write([], ENVELOPE, acknowledgements=[said])
    assert ("", [1, 4, 5]) == (told.text, sorted(f.element or 0 for f in told.findings))


def test_a_control_number_of_its_own_is_kept_where_it_is_the_only_one() -> None:
    made = [remittance(seed, 0.1) for seed in (1, 2, 3)]
    for one, number in zip(made, ("0002", "0002", None), strict=True):
        one.control_number = number
    numbers = [s.control_number for s in x12.read(write(made, ENVELOPE).text.encode())[0].sets]
    assert ["0002", "0001", "0003"] == numbers


def test_a_set_without_a_guide_has_no_documents() -> None:
    text = synthetic.interchange("BE", "005010X220A1", [["ST*834*{ST02}*005010X220A1"]])
    (one,) = x12.read(text.encode())[0].sets
    assert (None, [], None) == (kind_of(one), documents_of(one), x12.document_of(one))


def test_a_document_that_is_no_transaction_is_refused() -> None:
    with pytest.raises(KeyError):
        write([SetAcknowledgement()], ENVELOPE)


def test_documents_read_as_json_are_the_same() -> None:
    (one,) = x12.read(synthetic.claims_837p(2).encode())[0].sets
    for made in x12.documents_of(one):
        assert made == msgspec.json.decode(msgspec.json.encode(made), type=type(made))
