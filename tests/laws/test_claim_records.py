"""Laws of claims one by one: the same documents as of the whole set, and every segment beside them, once and as it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from tests import synthetic
from tests.laws.status_values import HEADER, Draw, corpus_sets, mutated, received, seeds, set_of, translated
from tests.laws.test_dental_claim import filled as dental
from tests.laws.test_institutional_claim import filled as institutional
from tests.laws.test_professional_claim import filled as professional
from x12.batch import assemble
from x12.documents import dental_claim, institutional_claim, professional_claim
from x12.documents.professional_claim import ProfessionalClaim
from x12.documents.remittance import Remittance
from x12.documents.remittance_claim import ClaimPayment
from x12.documents.writing import Written
from x12.envelope import TransactionSet
from x12.syntax import STANDARD
from x12.transactions import documents_of

# Kind -> a claim out of chance, its writer, its guide.
KINDS: dict[str, tuple[Callable[[int, float], Any], Callable[..., Written], str]] = {
    "837P": (professional, professional_claim.write_claim, professional_claim.GUIDE_ID),
    "837I": (institutional, institutional_claim.write_claim, institutional_claim.GUIDE_ID),
    "837D": (dental, dental_claim.write_claim, dental_claim.GUIDE_ID),
}
kinds = st.sampled_from(sorted(KINDS))


def together(kind: str, seed: int, count: int) -> list[str]:
    """One transaction set with several claims out of chance, of which some share a biller, of subscribers and dependents."""
    fill, write, _ = KINDS[kind]
    made = [fill(seed + n, 0.1) for n in range(count)]
    for one in made:
        one.submitter, one.receiver, one.claim_identifier = made[0].submitter, made[0].receiver, "CH"
        if seed % 2:
            one.billing = made[0].billing
    ((segments, _),) = assemble([write(one, HEADER).segments for one in made], "REF1", "20260105", "0930")
    return segments


def payments(one: TransactionSet) -> list[ClaimPayment]:
    found = [d for d in documents_of(one) if isinstance(d, Remittance)]
    return [p for r in found for d in r.detail_info or () for p in d.payment_info or ()]


def expected(one: TransactionSet) -> list[Any]:
    """The documents of a set's claims, read all at once."""
    return list(payments(one)) if one.set_id == "835" else list(documents_of(one))


def check(one: TransactionSet) -> list[x12.Claim[Any]]:
    """What holds of any set: segments as they came, in order, each in one claim at most, and the levels before their claims."""
    found = list(x12.claims(one))
    last = 0
    for claim in found:
        for lines in (claim.own, claim.shared):
            positions = [position for position, _ in lines]
            assert sorted(set(positions)) == positions
            assert [one.segments[p - 1] for p in positions] == [raw for _, raw in lines]
        own = [position for position, _ in claim.own]
        assert own == list(range(own[0], own[0] + len(own)))
        assert last < own[0]
        assert all(position < own[0] for position, _ in claim.shared)
        last = own[-1]
        assert [raw for _, raw in claim.own] == claim.segments
    return found


def covered(found: Sequence[x12.Claim[Any]]) -> set[int]:
    return {position for claim in found for lines in (claim.own, claim.shared) for position, _ in lines}


@settings(max_examples=60, deadline=None)
@given(kinds, seeds, st.integers(1, 6))
def test_each_claim_of_a_set_is_told_with_all_that_its_levels_say(kind: str, seed: int, count: int) -> None:
    one = received(Written(together(kind, seed, count), []), "HC", KINDS[kind][2])
    found = check(one)
    assert expected(one) == [claim.document for claim in found]
    assert [kind] * count == [claim.kind for claim in found]
    # All but the trailer belongs to some claim.
    assert set(range(1, len(one.segments))) == covered(found)
    begin = f"CLM{one.delimiters.element}"
    assert [1] * count == [sum(raw.startswith(begin) for raw in claim.segments) for claim in found]
    assert [True] * count == [claim.segments[0].startswith(begin) for claim in found]
    assert [0] * count == [sum(raw.startswith(begin) for _, raw in claim.shared) for claim in found]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000))
def test_each_claim_that_a_remittance_pays_is_told(count: int, seed: int) -> None:
    (interchange,) = x12.read(synthetic.remittance_835(count, seed=seed).encode())
    (one,) = interchange.sets
    found = check(one)
    assert expected(one) == [claim.document for claim in found]
    assert ["835"] * count == [claim.kind for claim in found]
    assert [True] * count == [claim.segments[0].startswith("CLP*") for claim in found]
    # What adjusts the payment as a whole, and the trailer, belong to no claim.
    rest = [one.segments[p - 1][:3] for p in range(1, len(one.segments) + 1) if p not in covered(found)]
    assert {"PLB", "SE*"} >= set(rest)


@settings(max_examples=200, deadline=None)
@given(kinds, seeds)
def test_nothing_received_makes_telling_fail(kind: str, seed: int) -> None:
    segments = translated(together(kind, seed, 3))
    one = set_of([*mutated(Draw(seed), segments[:-1]), "SE*1*0001"], "HC", KINDS[kind][2])
    found = check(one)
    own = {position for claim in found for position, _ in claim.own}
    assert inside_claims(one) == own
    begun = {p for p, node in enumerate(one.nodes, 1) if node is not None and node.opens and node.loop.id == "2300"}
    assert begun <= {claim.own[0][0] for claim in found}


def inside_claims(one: TransactionSet) -> set[int]:
    """Positions of the segments of claims; one without a place belongs where the segment before it does."""
    found: set[int] = set()
    inside = False
    for position, node in enumerate(one.nodes, 1):
        inside = node.loop.id.startswith(("23", "24")) if node is not None else inside
        if inside:
            found.add(position)
    return found


def test_files_of_others_are_told_claim_by_claim() -> None:
    compared = 0
    for name, one in corpus_sets("837P", "837I", "837D", "835"):
        found = check(one)
        assert (name, expected(one)) == (name, [claim.document for claim in found])
        compared += len(found)
    assert compared > 500


class Watched(list[str]):
    """Segments that know how far they were asked for."""

    asked = 0

    def __iter__(self) -> Iterator[str]:
        for index, raw in enumerate(super().__iter__()):
            self.asked = index + 1
            yield raw


def test_a_claim_is_read_when_it_is_asked_for() -> None:
    (interchange,) = x12.read(synthetic.claims_837p(50).encode())
    (one,) = interchange.sets
    one.segments = watched = Watched(one.segments)
    told = x12.claims(one)
    assert 0 == watched.asked
    first = next(told)
    assert isinstance(first.document, ProfessionalClaim)
    # It is over where the next level or claim begins, and nothing after that was looked at.
    assert first.own[-1][0] + 1 == watched.asked


def test_delimiters_stay_those_of_the_file() -> None:
    (interchange,) = x12.read(synthetic.claims_837p(1).encode())
    (claim,) = x12.claims(interchange.sets[0])
    assert STANDARD.element in claim.segments[0]


def test_a_claim_shows_no_values() -> None:
    (interchange,) = x12.read(synthetic.claims_837p(1).encode())
    (claim,) = x12.claims(interchange.sets[0])
    assert "<Claim>" == repr(claim)


def test_sets_of_other_kinds_have_no_claims() -> None:
    for text in (synthetic.responses_271(2), synthetic.claims_837p(1).replace("005010X222A1", "005010X999")):
        (interchange,) = x12.read(text.encode())
        assert [] == [claim for one in interchange.sets for claim in x12.claims(one)]


def test_segments_that_were_not_kept_cannot_be_told() -> None:
    parts = x12.stream(synthetic.claims_837p(2).encode(), keep=False)
    (one,) = [part for part in parts if isinstance(part, TransactionSet)]
    with pytest.raises(ValueError, match="not kept"):
        x12.claims(one)
