"""The laws of estimates: exact where all is told, and, whatever is left untold, bounds that the exact amount lies in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.benefit_statements import statements
from gateway.estimate_messages import Estimate
from gateway.estimates import PricedLine, estimate
from tests.laws.test_benefits import BENEFITS
from x12.documents.eligibility import (
    AdditionalInformation,
    Benefit,
    BenefitDates,
    BenefitProcedure,
    EligibilityResponse,
    Message,
)

DAY = "20260112"
SETTINGS = settings(max_examples=120, deadline=None)
# Service types of the plan below, by how their share is told.
COPAY, COINSURANCE, FREE = ("98", "33"), ("5", "62"), ("80",)
EVERY = (*COPAY, *COINSURANCE, *FREE)


class Plan(msgspec.Struct, frozen=True):
    """A plan of which everything is known; money in whole cents, percents in hundredths."""

    deductible: tuple[int, int]
    family_deductible: tuple[int, int] | None
    most: tuple[int, int]
    copays: dict[str, int]
    percents: dict[str, int]


class Visit(msgspec.Struct, frozen=True):
    """A line: its service type and what is allowed of what is charged, in cents."""

    service: str
    allowed: int
    charge: int


def _pair(most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, most), st.integers(0, most)).map(lambda p: (max(p), min(p)))


PLANS = st.builds(
    Plan,
    deductible=_pair(90_000),
    family_deductible=st.one_of(st.none(), _pair(150_000)),
    most=_pair(120_000),
    copays=st.fixed_dictionaries({s: st.integers(0, 9_000) for s in COPAY}),
    percents=st.fixed_dictionaries({s: st.integers(0, 100) for s in COINSURANCE}),
)


def _visit(service: str, allowed: int, more: int) -> Visit:
    return Visit(service, allowed, allowed + more)


VISITS = st.lists(
    st.builds(_visit, st.sampled_from(EVERY), st.integers(0, 60_000), st.integers(0, 20_000)), min_size=1, max_size=4
)


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def owed(plan: Plan, visits: Sequence[Visit]) -> list[int]:
    """The reference: what each line comes to, in cents, told as plainly as possible and without any code of ours."""
    lefts = [plan.deductible[1]] + ([plan.family_deductible[1]] if plan.family_deductible else [])
    most, copays = plan.most[1], dict(plan.copays)
    found: list[int] = []
    for visit in visits:
        first = min(visit.allowed, *lefts) if visit.service in COINSURANCE else 0
        rest = visit.allowed - first
        second = min(rest, copays.get(visit.service, 0))
        share = Fraction((rest - second) * plan.percents.get(visit.service, 0), 100)
        third = int(share + Fraction(1, 2))
        total = min(first + second + third, most)
        found.append(total)
        lefts = [left - min(first, most) for left in lefts]
        copays[visit.service] = copays.get(visit.service, 0) - second
        most -= total
    return found


def told(plan: Plan) -> list[Benefit]:
    """All of a plan as EBs."""

    def limit(code: str, services: list[str], level: str, period: str, cents: int) -> Benefit:
        return Benefit(
            code=code,
            coverage_level_code=level,
            service_type_codes=services,
            time_qualifier_code=period,
            benefit_amount=money(cents),
            in_plan_network_indicator_code="Y",
        )

    said = [Benefit(code="1", service_type_codes=["30"]), Benefit(code="1", service_type_codes=list(EVERY))]
    for code, level, pair in (
        ("C", "IND", plan.deductible),
        ("C", "FAM", plan.family_deductible),
        ("G", "IND", plan.most),
    ):
        if pair is not None:
            said += [limit(code, ["30"], level, "23", pair[0]), limit(code, ["30"], level, "29", pair[1])]
    # The services with a copay are free of the deductible, and so is the free one.
    said.append(limit("C", [*COPAY, *FREE], "IND", "23", 0))
    for service, cents in (*plan.copays.items(), (FREE[0], 0)):
        said.append(limit("B", [service], "IND", "27", cents))
    for service, percent in plan.percents.items():
        said.append(
            Benefit(
                code="A",
                coverage_level_code="IND",
                service_type_codes=[service],
                benefit_percent=f"{percent / 100:.2f}",
                in_plan_network_indicator_code="Y",
            )
        )
    return said


def line(visit: Visit, **changed: Any) -> PricedLine:
    made = PricedLine(
        service_type=visit.service,
        procedure=None,
        modifiers=frozenset(),
        network="in",
        place_of_service=None,
        charge=Decimal(visit.charge) / 100,
        allowed=Decimal(visit.allowed) / 100,
        units=Decimal(1),
    )
    return msgspec.structs.replace(made, **changed)


def asked(said: Sequence[Benefit], lines: Sequence[PricedLine], age: int | None = 40) -> Estimate:
    return estimate(statements(EligibilityResponse(benefits_information=list(said))), lines, DAY, age)


def bounds(told_line: Any) -> tuple[Decimal, Decimal] | None:
    """What a line may come to; None where it is not known."""
    if told_line.basis == "unknown":
        return None
    low = told_line.lowest.amount if told_line.lowest else told_line.amount
    high = told_line.highest.amount if told_line.highest else told_line.amount
    return Decimal(low), Decimal(high)


@SETTINGS
@given(PLANS, VISITS)
def test_where_all_is_told_the_estimate_is_exact(plan: Plan, visits: list[Visit]) -> None:
    found = asked(told(plan), [line(v) for v in visits])
    expected = owed(plan, visits)
    assert [money(c) for c in expected] == [one.amount for one in found.lines]
    assert ("exact", money(sum(expected))) == (found.basis, found.amount)


@SETTINGS
@given(PLANS, VISITS)
def test_the_steps_of_a_line_add_up_to_it(plan: Plan, visits: list[Visit]) -> None:
    for one in asked(told(plan), [line(v) for v in visits]).lines:
        assert Decimal(one.amount or "") == sum((Decimal(s.amount) for s in one.steps or ()), Decimal(0))
        assert all(s.sources for s in one.steps or ())


# Ways to know less. Each takes the EBs and the lines, and leaves the plan as it really is among the possible ones.
def _without(said: list[Benefit], code: str, *periods: str) -> list[Benefit]:
    return [b for b in said if b.code != code or (periods and b.time_qualifier_code not in periods)]


def _other_copay(said: list[Benefit]) -> list[Benefit]:
    copies = [msgspec.structs.replace(b, benefit_amount="31.50") for b in said if b.code == "B"]
    return [*copies, *said]


def _elsewhere(said: list[Benefit]) -> list[Benefit]:
    """Shares of other places of service, which the lines do not tell."""
    places = [AdditionalInformation(code_list_qualifier_code="ZZ", industry_code="22")]
    return [
        *said,
        *(
            msgspec.structs.replace(
                b, eligibility_additional_information_list=places, benefit_amount="77" if b.benefit_amount else None
            )
            for b in said
            if b.code in ("A", "B", "C")
        ),
    ]


def _limited(said: list[Benefit]) -> list[Benefit]:
    visits = Benefit(
        code="F",
        service_type_codes=list(EVERY),
        time_qualifier_code="23",
        quantity_qualifier_code="VS",
        benefit_quantity="9",
    )
    return [*said, visits]


Known = tuple[list[Benefit], list[PricedLine]]
IGNORANCE: dict[str, Callable[[list[Benefit], list[PricedLine]], Known]] = {
    "what remains of the deductible": lambda said, lines: (_without(said, "C", "29"), lines),
    "what remains to the maximum": lambda said, lines: (_without(said, "G", "29"), lines),
    "the maximum": lambda said, lines: (_without(said, "G"), lines),
    "every deductible": lambda said, lines: (_without(said, "C"), lines),
    "the deductible of the services": lambda said, lines: (
        [b for b in said if b.code != "C" or b.service_type_codes == ["30"]],
        lines,
    ),
    "which copay": lambda said, lines: (_other_copay(said), lines),
    "the place of service": lambda said, lines: (_elsewhere(said), lines),
    "whether visits are left": lambda said, lines: (_limited(said), lines),
    "what is allowed": lambda said, lines: (said, [msgspec.structs.replace(one, allowed=None) for one in lines]),
    "the network": lambda said, lines: (said, [msgspec.structs.replace(one, network=None) for one in lines]),
    "the time of copays": lambda said, lines: (
        [msgspec.structs.replace(b, time_qualifier_code=None) if b.code == "B" else b for b in said],
        lines,
    ),
}


@SETTINGS
@given(PLANS, VISITS, st.lists(st.sampled_from(sorted(IGNORANCE)), unique=True, min_size=1, max_size=4))
def test_what_is_not_known_widens_the_estimate_around_the_truth(
    plan: Plan, visits: list[Visit], unknown: list[str]
) -> None:
    said, lines = told(plan), [line(v) for v in visits]
    for name in unknown:
        said, lines = IGNORANCE[name](said, lines)
    found, truth = asked(said, lines), owed(plan, visits)
    for one, cents in zip(found.lines, truth, strict=True):
        between = bounds(one)
        if between is not None:
            assert between[0] <= Decimal(cents) / 100 <= between[1], (unknown, one.line_number)
    if found.basis == "range":
        assert Decimal(found.low or "") <= Decimal(sum(truth)) / 100 <= Decimal(found.high or "")
    elif found.basis == "exact":
        assert money(sum(truth)) == found.amount
    else:
        assert Decimal(found.low or "") <= Decimal(sum(truth)) / 100


@pytest.mark.parametrize("name", sorted(IGNORANCE))
def test_each_thing_that_is_not_known_can_make_a_range(name: str) -> None:
    """The law above would hold for a reader that learns nothing: each of its ways to know less does take something away."""
    plan = Plan((90_000, 30_000), None, (200_000, 100_000), {"98": 2_500, "33": 4_000}, {"5": 20, "62": 50})
    visits = [Visit(s, 20_000, 30_000) for s in ("98", "98", "5", "62")]
    said, lines = IGNORANCE[name](told(plan), [line(v) for v in visits])
    assert "exact" != asked(said, lines).basis


@SETTINGS
@given(PLANS, VISITS, st.randoms(use_true_random=False))
def test_the_order_of_the_ebs_changes_no_amount(plan: Plan, visits: list[Visit], chance: Any) -> None:
    said = told(plan)
    before = asked(said, [line(v) for v in visits])
    chance.shuffle(said)
    after = asked(said, [line(v) for v in visits])
    assert [(one.basis, one.amount) for one in before.lines] == [(one.basis, one.amount) for one in after.lines]


@SETTINGS
@given(
    st.lists(BENEFITS, max_size=10),
    st.lists(
        st.tuples(st.sampled_from(["98", "33", "30", "47"]), st.sampled_from(["in", "out", None]), st.booleans()),
        min_size=1,
        max_size=3,
    ),
)
def test_whatever_is_said_what_is_owed_lies_between_nothing_and_all(
    said: list[Benefit], wanted: list[tuple[str, str | None, bool]]
) -> None:
    visits = [(line(Visit(s, 10_000, 16_000), network=n, **({"allowed": None} if c else {}))) for s, n, c in wanted]
    found = asked(said, visits)
    for one in found.lines:
        between = bounds(one)
        assert between is None or 0 <= between[0] <= between[1] <= 160
        assert (one.basis == "range") == (between is not None and between[0] < between[1])
        assert (one.basis != "exact") == bool(one.unknown)
    indices = {s.benefit for one in found.lines for step in one.steps or () for s in step.sources}
    assert indices <= set(range(len(said)))


@SETTINGS
@given(st.lists(BENEFITS, max_size=10))
def test_a_share_that_nobody_told_stays_unknown(said: list[Benefit]) -> None:
    """Neither copay nor coinsurance, nothing that is not covered: whatever else is said, there is no amount."""
    silent = [b for b in said if b.code not in ("A", "B", "I", "6", "F")]
    (one,) = asked(silent, [line(Visit("47", 10_000, 16_000))]).lines
    assert ("unknown", None, None) == (one.basis, one.amount, one.lowest)


@SETTINGS
@given(PLANS, VISITS, st.lists(BENEFITS, max_size=6))
def test_what_is_said_of_other_services_changes_nothing(plan: Plan, visits: list[Visit], others: list[Benefit]) -> None:
    lines = [line(v) for v in visits]
    apart = [
        msgspec.structs.replace(b, service_type_codes=["88"], composite_medical_procedure_identifier=None)
        for b in others
    ]
    before, after = asked(told(plan), lines), asked([*told(plan), *apart], lines)
    assert [(one.basis, one.amount) for one in before.lines] == [(one.basis, one.amount) for one in after.lines]


# --- examples of the rules -----------------------------------------------------------------------------------------------

PLAN = Plan((90_000, 0), None, (200_000, 100_000), {"98": 2_500, "33": 4_000}, {"5": 20, "62": 50})


def single(said: Sequence[Benefit], age: int | None = 40, **changed: Any) -> tuple[str, ...]:
    """Basis and amounts of one line for an office visit of 100, 150 charged."""
    (one,) = asked(said, [line(Visit("98", 10_000, 15_000), **changed)], age).lines
    between = bounds(one)
    return (one.basis, *sorted({str(b) for b in between or ()}))


def share(code: str, value: str, **further: Any) -> Benefit:
    name = "benefit_amount" if code == "B" else "benefit_percent"
    return Benefit(
        code=code,
        service_type_codes=further.pop("services", ["98"]),
        time_qualifier_code="27",
        in_plan_network_indicator_code=further.pop("network", "Y"),
        **{name: value},
        **further,
    )


def test_a_share_of_the_network_comes_before_one_of_both() -> None:
    assert ("exact", "25.00") == single([*told(PLAN), share("B", "60", network="W")])
    assert ("exact", "25.00") == single([*told(PLAN), share("B", "60", network=None)])


def test_a_service_whose_share_is_told_is_covered() -> None:
    said = told(PLAN)
    assert ("exact", "25.00") == single(said[:1] + said[2:])
    (one,) = asked(said, [line(Visit("47", 10_000, 15_000))]).lines
    assert {"share", "coverage"} == {n.code for n in one.unknown or ()}


def test_not_covered_out_of_the_network_is_covered_in_it() -> None:
    said = [*told(PLAN), Benefit(code="I", service_type_codes=["98"], in_plan_network_indicator_code="N")]
    assert ("exact", "25.00") == single(said)
    assert ("exact", "150.00") == single(said, network="out")
    assert ("range", "150.00", "25.00") == single(said, network=None)


def test_a_procedure_comes_before_its_service_type() -> None:
    code = BenefitProcedure(
        product_or_service_id_qualifier_code="HC", procedure_code="99213", procedure_modifiers=["25"]
    )
    said = [*told(PLAN), share("B", "7", services=None, composite_medical_procedure_identifier=code)]
    assert ("exact", "25.00") == single(said)
    assert ("exact", "25.00") == single(said, procedure="99213")
    assert ("exact", "7.00") == single(said, procedure="99213", modifiers=frozenset({"25", "59"}))


def test_ages_are_told_apart_by_the_date_of_birth() -> None:
    said = [*told(PLAN), share("B", "10", quantity_qualifier_code="S7", benefit_quantity="18")]
    assert ("exact", "25.00") == single(said, age=19)
    assert ("exact", "10.00") == single(said, age=18)
    assert ("range", "10.00", "25.00") == single(said, age=None)


def test_a_share_of_another_year_is_not_asked() -> None:
    last, this = BenefitDates(benefit="20250101-20251231"), BenefitDates(benefit="20260101-20261231")
    plain = [b for b in told(PLAN) if b.code != "B"]
    said = [share("B", "10", benefits_date_information=last), share("B", "30", benefits_date_information=this)]
    assert ("exact", "30.00") == single([*plain, *said])


def test_steps_of_a_coinsurance_are_a_range() -> None:
    plain = [b for b in told(PLAN) if b.code != "B"]
    said = [share("A", p, additional_information=[Message(description=f"TIER {p}")]) for p in ("0.2", "0.1", "0")]
    assert ("range", "0.00", "20.00") == single([*plain, *said])


def test_copay_and_coinsurance_are_both_or_either() -> None:
    assert ("range", "10.00", "32.50") == single([*told(PLAN), share("A", "0.1")])
    assert ("exact", "25.00") == single([*told(PLAN), share("A", "0")])


def test_a_share_of_the_plan_is_not_taken_for_that_of_a_service() -> None:
    said = [b for b in told(PLAN) if b.code not in ("A", "B")] + [share("B", "10", services=["30"])]
    assert ("unknown",) == single(said)


# --- what a line leaves to the next -----------------------------------------------------------------------------------------

LEFT = Plan((90_000, 30_000), None, (200_000, 150_000), {"98": 2_500, "33": 4_000}, {"5": 20, "62": 50})


def second(said: Sequence[Benefit], first: PricedLine, then: PricedLine) -> tuple[str, ...]:
    """Basis and amounts of the second of two lines."""
    one = asked(said, [first, then]).lines[1]
    return (one.basis, *(str(b) for b in bounds(one) or ()))


def test_a_line_that_may_not_be_covered_may_leave_the_whole_deductible() -> None:
    visits = Benefit(
        code="F",
        service_type_codes=["5"],
        time_qualifier_code="23",
        quantity_qualifier_code="VS",
        benefit_quantity="9",
    )
    # 100 left of the deductible and half of 300, or 300 and half of 100.
    assert ("exact", "250.00", "250.00") == second(
        told(LEFT), line(Visit("5", 20_000, 30_000)), line(Visit("62", 40_000, 50_000))
    )
    assert ("range", "250.00", "350.00") == second(
        [*told(LEFT), visits], line(Visit("5", 20_000, 30_000)), line(Visit("62", 40_000, 50_000))
    )


def test_a_line_whose_share_is_unknown_may_leave_the_whole_deductible() -> None:
    assert ("range", "160.00", "320.00") == second(
        told(LEFT), line(Visit("47", 20_000, 30_000)), line(Visit("5", 40_000, 50_000))
    )


def test_a_copay_that_may_not_be_owed_may_be_left() -> None:
    """The copay alone is owed once: then the second line is free. With both, it owes the coinsurance again."""
    said = [*told(LEFT), share("A", "0.1")]
    basis, low, high = second(said, line(Visit("98", 10_000, 10_000)), line(Visit("98", 10_000, 10_000)))
    assert ("range", "0.00") == (basis, low)
    assert Decimal(10) <= Decimal(high)


def test_a_deductible_that_may_be_another_ones_may_be_used_up_through_it() -> None:
    places = [AdditionalInformation(code_list_qualifier_code="ZZ", industry_code="22")]
    elsewhere = Benefit(
        code="C",
        coverage_level_code="IND",
        service_type_codes=["30"],
        time_qualifier_code="29",
        benefit_amount="100",
        in_plan_network_indicator_code="Y",
        eligibility_additional_information_list=places,
    )
    said = [*told(LEFT), elsewhere]
    at_office = line(Visit("5", 30_000, 30_000), place_of_service="11")
    # Nothing is left at the office; elsewhere 100 is; and where the second line is, is not told.
    assert ("exact", "200.00", "200.00") == second(
        said, at_office, line(Visit("62", 40_000, 40_000), place_of_service="11")
    )
    basis, low, high = second(said, at_office, line(Visit("62", 40_000, 40_000)))
    assert ("range", "200.00") == (basis, low)
    assert Decimal(250) <= Decimal(high)


# --- limits ---------------------------------------------------------------------------------------------------------------


def limited(amount: str | None, *, visits: str | None = None, period: str = "29", unit: str = "VS") -> Benefit:
    """A limit of office visits, in money or in units."""
    return Benefit(
        code="F",
        service_type_codes=["98"],
        time_qualifier_code=period,
        benefit_amount=amount,
        quantity_qualifier_code=unit if visits else None,
        benefit_quantity=visits,
        in_plan_network_indicator_code="Y",
    )


def test_what_is_left_of_a_lifetime_says_nothing_of_what_is_left_of_a_year() -> None:
    year, life = limited(None, visits="20", period="23"), limited(None, visits="50", period="33")
    assert ("exact", "25.00") == single([*told(PLAN), life])
    assert ("range", "150.00", "25.00") == single([*told(PLAN), year, life])
    # The year's is used up, whatever is left of the lifetime's.
    assert ("exact", "150.00") == single([*told(PLAN), limited(None, visits="0"), life])


def test_a_maximum_of_a_lifetime_is_another_one_than_a_year_s() -> None:
    plain = [b for b in told(PLAN) if b.code != "G"]
    year, life = (
        Benefit(code="G", service_type_codes=["30"], time_qualifier_code=period, benefit_amount=amount)
        for period, amount in (("23", "1000"), ("33", "10"))
    )
    assert ("exact", "10.00") == single([*plain, life])
    assert ("range", "0.00", "25.00") == single([*plain, year, life])


def test_lines_use_up_a_limit_of_money_or_units_together_and_one_of_visits_once() -> None:
    for said, first, then in (
        (limited("150"), {}, ("range", "0.00", "150.00")),
        (limited("200"), {}, ("exact", "0.00", "0.00")),
        (limited(None, visits="8", unit="P6"), {"units": Decimal(5)}, ("range", "0.00", "150.00")),
        (limited(None, visits="10", unit="P6"), {"units": Decimal(5)}, ("exact", "0.00", "0.00")),
        (limited(None, visits="1"), {}, ("exact", "0.00", "0.00")),
    ):
        one = line(Visit("98", 10_000, 15_000), **first)
        assert then == second([*told(PLAN), said], one, one)


@SETTINGS
@given(
    st.lists(BENEFITS, max_size=8),
    st.lists(st.tuples(st.sampled_from(["98", "33", "30"]), st.sampled_from(["in", "out"])), min_size=1, max_size=3),
)
def test_service_types_that_share_an_eb_have_it_each_for_itself(
    said: list[Benefit], wanted: list[tuple[str, str]]
) -> None:
    apart = [
        msgspec.structs.replace(b, service_type_codes=[code] if code else None)
        for b in said
        for code in b.service_type_codes or (None,)
    ]
    visits = [line(Visit(s, 10_000, 16_000), network=n) for s, n in wanted]
    together, each = asked(said, visits), asked(apart, visits)
    assert [(one.basis, bounds(one)) for one in each.lines] == [(one.basis, bounds(one)) for one in together.lines]
