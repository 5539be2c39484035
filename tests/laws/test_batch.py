"""Laws of taking apart and putting together: no segment of a claim is lost or changed, and what comes out is clean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.laws.status_values import HEADER, received, seeds
from tests.laws.test_dental_claim import filled as dental
from tests.laws.test_institutional_claim import filled as institutional
from x12 import guides
from x12.batch import assemble, claims_of, with_reference
from x12.documents import dental_claim, institutional_claim
from x12.documents.parts import Header
from x12.documents.writing import Written
from x12.envelope import read
from x12.finding import Finding
from x12.syntax import CANONICAL, STANDARD, translate
from x12.walk import Instance, Walk, compiled

E = CANONICAL.element


def findings(segments: list[str]) -> list[Finding]:
    walk = Walk(compiled(guides.load(segments[0].split(E)[3], "837"), CANONICAL))
    walk.feed(segments)
    walk.end()
    return walk.findings


def own(segments: list[str]) -> list[str]:
    """The segments from CLM on, without the trailer."""
    start = next(i for i, s in enumerate(segments) if s.startswith(f"CLM{E}"))
    return segments[start:-1]


@pytest.mark.parametrize("make", [synthetic.claims_837p, synthetic.claims_837i, synthetic.claims_837d])
def test_each_claim_alone_is_a_clean_set(make: Callable[..., str]) -> None:
    whole = read(make(60, seed=3).encode())[0].sets[0]
    claims = claims_of(whole)
    assert 60 == len(claims)
    assert [[]] * 60 == [findings(c) for c in claims]


@settings(max_examples=30, deadline=None)
@given(
    make=st.sampled_from([synthetic.claims_837p, synthetic.claims_837i, synthetic.claims_837d]),
    count=st.integers(1, 130),
    seed=st.integers(0, 1000),
)
def test_apart_and_together_keeps_every_claim_and_is_clean(make: Callable[..., str], count: int, seed: int) -> None:
    whole = read(make(count, seed=seed).encode())[0].sets[0]
    claims = claims_of(whole)
    sets = assemble(claims, "REF1", "20260105", "0930")
    assert 1 == len(sets)
    segments, indexes = sets[0]
    assert list(range(count)) == sorted(indexes)
    assert [] == findings(segments)
    again = claims_of(read(f"{translate(envelope(segments, make), CANONICAL, STANDARD)}".encode())[0].sets[0])
    assert Counter(tuple(own(c)) for c in claims) == Counter(tuple(own(c)) for c in again)
    assert [own(claims[i]) for i in indexes] == [own(c) for c in again]


class Claims(NamedTuple):
    """How the claims of one kind are made, written and read."""

    guide_id: str
    filled: Callable[[int, float], Any]
    normalised: Callable[[Any], Any]
    write: Callable[[Any, Header], Written]
    read: Callable[[Instance], list[Any]]
    # What stands at the level of the billing provider.
    billing: tuple[str, ...]


KINDS = (
    Claims(
        institutional_claim.GUIDE_ID,
        institutional,
        institutional_claim.normalised,
        institutional_claim.write_claim,
        institutional_claim.read_claims,
        ("billing", "billing_pay_to_address_name", "billing_pay_to_plan_name"),
    ),
    Claims(
        dental_claim.GUIDE_ID,
        dental,
        dental_claim.normalised,
        dental_claim.write_claim,
        dental_claim.read_claims,
        ("billing", "pay_to_address", "pay_to_plan"),
    ),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.guide_id)
@settings(max_examples=30, deadline=None)
@given(seed=seeds, count=st.integers(1, 9))
def test_claims_of_every_kind_come_apart_and_together(kind: Claims, seed: int, count: int) -> None:
    made = [kind.filled(seed + n, 0.1) for n in range(count)]
    for one in made:
        # What claims of one biller have in common, so that they share a set.
        one.submitter, one.receiver, one.claim_identifier = made[0].submitter, made[0].receiver, "CH"
        for name in kind.billing if seed % 2 else ():
            setattr(one, name, getattr(made[0], name))
    claims = [kind.write(one, HEADER).segments for one in made]
    ((segments, indexes),) = assemble(claims, "REF1", "20260105", "0930")
    assert list(range(count)) == sorted(indexes)
    assert [] == findings(segments)
    back = received(Written(segments, []), "HC", kind.guide_id)
    again = claims_of(back)
    assert [[]] * count == [findings(c) for c in again]
    assert [own(claims[i]) for i in indexes] == [own(c) for c in again]
    assert [kind.normalised(made[i]) for i in indexes] == kind.read(back.tree())
    for claim in again:
        referenced = with_reference(claim, "D9", "OURS1")
        assert [] == findings(referenced)
        assert 1 == sum(s.startswith(f"REF{E}D9{E}") for s in referenced)


def envelope(segments: list[str], make: Callable[..., str]) -> str:
    head = make(1).split("~")[:2]
    lines = [translate(h, STANDARD, CANONICAL) for h in head]
    isa = head[0]
    body = [*lines[1:], *segments, f"GE{E}1{E}1", f"IEA{E}1{E}000000001"]
    return (
        isa.translate({ord("*"): E, ord(":"): CANONICAL.component, ord("^"): CANONICAL.repetition})
        + CANONICAL.segment
        + "".join(s + CANONICAL.segment for s in body)
    )


def test_levels_that_claims_share_are_written_once() -> None:
    whole = read(synthetic.claims_837p(100).encode())[0].sets[0]
    segments, _ = assemble(claims_of(whole), "REF1", "20260105", "0930")[0]
    levels = Counter(s.split(E)[3] for s in segments if s.startswith(f"HL{E}"))
    assert 2 == levels["20"]
    assert 100 == levels["22"]


def test_claims_of_different_submitters_get_sets_of_their_own() -> None:
    one = claims_of(read(synthetic.claims_837p(2).encode())[0].sets[0])
    other = claims_of(
        read(synthetic.claims_837p(2, seed=5).replace("SYNTHETIC BILLING", "OTHER BILLING").encode())[0].sets[0]
    )
    sets = assemble([one[0], other[0], one[1], other[1]], "REF1", "20260105", "0930")
    assert [[0, 2], [1, 3]] == [indexes for _, indexes in sets]
    assert ["0001", "0002"] == [s[0].split(E)[2] for s, _ in sets]


def test_a_reference_is_replaced_or_put_in_its_place() -> None:
    claim = claims_of(read(synthetic.claims_837p(1).encode())[0].sets[0])[0]
    replaced = with_reference(claim, "D9", "OURS1")
    added = with_reference(
        [s for s in claim[:-1] if not s.startswith(f"REF{E}D9")] + [f"SE{E}{len(claim) - 1}{E}0001"], "D9", "OURS1"
    )
    assert [] == findings(replaced)
    assert [] == findings(added)
    for changed in (replaced, added):
        assert 1 == sum(s == f"REF{E}D9{E}OURS1" for s in changed)
        assert 1 == sum(s.startswith(f"REF{E}D9") for s in changed)
