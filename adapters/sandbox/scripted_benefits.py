"""What the BENEFITS members of the sandbox payer are covered for: the same amounts for all of them, chosen to practise with.

Between them they have what a summary and an estimate must tell apart: individual and family, base and remaining, in and out of
the network, visits that are left and that are used up, an authorization, another payer, a primary care provider, a service
that is not covered, a deductible that a service is free of, and one copay that is told in two ways.

Sources: 005010X279A1 (EB); CAQH CORE 260 (patient's share, base and remaining deductible).
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.sandbox.scenarios import npi
from x12.documents.eligibility import Benefit, BenefitDates, BenefitProcedure, Message, RelatedEntity
from x12.documents.parts import Contact, Contacts

__all__ = ["INSURANCE_TYPE", "PLAN_NAME", "scripted_benefits"]

PLAN_NAME, INSURANCE_TYPE = "SCRIPTED PPO", "PR"
_PLAN = "30"
_YEAR, _VISIT, _REMAINING = "23", "27", "29"
_IN, _OUT = "Y", "N"
_COVERED = ["1", "4", "5", "33", "62", "86", "98", "AL", "UC"]
_SEED = 411


def scripted_benefits(year: int) -> list[Benefit]:
    """All benefits of a BENEFITS member in a plan year."""
    return [
        Benefit(
            code="1",
            coverage_level_code="FAM",
            service_type_codes=[_PLAN],
            insurance_type_code=INSURANCE_TYPE,
            plan_coverage=PLAN_NAME,
        ),
        Benefit(code="1", service_type_codes=_COVERED),
        Benefit(code="I", service_type_codes=["35"]),
        *_accumulators(),
        *_shares(),
        *_visits("33", 20, 12),
        *_visits("AL", 1, 0),
        *_others(year),
    ]


def _amount(
    code: str, service: str, level: str, period: str, amount: str, network: str, message: str | None = None
) -> Benefit:
    return Benefit(
        code=code,
        coverage_level_code=level,
        service_type_codes=[service],
        time_qualifier_code=period,
        benefit_amount=amount,
        in_plan_network_indicator_code=network,
        additional_information=[Message(description=message)] if message else None,
    )


def _accumulators() -> Iterator[Benefit]:
    yield _amount("C", _PLAN, "IND", _YEAR, "1500", _IN, "DEDUCTIBLE DOES NOT APPLY TO PREVENTIVE CARE")
    yield _amount("C", _PLAN, "IND", _REMAINING, "300", _IN)
    yield _amount("C", _PLAN, "FAM", _YEAR, "3000", _IN)
    yield _amount("C", _PLAN, "FAM", _REMAINING, "2100", _IN)
    yield _amount("C", _PLAN, "IND", _YEAR, "3000", _OUT)
    for service in ("33", "98", "AL"):
        yield _amount("C", service, "IND", _YEAR, "0", _IN)
    yield _amount("G", _PLAN, "IND", _YEAR, "6000", _IN)
    yield _amount("G", _PLAN, "IND", _REMAINING, "450", _IN)
    yield _amount("G", _PLAN, "FAM", _YEAR, "12000", _IN)
    yield _amount("G", _PLAN, "FAM", _REMAINING, "3950", _IN)


def _shares() -> Iterator[Benefit]:
    for service, network, amount in (
        ("98", _IN, "25"),
        ("98", _OUT, "60"),
        ("33", _IN, "40"),
        ("AL", _IN, "20"),
        ("UC", _IN, "75"),
        ("86", _IN, "250"),
        ("86", _IN, "300"),
    ):
        yield _amount("B", service, "IND", _VISIT, amount, network)
    for services, percent, network, authorization in (
        (["4", "5"], "0.2", _IN, "N"),
        (["4", "5"], "0.4", _OUT, "N"),
        (["62"], "0.2", _IN, "Y"),
    ):
        yield Benefit(
            code="A",
            coverage_level_code="IND",
            service_type_codes=services,
            benefit_percent=percent,
            auth_or_cert_indicator=authorization,
            in_plan_network_indicator_code=network,
        )
    for code, percent, period, amount in (("A", "0", None, None), ("C", None, _YEAR, "0")):
        yield Benefit(
            code=code,
            coverage_level_code="IND",
            benefit_percent=percent,
            time_qualifier_code=period,
            benefit_amount=amount,
            in_plan_network_indicator_code=_IN,
            composite_medical_procedure_identifier=BenefitProcedure(
                product_or_service_id_qualifier_code="HC", procedure_code="99396"
            ),
        )


def _visits(service: str, total: int, left: int) -> Iterator[Benefit]:
    for period, count in ((_YEAR, total), (_REMAINING, left)):
        yield Benefit(
            code="F",
            coverage_level_code="IND",
            service_type_codes=[service],
            time_qualifier_code=period,
            quantity_qualifier_code="VS",
            benefit_quantity=str(count),
            in_plan_network_indicator_code=_IN,
        )


def _others(year: int) -> Iterator[Benefit]:
    yield Benefit(
        code="L",
        service_type_codes=[_PLAN],
        benefits_date_information=BenefitDates(primary_care_provider=f"{year}0101"),
        benefits_related_entities=[
            RelatedEntity(
                entity_identifier="P3",
                entity_type="1",
                entity_name="GREENE",
                entity_firstname="PAT",
                entity_identification="XX",
                entity_identification_value=npi(_SEED),
                contact_information=Contacts(
                    contacts=[Contact(communication_mode="TE", communication_number="5555550111")]
                ),
            )
        ],
    )
    yield Benefit(
        code="R",
        coverage_level_code="IND",
        service_type_codes=[_PLAN],
        insurance_type_code="C1",
        benefits_date_information=BenefitDates(coordination_of_benefits=f"{year}0101"),
        benefits_related_entities=[
            RelatedEntity(
                entity_identifier="SEP",
                entity_type="2",
                entity_name="OTHER SANDBOX PLAN",
                entity_identification="PI",
                entity_identification_value="SBXOTHER",
            )
        ],
    )
