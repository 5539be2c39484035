"""The laws of the benefit summary: nothing is lost, nothing is made up, and the order of the EBs means nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.benefits import BenefitFigure, BenefitLimit, BenefitSource, BenefitSummary, summarise
from x12.documents.binding import Document
from x12.documents.eligibility import (
    AdditionalInformation,
    Benefit,
    BenefitDates,
    BenefitIdentifiers,
    BenefitProcedure,
    Dates,
    EligibilityResponse,
    Message,
    RelatedEntity,
    ServiceDelivery,
)

_AMOUNTS = ["0", "20", "20.00", "500", "1500", ".5", "-3", "1E3", "many"]
_ABSENT = st.none()


def _some(*values: str) -> st.SearchStrategy[str | None]:
    return st.one_of(_ABSENT, st.sampled_from(values))


BENEFITS = st.builds(
    Benefit,
    code=st.sampled_from(["1", "3", "6", "A", "B", "C", "CB", "D", "E", "F", "G", "I", "J", "L", "R", "V", "Y"]),
    coverage_level_code=_some("IND", "FAM", "EMP"),
    service_type_codes=st.one_of(
        _ABSENT, st.lists(st.sampled_from(["30", "98", "33"]), min_size=1, max_size=2, unique=True)
    ),
    insurance_type_code=_some("HM"),
    plan_coverage=_some("GOLD"),
    time_qualifier_code=_some("23", "25", "29", "24", "32", "33", "27"),
    benefit_amount=_some(*_AMOUNTS),
    benefit_percent=_some("0", ".2", "0.20", "1", "20", "x"),
    quantity_qualifier_code=_some("VS", "S7", "DY"),
    benefit_quantity=_some("0", "12", "12.0", "x"),
    auth_or_cert_indicator=_some("Y", "N", "U"),
    in_plan_network_indicator_code=_some("Y", "N", "W", "U"),
    composite_medical_procedure_identifier=st.one_of(
        _ABSENT,
        st.builds(
            BenefitProcedure,
            product_or_service_id_qualifier_code=st.just("HC"),
            procedure_code=st.sampled_from(["99213", "99396"]),
            diagnosis_code_pointer=st.one_of(_ABSENT, st.just(["1"])),
        ),
    ),
    benefits_service_delivery=st.one_of(
        _ABSENT, st.just([ServiceDelivery(quantity_qualifier_code="VS", quantity="3", time_period_qualifier_code="29")])
    ),
    benefits_date_information=st.one_of(
        _ABSENT, st.builds(BenefitDates, benefit=_some("20260101-20261231", "20260112"), plan_begin=_some("20260101"))
    ),
    benefits_additional_information=st.one_of(_ABSENT, st.just(BenefitIdentifiers(insurance_policy_number="POL-9"))),
    additional_information=st.one_of(_ABSENT, st.just([Message(description="READ ME")])),
    eligibility_additional_information_list=st.one_of(
        _ABSENT,
        st.lists(
            st.builds(
                AdditionalInformation,
                code_list_qualifier_code=st.sampled_from(["ZZ", "NI"]),
                industry_code=st.sampled_from(["11", "22"]),
            ),
            max_size=2,
        ),
    ),
    benefits_related_entities=st.one_of(
        _ABSENT,
        st.just([RelatedEntity(entity_identifier="Primary Care Provider", entity_name="GREENE")]),
        st.just([RelatedEntity(entity_identifier="Secondary Payer", entity_name="OTHER PLAN")]),
    ),
)
SAID = st.lists(BENEFITS, max_size=9)
SETTINGS = settings(max_examples=60, deadline=None)


def told(said: Sequence[Benefit]) -> BenefitSummary:
    positions = [10 + i for i in range(len(said))]
    response = EligibilityResponse(benefits_information=list(said), plan_date_information=Dates(plan_begin="20260101"))
    return summarise(response, positions)


def inside(value: Any) -> Iterator[Document]:
    """Every document in a document, and itself."""
    if isinstance(value, Document):
        yield value
        for name in value.__struct_fields__:
            yield from inside(getattr(value, name))
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from inside(item)


def pointed(summary: BenefitSummary) -> set[int]:
    return {d.benefit for d in inside(summary) if isinstance(d, BenefitSource)}


def same(number: str | None, text: str | None) -> bool:
    """Whether a figure is the number that the payer wrote."""
    return number is None or (text is not None and Decimal(number) == Decimal(text))


@SETTINGS
@given(SAID)
def test_every_eb_is_pointed_at(said: list[Benefit]) -> None:
    assert set(range(len(said))) == pointed(told(said))


@SETTINGS
@given(SAID)
def test_every_figure_is_what_each_of_its_ebs_says(said: list[Benefit]) -> None:
    for figure in inside(told(said)):
        if not isinstance(figure, BenefitFigure):
            continue
        assert figure.sources
        for source in figure.sources:
            benefit = said[source.benefit]
            assert source.benefit + 10 == source.segment
            assert (benefit.code, benefit.coverage_level_code) == (figure.code, figure.coverage_level_code)
            assert same(figure.amount, benefit.benefit_amount)
            assert same(figure.percent, benefit.benefit_percent)
            # Where HSD tells a quantity, that of the EB may be none.
            assert benefit.benefits_service_delivery or same(figure.quantity, benefit.benefit_quantity)


@SETTINGS
@given(SAID)
def test_what_remains_is_never_above_the_total(said: list[Benefit]) -> None:
    for limit in inside(told(said)):
        if isinstance(limit, BenefitLimit) and limit.total and limit.remaining:
            for name in ("amount", "quantity"):
                total, remaining = getattr(limit.total, name), getattr(limit.remaining, name)
                assert total is None or remaining is None or Decimal(remaining) <= Decimal(total)


@SETTINGS
@given(SAID, st.randoms(use_true_random=False))
def test_the_order_of_the_ebs_changes_nothing(said: list[Benefit], chance: Any) -> None:
    order = list(range(len(said)))
    chance.shuffle(order)
    summary = told([said[i] for i in order])
    for source in inside(summary):
        if isinstance(source, BenefitSource):
            source.benefit, source.segment = order[source.benefit], order[source.benefit] + 10
    for document in inside(summary):
        if "sources" in document.__struct_fields__:
            cast("Any", document).sources.sort(key=_index)
    assert _set_of(told(said)) == _set_of(summary)


def _index(source: BenefitSource) -> int:
    return source.benefit


def _set_of(summary: BenefitSummary) -> Any:
    """A summary as it is, but for the order of EBs in the lists that are ordered by EB."""
    value = msgspec.to_builtins(summary)
    for name in ("unreadable", "contradictions"):
        if name in value:
            value[name] = sorted(value[name], key=str)
    return value


@SETTINGS
@given(SAID)
def test_an_eb_said_twice_is_one_figure_with_two_ebs(said: list[Benefit]) -> None:
    once, twice = told(said), told([*said, *said])
    assert msgspec.to_builtins(_without_sources(once)) == msgspec.to_builtins(_without_sources(twice))


def _without_sources(summary: BenefitSummary) -> BenefitSummary:
    for document in inside(summary):
        if "sources" in document.__struct_fields__:
            cast("Any", document).sources = []
    summary.unreadable = None
    return summary


@SETTINGS
@given(SAID)
def test_what_nobody_said_is_absent(said: list[Benefit]) -> None:
    """Each part of the summary is there exactly where an EB of its kind is."""
    parts = {
        "A": "coinsurances",
        "B": "copays",
        "C": "deductibles",
        "E": "exclusions",
        "F": "limitations",
        "I": "non_covered",
    }
    summary = told(said)
    networks = [n for s in summary.services or () for n in s.networks]
    for code, name in parts.items():
        assert any(b.code == code for b in said) == any(getattr(n, name) for n in networks)
    assert any(b.auth_or_cert_indicator for b in said) == any(n.authorizations for n in networks)
    of_plan = [b for b in said if b.code in ("1", "3", "6") and _plan_wide(b)]
    assert (not of_plan or len({b.code == "6" for b in of_plan}) == 2) == (summary.active is None)


def _plan_wide(benefit: Benefit) -> bool:
    types = benefit.service_type_codes
    return "30" in types if types else benefit.composite_medical_procedure_identifier is None


# --- examples of the rules -----------------------------------------------------------------------------------------------


def limit(code: str, period: str | None, amount: str, **further: Any) -> Benefit:
    return Benefit(
        code=code,
        coverage_level_code=further.pop("level", "IND"),
        service_type_codes=["30"],
        time_qualifier_code=period,
        benefit_amount=amount,
        in_plan_network_indicator_code="Y",
        **further,
    )


def deductibles(*said: Benefit) -> list[BenefitLimit]:
    return [d for s in told(said).services or () for n in s.networks for d in n.deductibles or ()]


def test_base_and_remaining_are_one_limit_and_lifetime_is_another() -> None:
    found = deductibles(
        limit("C", "23", "750"), limit("C", "29", "700"), limit("C", "32", "9000"), limit("C", "33", "1")
    )
    values = [(d.total.amount, d.remaining.amount) for d in found if d.total and d.remaining]
    assert [("750", "700"), ("9000", "1")] == sorted(values)


def test_two_totals_are_both_told_and_none_is_chosen() -> None:
    (found,) = deductibles(limit("C", "23", "750"), limit("C", "23", "800"), limit("C", "29", "700"))
    assert (None, None, True) == (found.total, found.remaining, found.contradictory)
    assert ["700", "750", "800"] == sorted(f.amount or "" for f in found.further or ())


def test_totals_that_differ_in_words_are_no_contradiction() -> None:
    said = [limit("C", "23", "750"), limit("C", "23", "800", additional_information=[Message(description="TIER 2")])]
    (found,) = deductibles(*said)
    assert (None, None) == (found.total, found.contradictory)
    assert None is told(said).contradictions


def test_more_remaining_than_there_is_contradicts() -> None:
    (found,) = deductibles(limit("C", "23", "750"), limit("C", "29", "751"))
    assert (None, None, True) == (found.total, found.remaining, found.contradictory)


def test_what_remains_is_not_computed_from_what_was_used() -> None:
    (found,) = deductibles(limit("C", "23", "750"), limit("C", "24", "50"))
    assert found.total is not None
    assert found.used is not None
    assert ("750", "50", None) == (found.total.amount, found.used.amount, found.remaining)


def test_a_single_day_is_no_beginning() -> None:
    said = Benefit(code="1", service_type_codes=["30"])
    looked = summarise(EligibilityResponse(benefits_information=[said], plan_date_information=Dates(plan="20260412")))
    lasting = Dates(plan="20260101-20261231")
    spanned = summarise(EligibilityResponse(benefits_information=[said], plan_date_information=lasting))
    assert (True, None, None) == (looked.active, looked.since, looked.until)
    assert ("20260101", "20261231") == (spanned.since, spanned.until)


def test_a_plan_that_is_active_and_not_is_neither() -> None:
    summary = told([Benefit(code="1", service_type_codes=["30"]), Benefit(code="6", service_type_codes=["30"])])
    assert None is summary.active
    assert ["active"] == [c.what for c in summary.contradictions or ()]


def test_a_service_that_is_active_does_not_make_the_plan_active() -> None:
    assert None is told([Benefit(code="1", service_type_codes=["98"])]).active


def test_another_payer_has_the_numbers_of_its_policy() -> None:
    numbers = BenefitIdentifiers(insurance_policy_number="POL-9", group_number="G-1")
    other = Benefit(code="R", insurance_type_code="HM", benefits_additional_information=numbers)
    # Those of an EB that is about something else are not the other payer's.
    secondary = RelatedEntity(entity_identifier="Secondary Payer", entity_name="OTHER PLAN")
    named = Benefit(code="1", benefits_additional_information=numbers, benefits_related_entities=[secondary])
    of_r, of_name = sorted(told([other, named]).other_payers or (), key=lambda e: e.sources[0].benefit)
    assert of_r.benefits_additional_information == numbers
    assert of_name.benefits_additional_information is None
