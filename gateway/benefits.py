"""The benefit summary of a 271: what a payer said of coverage and the patient's share, in order, and nothing else.

Pure. docs/benefits.md numbers the rules (B1 and on) that are followed here. What the payer did not say is absent; what it
said in two ways is shown in both, without choosing; each figure names the EBs that it was read from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from gateway.benefit_statements import ACTIVE, INACTIVE, Statement, begins, ends, statements, words
from x12.documents.binding import Document, Text
from x12.documents.eligibility import (
    AdditionalInformation,
    BenefitDates,
    BenefitIdentifiers,
    BenefitProcedure,
    Dates,
    EligibilityResponse,
    RelatedEntity,
    ServiceDelivery,
)
from x12.documents.parts import AAAError

__all__ = ["BenefitFigure", "BenefitSource", "BenefitSummary", "summarise"]

D = TypeVar("D", bound=Document)
_REMAINING, _USED = "29", "24"
_LIFETIME, _LIFETIME_REMAINING = "32", "33"
# EB06 of totals that are used up over a stretch of time, and of which 29 tells what remains.
_STRETCHES = frozenset({None, "21", "22", "23", "25", "34", "35"})
_NETWORKS = {"Y": "in", "N": "out", "W": "both", "U": "unknown"}
_NEEDS = {"Y": "yes", "N": "no", "U": "unknown"}
# EB01 of what has a place of its own in the summary; all others are listed as the payer said them.
_PLACED = ACTIVE | INACTIVE | frozenset("ABCEFGILR")
_OTHER_PAYERS = frozenset({"Primary Payer", "Secondary Payer", "Tertiary Payer"})
_PRIMARY_CARE = "Primary Care Provider"


class BenefitSource(Document):
    """The EB that says so: its index in `benefitsInformation`, and its position in the transaction set (ST is 1)."""

    benefit: int
    segment: int | None = None


class BenefitWhere(Document):
    """What narrows a benefit beyond service type, procedure, network and coverage level."""

    insurance_type_code: Text = None
    insurance_type: Text = None
    plan_coverage: Text = None
    place_of_service_codes: list[str] | None = None
    age_highest: Text = None
    age_lowest: Text = None
    quantity_qualifier_code: Text = None
    quantity_qualifier: Text = None
    quantity: Text = None
    diagnosis_code_pointers: list[str] | None = None
    additional_information: list[AdditionalInformation] | None = None
    service_delivery: list[ServiceDelivery] | None = None
    related_entities: list[RelatedEntity] | None = None
    dates: BenefitDates | None = None
    messages: list[str] | None = None


class BenefitFigure(Document):
    """One thing that the payer said, and every EB that said it."""

    sources: list[BenefitSource]
    code: Text = None
    name: Text = None
    amount: Text = None
    percent: Text = None
    quantity: Text = None
    quantity_qualifier_code: Text = None
    quantity_qualifier: Text = None
    coverage_level_code: Text = None
    coverage_level: Text = None
    time_qualifier_code: Text = None
    time_qualifier: Text = None
    where: BenefitWhere | None = None


class BenefitLimit(Document):
    """What is used up: its total, what remains and what was used, each where the payer said it in one way.

    What it said in several ways is in `further`, and `contradictory` says that they cannot all be right.
    """

    coverage_level_code: Text = None
    coverage_level: Text = None
    quantity_qualifier_code: Text = None
    quantity_qualifier: Text = None
    total: BenefitFigure | None = None
    remaining: BenefitFigure | None = None
    used: BenefitFigure | None = None
    further: list[BenefitFigure] | None = None
    contradictory: bool | None = None


class AuthorizationNeed(Document):
    """Whether an authorization or certification is needed (EB11): `yes`, `no`, or `unknown` to the payer."""

    required: str
    sources: list[BenefitSource]
    where: BenefitWhere | None = None


class NetworkBenefits(Document):
    """What applies in one network (EB12): `in`, `out`, `both` alike, or `unknown` to the payer; absent where it said nothing."""

    network: Text = None
    coverage: list[BenefitFigure] | None = None
    copays: list[BenefitFigure] | None = None
    coinsurances: list[BenefitFigure] | None = None
    deductibles: list[BenefitLimit] | None = None
    out_of_pocket_maximums: list[BenefitLimit] | None = None
    limitations: list[BenefitLimit] | None = None
    authorizations: list[AuthorizationNeed] | None = None
    non_covered: list[BenefitFigure] | None = None
    exclusions: list[BenefitFigure] | None = None
    others: list[BenefitFigure] | None = None


class ServiceBenefits(Document):
    """What applies to one service type (EB03), to one procedure (EB13), or, with neither, to the plan."""

    networks: list[NetworkBenefits]
    service_type_code: Text = None
    service_type: Text = None
    procedure: BenefitProcedure | None = None


class CoverageStatus(Document):
    """Whether there is coverage (EB01 1 to 8), for the plan or for these service types, and from when to when."""

    sources: list[BenefitSource]
    active: bool
    code: Text = None
    name: Text = None
    service_type_codes: list[str] | None = None
    network: Text = None
    since: Text = None
    until: Text = None
    where: BenefitWhere | None = None


class CoveringPlan(Document):
    """A plan as the payer names it (EB05, EB04)."""

    sources: list[BenefitSource]
    name: Text = None
    insurance_type_code: Text = None
    insurance_type: Text = None


class BenefitEntity(Document):
    """Another payer, or the primary care provider: whom the payer names, the numbers of its policy (REF), and from when to when."""

    sources: list[BenefitSource]
    insurance_type_code: Text = None
    insurance_type: Text = None
    entities: list[RelatedEntity] | None = None
    benefits_additional_information: BenefitIdentifiers | None = None
    dates: BenefitDates | None = None
    messages: list[str] | None = None


class Contradiction(Document):
    """EBs that cannot all be right; no figure was chosen from them."""

    what: str
    sources: list[BenefitSource]


class BenefitSummary(Document):
    """What a 271 says of one patient, in order. Derived by the rules of docs/benefits.md; what is absent was not said."""

    transaction_id: Text = None
    patient: int | None = None
    transaction_set_control_number: Text = None
    active: bool | None = None
    since: Text = None
    until: Text = None
    coverage: list[CoverageStatus] | None = None
    plans: list[CoveringPlan] | None = None
    group_number: Text = None
    group_name: Text = None
    plan_number: Text = None
    plan_description: Text = None
    services: list[ServiceBenefits] | None = None
    other_payers: list[BenefitEntity] | None = None
    primary_care: list[BenefitEntity] | None = None
    contradictions: list[Contradiction] | None = None
    unreadable: list[BenefitSource] | None = None
    errors: list[AAAError] | None = None


def summarise(response: EligibilityResponse, positions: Sequence[int | None] = ()) -> BenefitSummary:
    """The summary of one patient's response. `positions` are those of its EBs in the 271, where they are known."""
    said = statements(response, positions)
    conflicts: list[Contradiction] = []
    coverage = _coverage(said, response.plan_date_information)
    summary = BenefitSummary(
        coverage=coverage or None,
        plans=_plans(said) or None,
        services=_services(said, conflicts) or None,
        other_payers=_entities(said, "R", _OTHER_PAYERS) or None,
        primary_care=_entities(said, "L", frozenset({_PRIMARY_CARE})) or None,
        unreadable=sources_of([s for s in said if s.unreadable]) or None,
        errors=response.errors,
    )
    _tell_active(summary, said, conflicts)
    plan, person = response.plan_information, next(iter(response.dependents or ()), None) or response.subscriber
    summary.group_number = _first(plan, "group_number") or _first(person, "group_number")
    summary.group_name = _first(plan, "group_description") or _first(person, "group_description")
    summary.plan_number = _first(plan, "plan_number")
    summary.plan_description = _first(plan, "plan_description")
    summary.contradictions = _ordered(conflicts) or None
    return summary


def _first(part: Document | None, name: str) -> str | None:
    return getattr(part, name, None)


# --- what is told, and where ------------------------------------------------------------------------------------------


def sources_of(said: Iterable[Statement]) -> list[BenefitSource]:
    """The EBs of statements, in the payer's order."""
    return [BenefitSource(benefit=s.benefit, segment=s.segment) for s in sorted(said, key=lambda s: s.benefit)]


def plain(value: Decimal | None) -> str | None:
    """A number as the payer wrote it, without an exponent."""
    return None if value is None else format(value, "f")


def where_of(s: Statement, *, words_too: bool = True) -> BenefitWhere | None:
    """What else narrows a statement; without messages and dates where `words_too` is false."""
    found = BenefitWhere(
        insurance_type_code=s.insurance_type,
        insurance_type=words("insurance_type", s.insurance_type),
        plan_coverage=s.plan,
        place_of_service_codes=list(s.places) or None,
        age_highest=plain(s.oldest),
        age_lowest=plain(s.youngest),
        diagnosis_code_pointers=list(s.diagnoses) or None,
        additional_information=list(s.injuries) or None,
        service_delivery=list(s.deliveries) or None,
        related_entities=list(s.entities) or None,
    )
    if s.code in "ABCG":
        found.quantity_qualifier_code = s.unit
        found.quantity_qualifier = words("benefit_quantity", s.unit)
        found.quantity = plain(s.quantity)
    if words_too:
        found.dates, found.messages = s.dates, list(s.messages) or None
    return found if found != BenefitWhere() else None


def _key(document: Any) -> bytes:
    """What orders and compares documents: their JSON without the EBs they point at."""
    return msgspec.json.encode(_sourceless(msgspec.to_builtins(document)), order="deterministic")


def _sourceless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sourceless(v) for k, v in value.items() if k != "sources"}  # pyright: ignore[reportUnknownVariableType]
    return [_sourceless(v) for v in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def _ordered(found: Iterable[D]) -> list[D]:
    """In an order that does not depend on the order of the EBs."""
    return sorted(found, key=_key)


def _merged(said: Iterable[Statement], tell: Callable[[Statement], D]) -> list[D]:
    """What each statement tells, those that tell the same as one with all their EBs."""
    groups: dict[bytes, tuple[D, list[Statement]]] = {}
    for s in said:
        told = tell(s)
        groups.setdefault(_key(told), (told, []))[1].append(s)
    for told, group in groups.values():
        told.sources = sources_of(group)  # pyright: ignore[reportAttributeAccessIssue]
    return _ordered(told for told, _ in groups.values())


def _normal(value: Decimal | None) -> str | None:
    return None if value is None else plain(value.normalize() + 0)


def figure_of(s: Statement) -> BenefitFigure:
    """One statement as a figure."""
    narrows = s.code in "ABCG"
    return BenefitFigure(
        sources=sources_of([s]),
        code=s.code or None,
        name=words("benefit", s.code),
        amount=_normal(s.amount),
        percent=_normal(s.percent),
        quantity=None if narrows else _normal(s.quantity),
        quantity_qualifier_code=None if narrows else s.unit,
        quantity_qualifier=None if narrows else words("benefit_quantity", s.unit),
        coverage_level_code=s.level,
        coverage_level=words("coverage_level", s.level),
        time_qualifier_code=s.period,
        time_qualifier=words("time_period", s.period),
        where=where_of(s),
    )


def _figures(said: Iterable[Statement]) -> list[BenefitFigure]:
    return _merged(said, figure_of)


# --- coverage, plans, others ------------------------------------------------------------------------------------------


def _coverage(said: Sequence[Statement], dates: Dates | None) -> list[CoverageStatus]:
    def tell(s: Statement) -> CoverageStatus:
        return CoverageStatus(
            sources=[],
            active=s.code in ACTIVE,
            code=s.code,
            name=words("benefit", s.code),
            service_type_codes=sorted(s.service_types) or None,
            network=_NETWORKS.get(s.network or ""),
            since=_edge(begins, s.dates, dates),
            until=_edge(ends, s.dates, dates),
            where=where_of(s),
        )

    return _merged((s for s in said if s.code in ACTIVE | INACTIVE and s.procedure is None), tell)


def _edge(edge: Callable[..., set[str]], *told: Dates | None) -> str | None:
    """The first or last day of coverage (B3): the benefit's own dates before the plan's, eligibility before plan, benefit, policy."""
    for dates in told:
        for kind in ("eligibility", "plan", "benefit", "policy"):
            found = edge(dates, kind)
            if found:
                return found.pop() if len(found) == 1 else None
    return None


def _tell_active(summary: BenefitSummary, said: Sequence[Statement], conflicts: list[Contradiction]) -> None:
    """Whether the plan as a whole is active (B2), and from when to when where the payer said so in one way."""
    of_plan = [s for s in said if s.code in ACTIVE | INACTIVE and s.plan_wide]
    verdicts = {s.code in ACTIVE for s in of_plan}
    if len(verdicts) > 1:
        conflicts.append(Contradiction(what="active", sources=sources_of(of_plan)))
    elif verdicts:
        summary.active = verdicts.pop()
        indices = {s.benefit for s in of_plan}
        told = [c for c in summary.coverage or () if indices & {b.benefit for b in c.sources}]
        since, until = {c.since for c in told}, {c.until for c in told}
        summary.since = since.pop() if len(since) == 1 else None
        summary.until = until.pop() if len(until) == 1 else None


def _plans(said: Sequence[Statement]) -> list[CoveringPlan]:
    def tell(s: Statement) -> CoveringPlan:
        kind = words("insurance_type", s.insurance_type)
        return CoveringPlan(sources=[], name=s.plan, insurance_type_code=s.insurance_type, insurance_type=kind)

    named = (s for s in said if s.code in ACTIVE | INACTIVE and (s.plan or s.insurance_type))
    return _merged(named, tell)


def _entities(said: Sequence[Statement], code: str, identifiers: frozenset[str]) -> list[BenefitEntity]:
    """Whom EBs of this code name, and whom others name as one of these (B12, B13)."""

    def named(s: Statement) -> list[RelatedEntity]:
        return [e for e in s.entities if s.code == code or e.entity_identifier in identifiers]

    def tell(s: Statement) -> BenefitEntity:
        own = s.code == code
        return BenefitEntity(
            sources=[],
            insurance_type_code=s.insurance_type if own else None,
            insurance_type=words("insurance_type", s.insurance_type) if own else None,
            entities=named(s) or None,
            benefits_additional_information=s.identifiers if own else None,
            dates=s.dates if own else None,
            messages=list(s.messages) or None if own else None,
        )

    return _merged((s for s in said if s.code == code or named(s)), tell)


# --- services ---------------------------------------------------------------------------------------------------------


def _services(said: Sequence[Statement], conflicts: list[Contradiction]) -> list[ServiceBenefits]:
    found: dict[bytes, tuple[ServiceBenefits, dict[str | None, list[Statement]]]] = {}
    for s in said:
        for code in s.service_types or (None,):
            service = ServiceBenefits(
                service_type_code=code,
                service_type=words("service_type", code),
                procedure=msgspec.structs.replace(s.procedure, diagnosis_code_pointer=None) if s.procedure else None,
                networks=[],
            )
            _, networks = found.setdefault(_key(service), (service, {}))
            networks.setdefault(s.network, []).append(s)
    for service, networks in found.values():
        told = (_network(group, network, conflicts) for network, group in networks.items())
        service.networks = _ordered(n for n in told if n != NetworkBenefits(network=n.network))
    return _ordered(s for s, _ in found.values() if s.networks)


def _network(said: Sequence[Statement], network: str | None, conflicts: list[Contradiction]) -> NetworkBenefits:
    def of(*wanted: str) -> list[Statement]:
        return [s for s in said if s.code in wanted]

    for code in "AB":
        _note_contradictions(of(code), conflicts)
    _note_coverage(said, conflicts)
    return NetworkBenefits(
        network=_NETWORKS.get(network or ""),
        coverage=_figures(of(*ACTIVE, *INACTIVE)) or None,
        copays=_figures(of("B")) or None,
        coinsurances=_figures(of("A")) or None,
        deductibles=_limits(of("C"), conflicts) or None,
        out_of_pocket_maximums=_limits(of("G"), conflicts) or None,
        limitations=_limits(of("F"), conflicts) or None,
        authorizations=_authorizations(said, conflicts) or None,
        non_covered=_figures(of("I")) or None,
        exclusions=_figures(of("E")) or None,
        others=_figures(s for s in said if s.code not in _PLACED) or None,
    )


def _values(s: Statement) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    return s.amount, s.percent, None if s.code in "ABCG" else s.quantity


def _note_contradictions(said: Sequence[Statement], conflicts: list[Contradiction]) -> bool:
    """Note statements that agree in all that narrows them and differ in their figure (B10)."""
    groups: dict[bytes, list[Statement]] = {}
    for s in said:
        place = (s.level, s.period, None if s.code in "ABCG" else s.unit, where_of(s))
        groups.setdefault(_key(place), []).append(s)
    wrong = [g for g in groups.values() if len({_values(s) for s in g}) > 1]
    for group in wrong:
        _conflict(conflicts, group)
    return bool(wrong)


def _conflict(conflicts: list[Contradiction], said: Sequence[Statement]) -> None:
    made = Contradiction(what=words("benefit", said[0].code) or said[0].code, sources=sources_of(said))
    if made not in conflicts:
        conflicts.append(made)


def _note_coverage(said: Sequence[Statement], conflicts: list[Contradiction]) -> None:
    """Note a service that is covered and not covered at once, everything else being equal (B10)."""
    groups: dict[bytes, list[Statement]] = {}
    for s in said:
        if s.code in ACTIVE or s.code in INACTIVE or s.code == "I":
            groups.setdefault(_key((s.level, where_of(s))), []).append(s)
    for group in groups.values():
        if len({s.code in ACTIVE for s in group}) > 1 and not all(s.plan_wide for s in group):
            made = Contradiction(what="coverage", sources=sources_of(group))
            if made not in conflicts:
                conflicts.append(made)


def _authorizations(said: Sequence[Statement], conflicts: list[Contradiction]) -> list[AuthorizationNeed]:
    def tell(s: Statement) -> AuthorizationNeed:
        return AuthorizationNeed(required=_NEEDS[s.authorization or ""], sources=[], where=where_of(s))

    told = [s for s in said if s.authorization in _NEEDS]
    groups: dict[bytes, list[Statement]] = {}
    for s in told:
        groups.setdefault(_key((s.level, where_of(s))), []).append(s)
    for group in groups.values():
        if {"Y", "N"} <= {s.authorization for s in group}:
            made = Contradiction(what="authorization", sources=sources_of(group))
            if made not in conflicts:
                conflicts.append(made)
    return _merged(told, tell)


# --- limits: totals, and what remains -----------------------------------------------------------------------------------


def family_of(s: Statement) -> str:
    """Totals of one family are used up together with the remaining and the used amounts of that family (B5)."""
    if s.period in _STRETCHES or s.period in (_REMAINING, _USED):
        return "stretch"
    return "lifetime" if s.period in (_LIFETIME, _LIFETIME_REMAINING) else str(s.period)


def _limits(said: Sequence[Statement], conflicts: list[Contradiction]) -> list[BenefitLimit]:
    groups: dict[bytes, list[Statement]] = {}
    for s in said:
        unit = None if s.code in "ABCG" else s.unit
        groups.setdefault(_key((s.level, unit, family_of(s), where_of(s, words_too=False))), []).append(s)
    return _ordered(_limit(group, conflicts) for group in groups.values())


def _limit(said: Sequence[Statement], conflicts: list[Contradiction]) -> BenefitLimit:
    one = said[0]
    limit = BenefitLimit(coverage_level_code=one.level, coverage_level=words("coverage_level", one.level))
    if one.code not in "ABCG":
        limit.quantity_qualifier_code = one.unit
        limit.quantity_qualifier = words("benefit_quantity", one.unit)
    valued = [s for s in said if any(v is not None for v in _values(s))]
    remaining = [s for s in valued if s.period in (_REMAINING, _LIFETIME_REMAINING)]
    used = [s for s in valued if s.period == _USED]
    totals = [s for s in valued if s not in remaining and s not in used]
    wrong = _note_contradictions(said, conflicts)
    told = [_figures(group) for group in (totals, remaining, used)]
    if any(_above(r, t) for r in remaining for t in totals) and len(told[0]) == len(told[1]) == 1:
        _conflict(conflicts, [*totals, *remaining])
        wrong = True
    further = _figures(s for s in said if s not in valued)
    if wrong or len(told[0]) > 1 or len(told[1]) > 1:
        limit.further = _ordered([*further, *(f for figures in told for f in figures)])
        limit.contradictory = wrong or None
        return limit
    limit.total, limit.remaining, limit.used = (f[0] if len(f) == 1 else None for f in told)
    limit.further = [*further, *(told[2] if len(told[2]) > 1 else ())] or None
    return limit


def _above(remaining: Statement, total: Statement) -> bool:
    pairs = zip(_values(remaining), _values(total), strict=True)
    return any(r is not None and t is not None and r > t for r, t in pairs)
