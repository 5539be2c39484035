"""Laws that hold for a claim of every kind, professional, institutional and dental: what is written is read back, whatever came.

What is one kind's own stands in `test_professional_claim.py`, `test_institutional_claim.py` and `test_dental_claim.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws import test_dental_claim, test_institutional_claim, test_professional_claim
from tests.laws.cases import cases
from tests.laws.claim_values import comparable, leaves, upwards, walked
from tests.laws.status_values import HEADER, Draw, corpus_sets, mutated, plain, received, seeds, tree_of
from x12 import guides
from x12.documents import dental_claim, institutional_claim, professional_claim
from x12.documents.claim_parts import BillingAtPayer
from x12.documents.field_paths import places

AT_PAYER = {BillingAtPayer: "billing."}


@dataclass(frozen=True)
class Kind:
    """A kind of claim: the module with its document, the module with its own laws, and its document."""

    name: str
    x12: Any
    laws: Any
    document: Any
    # What a struct says beside the names of its own: these are parts of others.
    otherwise: Mapping[type[Any], str]
    # How many claims of the corpus come back as they were.
    in_corpus: int = 0

    @property
    def guide(self) -> guides.Guide:
        return guides.load(self.x12.GUIDE_ID, "837")


DISABILITY = {professional_claim.OneDisabilityDate: "claimInformation.claimDateInformation."}
PROFESSIONAL = Kind(
    "837P",
    professional_claim,
    test_professional_claim,
    professional_claim.ProfessionalClaim,
    AT_PAYER | DISABILITY,
    501,
)
INSTITUTIONAL = Kind(
    "837I", institutional_claim, test_institutional_claim, institutional_claim.InstitutionalClaim, AT_PAYER
)
DENTAL = Kind("837D", dental_claim, test_dental_claim, dental_claim.DentalClaim, AT_PAYER, 8)
every_kind = pytest.mark.parametrize("kind", [PROFESSIONAL, INSTITUTIONAL, DENTAL], ids=lambda kind: kind.name)


@every_kind
@settings(max_examples=cases(600), deadline=None)
@given(seed=seeds, richness=st.sampled_from([0.03, 0.1, 0.2, 0.4]))
def test_what_is_written_is_read_back(kind: Kind, seed: int, richness: float) -> None:
    made = kind.laws.filled(seed, richness)
    canonical = kind.x12.normalised(made)
    written = kind.x12.write_claim(made, HEADER)
    assert [] == written.findings
    assert [canonical] == kind.x12.read_claims(walked(kind.guide, written))
    assert canonical == kind.x12.normalised(canonical)


@every_kind
@settings(max_examples=cases(80), deadline=None)
@given(seed=seeds)
def test_delimiters_change_nothing(kind: Kind, seed: int) -> None:
    made = kind.laws.filled(seed, 0.3)
    back = received(kind.x12.write_claim(made, HEADER), "HC", kind.x12.GUIDE_ID)
    assert [kind.x12.normalised(made)] == kind.x12.read_claims(back.tree())


@every_kind
def test_every_bound_field_is_written_and_read(kind: Kind) -> None:
    wanted = {path for path, _ in places(kind.document, "2300")}
    for cls, prefix in kind.otherwise.items():
        wanted |= {path for path, _ in places(cls, "2300", prefix)}
    seen: set[str] = set()
    for seed in range(40):
        made = kind.laws.filled(seed, 0.6 if seed % 4 else 0.95)
        assert made.billing is not None
        kind.laws.numbered_at_payer(made.billing, seed)
        (back,) = kind.x12.read_claims(walked(kind.guide, kind.x12.write_claim(made, HEADER)))
        seen |= set(leaves(msgspec.to_builtins(back)))
    assert set() == wanted - seen


@every_kind
@settings(max_examples=cases(300), deadline=None)
@given(seed=seeds)
def test_nothing_received_makes_reading_fail(kind: Kind, seed: int) -> None:
    original = plain(kind.x12.write_claim(kind.laws.filled(seed, 0.15), HEADER).segments)
    changed = mutated(Draw(seed), [s if not s.startswith("HL*") else "HL*1**20*1" for s in original])
    for each in kind.x12.read_claims(tree_of([*changed, "SE*1*0001"], "HC", kind.x12.GUIDE_ID)):
        assert each == msgspec.json.decode(msgspec.json.encode(each), type=kind.document)
        kind.x12.write_claim(each, HEADER)


# The corpus has institutional claims with errors, which come back as well: their law is their own.
@pytest.mark.parametrize("kind", [PROFESSIONAL, DENTAL], ids=lambda kind: kind.name)
def test_clean_files_come_back_segment_by_segment(kind: Kind) -> None:
    compared = 0
    for name, one in corpus_sets(kind.name):
        if any(f.severity == "error" for f in one.findings):
            continue
        root = one.tree()
        for loop, read in zip(root.all("2300"), kind.x12.read_claims(root), strict=True):
            assert read == kind.x12.normalised(read), name
            again = msgspec.json.decode(msgspec.json.encode(read), type=kind.document)
            assert comparable(plain(upwards(loop), one)) == comparable(kind.laws.segments(again)), name
            compared += 1
    assert compared >= kind.in_corpus


@every_kind
def test_unknown_keys_and_nulls_are_ignored(kind: Kind) -> None:
    text = b'{"partnerId": true, "billing": null, "claimInformation": {"patientControlNumber": "P1", "x": [1]}}'
    found = msgspec.json.decode(text, type=kind.document)
    assert msgspec.convert({"claimInformation": {"patientControlNumber": "P1"}}, kind.document) == found


@pytest.mark.parametrize("kind", [PROFESSIONAL, INSTITUTIONAL], ids=lambda kind: kind.name)
def test_a_listed_provider_without_a_place_is_refused(kind: Kind) -> None:
    claim, paths = kind.laws.claim, kind.laws.paths
    listed = [{"providerType": "RenderingProvider", "lastName": "R"}, {"providerType": "Chef", "lastName": "C"}]
    assert ["providers[1].providerType"] == paths(claim(providers=listed))
    assert ["providers[0].providerType", "providers[1].providerType"] == paths(
        claim(rendering={"lastName": "X"}, providers=listed)
    )
