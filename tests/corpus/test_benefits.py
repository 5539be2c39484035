"""Real 271 files are put in order: every EB has its place in the summary, and every figure leads back to its EB."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest

from gateway.benefit_statements import statements
from gateway.benefits import BenefitFigure, BenefitSource, BenefitSummary, summarise
from gateway.estimates import PricedLine, estimate
from tests.corpus.listed import Entry, invalid, received, valid
from x12.documents.binding import Document
from x12.documents.eligibility import EligibilityResponse, benefit_positions, read_responses

FILES = [*valid("271"), *(e for e in invalid() if e.transaction == "271")]


def responses(entry: Entry) -> Iterator[tuple[EligibilityResponse, list[int | None], list[str], str]]:
    """Each patient's response with the places of its EBs, the segments of its set and their separator."""
    for interchange in received(entry):
        for one in interchange.sets:
            if one.set_id == "271" and one.guide is not None:
                root = one.tree()
                for response, positions in zip(read_responses(root), benefit_positions(root), strict=True):
                    yield response, positions, one.segments, one.delimiters.element


def inside(value: Any) -> Iterator[Document]:
    if isinstance(value, Document):
        yield value
        for name in value.__struct_fields__:
            yield from inside(getattr(value, name))
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from inside(item)


@pytest.mark.parametrize("entry", FILES, ids=lambda e: e.file)
def test_every_eb_of_a_real_file_has_its_place(entry: Entry) -> None:
    for response, positions, segments, separator in responses(entry):
        benefits = response.benefits_information or []
        summary = summarise(response, positions)
        sources = [d for d in inside(summary) if isinstance(d, BenefitSource)]
        assert set(range(len(benefits))) == {s.benefit for s in sources}
        for source in sources:
            assert source.segment is not None
            assert ["EB", benefits[source.benefit].code] == segments[source.segment - 1].split(separator)[:2]
        for figure in inside(summary):
            if isinstance(figure, BenefitFigure) and figure.amount is not None:
                said = {benefits[s.benefit].benefit_amount for s in figure.sources}
                assert {Decimal(figure.amount)} == {Decimal(a) for a in said if a}


@pytest.mark.parametrize("entry", FILES, ids=lambda e: e.file)
def test_a_visit_under_a_real_file_costs_between_nothing_and_its_charge(entry: Entry) -> None:
    for response, positions, _, _ in responses(entry):
        lines = [
            PricedLine(
                service_type=code,
                procedure=None,
                modifiers=frozenset(),
                network=network,
                place_of_service=None,
                charge=Decimal(200),
                allowed=Decimal(120),
                units=Decimal(1),
            )
            for code in ("98", "33", "1", "30")
            for network in ("in", "out", None)
        ]
        found = estimate(statements(response, positions), lines, "20260112", None)
        for one in found.lines:
            amounts = [b.amount for b in (one.lowest, one.highest) if b] + [one.amount or "0"]
            assert all(0 <= Decimal(a) <= 200 for a in amounts)


def summary_of(name: str) -> BenefitSummary:
    (entry,) = (e for e in FILES if name in e.file)
    response, positions, _, _ = next(responses(entry))
    return summarise(response, positions)


def copays(summary: BenefitSummary, code: str) -> dict[str | None, list[tuple[str | None, str | None]]]:
    """Network -> amount and period of the copays of a service type."""
    return {
        n.network: [(c.amount, c.time_qualifier) for c in n.copays]
        for s in summary.services or ()
        for n in s.networks
        if s.service_type_code == code and n.copays
    }


def test_the_copays_of_a_health_plan_are_told_by_network() -> None:
    summary = summary_of("linuxforhealth__subscriber-health-benefit-check.271")
    assert (True, "20060101", ["GOLD 123 PLAN"]) == (
        summary.active,
        summary.since,
        [p.name for p in summary.plans or ()],
    )
    assert {"in": [("10", "Visit")], "out": [("30", "Visit")]} == copays(summary, "98")
    assert ["JONES"] == [e.entity_name for p in summary.primary_care or () for e in p.entities or ()]
    assert (None, None) == (summary.until, summary.other_payers)
    assert [] == [n.deductibles for s in summary.services or () for n in s.networks if n.deductibles]


def test_a_medicaid_program_tells_no_beginning_and_no_share() -> None:
    summary = summary_of("gainwell_271_redacted")
    assert (True, None, None, None) == (summary.active, summary.since, summary.until, summary.contradictions)
    assert ["MC"] == [p.insurance_type_code for p in summary.plans or ()]
    assert {"30", "1", "35", "47", "48", "50", "86", "88", "AL", "MH"} == {
        s.service_type_code for s in summary.services or ()
    }
    networks = [n for s in summary.services or () for n in s.networks]
    assert [] == [n for n in networks if n.copays or n.coinsurances or n.deductibles]


def test_a_copay_of_the_plan_stays_that_of_the_plan() -> None:
    summary = summary_of("271_multiple_eb_segments")
    assert {None: [("5", "Calendar Year")]} == copays(summary, "30")
    assert {} == copays(summary, "98")
