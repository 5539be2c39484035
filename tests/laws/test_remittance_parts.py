"""Laws of taking remittances apart: no claim is lost, doubled or out of place, whatever the size of the parts; what is said of a whole stays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import remittance, reports
from gateway.payers import Route
from tests import synthetic
from x12.documents.remittance import Remittance
from x12.envelope import TransactionSet, read
from x12.remittance_parts import RemittanceWhole, parts, surveyed
from x12.tree import Instance

ROUTE = Route(id="r", adapter="sandbox", usage="T", sender_id="A", receiver_id="B")
CLAIMS = 9
# Totals before claims, adjustments after them, and a loop 2000 without a claim.
TS3 = "TS3*1999999984*11*20261231*4*100~"
PLB = "PLB*1999999984*20261231*CS:A*0~"


def two_sets(newline: str = "") -> bytes:
    """A file of two remittances with several loops 2000 each."""
    text = synthetic.remittance_835(CLAIMS) + synthetic.remittance_835(2, seed=5).replace("SYNTHTRACE1", "SYNTHTRACE2")
    text = text.replace("CLP*PCN00000004", f"LX*7~LX*8~{TS3}CLP*PCN00000004").replace("SE*", f"{PLB}SE*", 1)
    return text.replace("ABARA", "ABÁRA").replace("~", f"~{newline}").encode()


def sets(content: bytes) -> list[TransactionSet]:
    return [s for i in read(content, levels=(3,)) for s in i.sets]


def paid(root: Instance) -> list[remittance.PaidClaim]:
    return list(remittance.paid_claims(root))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, CLAIMS + 2), st.integers(0, CLAIMS), st.sampled_from(["", "\n"]))
def test_parts_have_each_claim_once_and_in_order(size: int, done: int, newline: str) -> None:
    content = two_sets(newline)
    got: dict[int, list[remittance.PaidClaim]] = {0: [], 1: []}
    lasts: list[int] = []
    for part in parts(content, size, {0: done}):
        assert part.first == len(got[part.number]) + (done if part.number == 0 else 0)
        assert part.claims == len(paid(part.root)) <= size
        got[part.number] += paid(part.root)
        lasts += [part.number] if part.last else []
    assert [0, 1] == lasts
    whole = [paid(one.tree()) for one in sets(content)]
    assert [whole[0][done:], whole[1]] == [got[0], got[1]]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_report_in_pieces_is_the_report(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_PIECE_CLAIMS", size)
    content = two_sets()
    for number, one in enumerate(sets(content)):
        told = b"".join(reports.pieces_835(content, number, "T", ROUTE, "T"))
        assert msgspec.json.decode(msgspec.json.encode(reports.report_835(one, "T", ROUTE))) == msgspec.json.decode(
            told
        )


def test_a_report_of_nothing_is_one_in_pieces_too() -> None:
    text = "ST*835*0001~SE*2*0001~".join((synthetic.remittance_835(1).split("ST*", 1)[0], "GE*1*1~IEA*1*000000001~"))
    (one,) = sets(text.encode())
    told = b"".join(reports.pieces_835(text.encode(), 0, "T", None, "P"))
    assert msgspec.json.decode(told)["meta"]["applicationMode"] == "production"
    assert [{"controlNumber": "0001"}] == msgspec.json.decode(told)["transactions"]
    assert Remittance(control_number="0001") == reports.read_remittance(one.tree())


def test_what_a_remittance_says_as_a_whole_is_what_it_says() -> None:
    found = surveyed(two_sets())
    assert found is not None
    for whole, one in zip(found, sets(two_sets()), strict=True):
        assert remittance.payment_key(one.tree()) == remittance.payment_key(whole.head)
        content = hashlib.sha256("\n".join(one.segments[1:-1]).encode()).hexdigest()
        assert (content, len(paid(one.tree())), True) == (whole.content, whole.claims, whole.ended)
        assert (0, one.findings) == (whole.dropped, whole.findings)


def surveyed_one(text: str) -> RemittanceWhole:
    found = surveyed(text.encode())
    assert found is not None
    return found[0]


def test_one_that_does_not_balance_or_does_not_end_is_told() -> None:
    text = synthetic.remittance_835(3)
    wrong = surveyed_one(text.replace("BPR*I*", "BPR*I*9", 1))
    assert {("I12", "error")} == {(f.code, f.severity) for f in wrong.findings}
    cut = surveyed_one(text[: text.index("CLP*PCN00000002")])
    assert (False, 2) == (cut.ended, cut.claims)


def test_a_file_with_anything_else_is_not_taken_apart() -> None:
    text = synthetic.remittance_835(1)
    assert surveyed((text + synthetic.acknowledgement_277ca(1)).encode()) is None
    assert surveyed(b"nothing") is None
    assert surveyed(text.replace("GS*HP", "TA1*000000001*260105*0930*A*000~GS*HP", 1).encode()) is None


def test_files_of_others_are_told_in_pieces_as_they_are(
    monkeypatch: pytest.MonkeyPatch, corpus_835: list[Path]
) -> None:
    monkeypatch.setattr(reports, "_PIECE_CLAIMS", 1)
    for path in corpus_835:
        content = path.read_bytes()
        for number, one in enumerate(sets(content)):
            if one.set_id == "835" and one.guide is not None:
                told = b"".join(reports.pieces_835(content, number, "T", ROUTE, "T"))
                whole = msgspec.json.encode(reports.report_835(one, "T", ROUTE))
                assert msgspec.json.decode(whole) == msgspec.json.decode(told)


@pytest.fixture
def corpus_835() -> list[Path]:
    import os

    folder = os.environ.get("CLAIMWIRE_CORPUS")
    if not folder:
        pytest.skip("CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
    return sorted((Path(folder) / "835").iterdir())
