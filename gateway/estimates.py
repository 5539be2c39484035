"""What a patient will owe for a visit, out of what a 271 says: exactly, or between two bounds, or not known.

Pure. The rules are E1 to E14 of docs/benefits.md. Whatever the payer did not say widens the answer instead of being filled
in: every amount is kept as its lowest and its highest possible value, and both bounds are computed to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import msgspec

from gateway.benefit_statements import ACTIVE, INACTIVE, Statement
from gateway.benefits import family_of, sources_of
from gateway.estimate_matching import PLAN_WIDE, Chosen, Network, Place, choose, fitting
from gateway.estimate_messages import Estimate, EstimateBound, EstimatedLine, EstimateNote, EstimateStep
from gateway.estimate_messages import note as told_note

__all__ = ["PricedLine", "estimate"]

_CENT, _NOTHING, _ENDLESS, _ONE = Decimal("0.01"), Decimal(0), Decimal("Infinity"), Decimal(1)
_REMAINING, _LIFETIME = frozenset({"29", "33"}), frozenset({"32", "33"})
_USED = "24"
# EB06 of what is owed anew each time, and so is not used up by what came before.
_EACH_TIME = frozenset({"6", "7", "13", "26", "27", "36"})
_UNLIMITED_UNIT = Decimal(1)
_VISITS = "VS"


class Span(NamedTuple):
    """An amount that is at least `low` and at most `high`."""

    low: Decimal
    high: Decimal

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def less(self, taken: Span) -> Span:
        """What is left of it."""
        return Span(max(_NOTHING, self.low - taken.high), max(_NOTHING, self.high - taken.low))

    def least(self, other: Span) -> Span:
        return Span(min(self.low, other.low), min(self.high, other.high))

    def hull(self, other: Span) -> Span:
        return Span(min(self.low, other.low), max(self.high, other.high))


_ZERO, _ANY = Span(_NOTHING, _NOTHING), Span(_NOTHING, _ENDLESS)


class PricedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line to estimate, checked. `network` None is either; one of `charge` and `allowed` is there."""

    service_type: str | None
    procedure: str | None
    modifiers: frozenset[str]
    network: Network | None
    place_of_service: str | None
    charge: Decimal | None
    allowed: Decimal | None
    units: Decimal

    @property
    def cost(self) -> Span:
        """What the plan allows: never more than the charge where only that is known."""
        if self.allowed is not None:
            return Span(self.allowed, self.allowed)
        return Span(_NOTHING, self.charge or _NOTHING)

    @property
    def full(self) -> Decimal:
        """What is owed where the plan pays nothing: the charge; where that is not known, what would be allowed."""
        return self.charge if self.charge is not None else self.allowed or _NOTHING


class Step(NamedTuple):
    """One step of a calculation, and the EBs it was read from."""

    kind: str
    amount: Decimal
    said: tuple[Statement, ...]


class Pool(NamedTuple):
    """Something that is used up over the lines: a deductible, an out-of-pocket maximum, a copay of one visit."""

    key: str
    left: Span
    said: tuple[Statement, ...]


class Owed(msgspec.Struct):
    """What one line comes to in one network: bounds with their steps, and what it uses up; None where it is not known."""

    low: Decimal
    high: Decimal
    low_steps: list[Step]
    high_steps: list[Step]
    known: bool
    taken: dict[str, Span]
    notes: list[EstimateNote]
    used: list[Statement]


def cents(value: Decimal) -> Decimal:
    """To the cent, halves up (E11)."""
    return value.quantize(_CENT, ROUND_HALF_UP) if value.is_finite() else value


def estimate(
    said: Sequence[Statement], lines: Sequence[PricedLine], day: str, age: int | None, *, is_told: bool = True
) -> Estimate:
    """What the patient will owe for the lines of one visit on a day (CCYYMMDD), in their order.

    `is_told` is False where the day lies outside those that the payer tells of: then nothing is known of it (E14).
    """
    account = _Account(said)
    found: list[EstimatedLine] = []
    sums, known = _ZERO, True
    for number, line in enumerate(lines, 1):
        owed = account.line(line, day, age) if is_told else _untold()
        found.append(_told(number, owed))
        known = known and owed.known
        if owed.known:
            sums = Span(sums.low + owed.low, sums.high + owed.high)
    basis = "unknown" if not known else "exact" if sums.exact else "range"
    others = [s for s in said if s.code == "R"]
    return Estimate(
        basis=basis,
        amount=_money(sums.low) if basis == "exact" else None,
        low=_money(sums.low) if basis != "exact" else None,
        high=_money(sums.high) if basis == "range" else None,
        lines=found,
        conditions=[told_note("otherPayer", sources_of(others))] if others else None,
    )


def _untold() -> Owed:
    """Of a line on a day that the payer says nothing of."""
    return Owed(_NOTHING, _ENDLESS, [], [], False, {}, [told_note("serviceDate", [])], [])


def _money(value: Decimal) -> str:
    return format(cents(value), "f")


def _told(number: int, owed: Owed) -> EstimatedLine:
    basis = "unknown" if not owed.known else "exact" if owed.low == owed.high else "range"
    line = EstimatedLine(line_number=number, basis=basis)
    # Where the bounds meet, nothing that is not known matters.
    line.unknown = [n for n in owed.notes if not n.assumed and basis != "exact"] or None
    line.assumptions = [n for n in owed.notes if n.assumed] or None
    line.conditions = _conditions(owed.used) or None
    if basis == "exact":
        line.amount, line.steps = _money(owed.low), _steps(owed.low_steps)
    elif basis == "range":
        line.lowest = EstimateBound(amount=_money(owed.low), steps=_steps(owed.low_steps))
        line.highest = EstimateBound(amount=_money(owed.high), steps=_steps(owed.high_steps))
    return line


def _steps(steps: Iterable[Step]) -> list[EstimateStep]:
    return [EstimateStep(kind=s.kind, amount=_money(s.amount), sources=sources_of(s.said)) for s in steps]


def _conditions(used: Sequence[Statement]) -> list[EstimateNote]:
    """What a person must look at (E12): messages, and where an authorization is needed."""
    texts = dict.fromkeys(m for s in used for m in s.messages)
    found = [told_note("message", sources_of(s for s in used if t in s.messages), t) for t in texts]
    needed = [s for s in used if s.authorization == "Y"]
    if needed:
        found.append(told_note("authorization", sources_of(needed)))
    return found


def _distinct(notes: Iterable[EstimateNote]) -> list[EstimateNote]:
    return list({msgspec.json.encode(n): n for n in notes}.values())


class _Account:
    """What is left of the patient's deductibles, maximums and copays, line after line."""

    def __init__(self, said: Sequence[Statement]) -> None:
        self.said = said
        self.spent: dict[str, Span] = {}
        # Of limits, the most that earlier lines used up.
        self.counted: dict[str, Decimal] = {}

    def line(self, line: PricedLine, day: str, age: int | None) -> Owed:
        """What a line comes to; where its network is not known, in either."""
        networks: tuple[Network, ...] = (line.network,) if line.network else ("in", "out")
        counted: dict[str, Decimal] = {}
        each = [self._in_network(line, _place(line, n, day, age), counted) for n in networks]
        owed = each[0] if len(each) == 1 else _either(*each)
        for key, taken in owed.taken.items():
            before = self.spent.get(key, _ZERO)
            self.spent[key] = Span(before.low + taken.low, before.high + taken.high)
        for key, most in counted.items():
            self.counted[key] = self.counted.get(key, _NOTHING) + most
        return owed

    def _in_network(self, line: PricedLine, place: Place, counted: dict[str, Decimal]) -> Owed:
        standing = _Standing(self.said, line, place, self.counted)
        if standing.pays_nothing:
            step = [Step("notCovered", line.full, tuple(standing.said))]
            known = line.charge is not None
            notes = [] if known else [told_note("chargeAmount", [])]
            return Owed(line.full, line.full, step, step, known, {}, notes, standing.said)
        counted |= standing.counted
        copay, coinsurance = (choose(fitting(self.said, code, place)) for code in "BA")
        deductibles, scope, doubts = self._pools("C", place)
        caps, _, cap_doubts = self._pools("G", place)
        pool = self._copay(copay, place)
        owed = _Share(line, pool, copay, coinsurance, deductibles, scope, caps).owed()
        owed.used = [*owed.used, *standing.said]
        if standing.doubtful and owed.known:
            _widen(owed, line, standing.said)
        further = [told_note(d, []) for d in sorted(doubts | cap_doubts)]
        owed.notes = _distinct([*owed.notes, *standing.notes, *further])
        return owed

    def _pool(self, code: str, fresh: Span, said: tuple[Statement, ...], place: Place) -> Pool:
        """What earlier lines left of it. Of one that shares an EB with another, some may be spent through the other."""
        key = f"{code} {' '.join(sorted(_service_of(s, place) for s in said))}"
        mine = set(key.split()[1:])
        left = fresh.less(self.spent.get(key, _ZERO))
        for other, spent in self.spent.items():
            name, *indices = other.split()
            if other != key and name == code and mine & set(indices):
                left = left.less(Span(_NOTHING, spent.high))
        return Pool(key, left, said)

    def _copay(self, chosen: Chosen, place: Place) -> Pool | None:
        """What is left of the copay in this visit (E6): owed once, or perhaps for each line where the payer names no time."""
        amounts = [cents(s.amount) for s in chosen.all if s.amount is not None]
        if not amounts:
            return None
        fresh = Span(min(amounts) if chosen.certain else _NOTHING, max(amounts))
        pool = self._pool("B", fresh, chosen.all, place)
        if all(s.period in _EACH_TIME for s in chosen.all):
            return pool
        return pool._replace(left=Span(pool.left.low, fresh.high))

    def _pools(self, code: str, place: Place) -> tuple[list[Pool], int, frozenset[str]]:
        """The deductibles or maximums that hold for a line: those of the person and of the family, the narrowest of each."""
        fits = [f for f in fitting(self.said, code, place) if f.statement.amount is not None]
        fits = [f for f in fits if f.statement.period != _USED]
        scope = max((f.scope for f in fits if not f.doubts), default=max((f.scope for f in fits), default=PLAN_WIDE))
        pools: list[Pool] = []
        doubts: frozenset[str] = frozenset()
        for level in dict.fromkeys(f.statement.level for f in fits):
            chosen = choose([f for f in fits if f.statement.level == level and f.scope >= scope])
            if chosen.all:
                doubts |= chosen.doubts
                pools.append(self._pool(code, _left(chosen), chosen.all, place))
        return pools, scope, doubts


def _place(line: PricedLine, network: Network, day: str, age: int | None) -> Place:
    return Place(
        service_type=line.service_type,
        procedure=line.procedure,
        modifiers=line.modifiers,
        network=network,
        place_of_service=line.place_of_service,
        day=day,
        age=age,
    )


def _service_of(s: Statement, place: Place) -> str:
    """An EB for one of its service types: several that stand in one EB have it each for itself, as if each had an EB (B1)."""
    of_one = s.procedure is None and s.service_types and place.service_type in s.service_types
    return f"{s.benefit}@{place.service_type}" if of_one else str(s.benefit)


def _left(chosen: Chosen) -> Span:
    """What is left of a deductible or maximum (E3); no bound where it only may be this one."""
    if not chosen.certain:
        return _ANY
    sure = _said_left(chosen.certain)
    return sure.hull(_said_left(chosen.possible)) if chosen.possible else sure


def _said_left(said: Iterable[Statement]) -> Span:
    """What the payer says remains, else anything up to its total. A lifetime's is a limit of its own (B5): either may be the one."""
    every = list(said)
    of_life = [s for s in every if s.period in _LIFETIME]
    others = [s for s in every if s.period not in _LIFETIME]
    return _left_of(of_life).hull(_left_of(others)) if of_life and others else _left_of(every)


def _left_of(said: Iterable[Statement]) -> Span:
    remaining: list[Decimal] = []
    each: list[Decimal] = []
    totals: list[Decimal] = []
    for s in said:
        kind = remaining if s.period in _REMAINING else each if s.period in _EACH_TIME else totals
        kind.append(cents(s.amount or _NOTHING))
    if remaining and totals and max(remaining) > min(totals):
        span = Span(min(remaining + totals), max(remaining + totals))
    elif remaining:
        span = Span(min(remaining), max(remaining))
    else:
        span = Span(_NOTHING, max(totals, default=_NOTHING))
    if not each:
        return span
    # Owed each time: beside what is used up over a year it may come on top, or instead.
    return Span(_NOTHING, span.high + max(each)) if remaining or totals else Span(min(each), max(each))


# --- whether the plan pays at all -----------------------------------------------------------------------------------------


class _Standing:
    """Whether a line is covered, not covered, or perhaps not (E1, E2)."""

    def __init__(
        self, said: Sequence[Statement], line: PricedLine, place: Place, counted: Mapping[str, Decimal]
    ) -> None:
        self.notes: list[EstimateNote] = []
        self.said: list[Statement] = []
        self.before, self.counted = counted, dict[str, Decimal]()
        self.pays_nothing = False
        self.doubtful = False
        self._cover(said, place)
        self._limit(said, line, place)
        for code, name in (("E", "exclusion"), ("J", "costContainment"), ("Y", "spendDown")):
            found = [
                f.statement
                for f in fitting(said, code, place)
                if (f.scope > PLAN_WIDE or code != "E") and f.statement.amount != _NOTHING
            ]
            if found:
                self._doubt(name, found)

    def _doubt(self, code: str, said: Sequence[Statement]) -> None:
        self.doubtful = True
        self.said += said
        self.notes.append(told_note(code, sources_of(said)))

    def _cover(self, said: Sequence[Statement], place: Place) -> None:
        codes = "".join(ACTIVE | INACTIVE) + "I"
        fits = fitting(said, codes, place)
        plan = choose([f for f in fits if f.scope == PLAN_WIDE and f.statement.code != "I"])
        narrow = choose([f for f in fits if f.scope > PLAN_WIDE or f.statement.code == "I"])
        told = narrow if narrow.certain else plan
        active = [s for s in told.certain if s.code in ACTIVE]
        against = [s for s in told.certain if s.code not in ACTIVE]
        # A plan that has ended pays for no service, whatever else is said of the service.
        ended = [s for s in plan.certain if s.code in INACTIVE]
        if ended and not any(s.code in ACTIVE for s in plan.certain):
            active, against = [], ended
        self.said += [*active, *against]
        if against and not active:
            self.pays_nothing = True
        elif against:
            self._doubt("contradiction", [*active, *against])
        elif not active or (told is plan and not self._priced(said, place)):
            self._doubt("coverage", active)
        if narrow.possible and not self.pays_nothing and any(s.code not in ACTIVE for s in narrow.possible):
            self._doubt("coverage", narrow.possible)

    def _priced(self, said: Sequence[Statement], place: Place) -> bool:
        """Whether the payer tells the patient's share of this very service: then it is covered. So is the plan itself."""
        return place.service_type == "30" or any(
            f.scope > PLAN_WIDE and not f.doubts for f in fitting(said, "ABC", place)
        )

    def _limit(self, said: Sequence[Statement], line: PricedLine, place: Place) -> None:
        """Visits, units and amounts that are limited (E2)."""
        # Each is a limit of its own (B5): what is left of one says nothing of what is left of another.
        groups: dict[tuple[Any, ...], list[Statement]] = {}
        doubted: list[Statement] = []
        for fit in fitting(said, "F", place):
            s = fit.statement
            if fit.doubts or (s.quantity is None and s.amount is None):
                doubted.append(s)
            else:
                of = (fit.scope, s.unit, s.amount is not None, s.level, s.network, family_of(s))
                groups.setdefault(of, []).append(s)
        if doubted:
            self._doubt("limitation", doubted)
        for (_, unit, in_money, *_), group in groups.items():
            left = [s for s in group if s.period in _REMAINING]
            needed = line.cost.high if in_money else _UNLIMITED_UNIT if unit == _VISITS else line.units
            if in_money or unit != _VISITS:
                # The lines are one visit, but each uses up units and money.
                key = " ".join(_service_of(s, place) for s in group)
                self.counted[key], needed = needed, needed + self.before.get(key, _NOTHING)
            amounts = [(s.amount if in_money else s.quantity) or _NOTHING for s in left]
            if amounts and max(amounts) == _NOTHING:
                self.pays_nothing, self.said = True, left
                return
            if not amounts or min(amounts) < needed:
                self._doubt("limitation", left or group)
            else:
                self.said += left


def _widen(owed: Owed, line: PricedLine, said: Sequence[Statement]) -> None:
    """The plan may pay nothing: then all is owed, and nothing is used up."""
    step = [Step("notCovered", line.full, tuple(said))]
    if line.full > owed.high:
        owed.high, owed.high_steps = line.full, step
    if line.full < owed.low:
        owed.low, owed.low_steps = line.full, step
    if line.charge is None:
        owed.notes.append(told_note("chargeAmount", []))
    owed.taken = {k: Span(_NOTHING, v.high) for k, v in owed.taken.items()}


def _either(one: Owed, other: Owed) -> Owed:
    """In either of two networks."""
    low, high = (one if one.low <= other.low else other), (one if one.high >= other.high else other)
    taken = {k: one.taken.get(k, _ZERO).hull(other.taken.get(k, _ZERO)) for k in {**one.taken, **other.taken}}
    notes = _distinct([told_note("network", []), *one.notes, *other.notes])
    used = list({s.benefit: s for s in [*one.used, *other.used]}.values())
    known = one.known and other.known
    return Owed(low.low, high.high, low.low_steps, high.high_steps, known, taken, notes, used)


# --- the patient's share --------------------------------------------------------------------------------------------------


class Division(NamedTuple):
    """How an allowed amount is shared: what the patient owes of it, by kind, before and after the maximum."""

    deductible: Decimal
    copay: Decimal
    coinsurance: Decimal
    owed: Decimal

    @property
    def before(self) -> Decimal:
        return self.deductible + self.copay + self.coinsurance


def divide(cost: Decimal, deductible: Decimal, copay: Decimal, percent: Decimal, most: Decimal) -> Division:
    """The deductible first, then the copay, then the coinsurance of what is left, at most what is left to the maximum (E5)."""
    first = min(cost, deductible)
    second = min(copay, cost - first)
    third = cents((cost - first - second) * percent)
    return Division(first, second, third, min(first + second + third, most))


class _Share:
    """The patient's share of one line in one network (E3 to E9)."""

    def __init__(
        self,
        line: PricedLine,
        copay_pool: Pool | None,
        copay: Chosen,
        coinsurance: Chosen,
        deductibles: Sequence[Pool],
        scope: int,
        caps: Sequence[Pool],
    ) -> None:
        self.line = line
        self.copays, self.coinsurances = copay, coinsurance
        self.deductibles, self.scope, self.caps = deductibles, scope, caps
        self.copay_pool = copay_pool
        self.notes: list[EstimateNote] = []

    def owed(self) -> Owed:
        """The bounds, with what they use up."""
        cost, deductible, cap = self.line.cost, _least(self.deductibles), _least(self.caps)
        percent, copay = self._percent(), self.copay_pool.left if self.copay_pool else _ZERO
        told = self._told()
        skipped = self._may_skip_deductible(deductible, percent)
        applied = Span(_NOTHING, deductible.high) if skipped else deductible
        high = divide(cost.high, applied.high, copay.high, percent.high, cap.high)
        lows = [divide(cost.low, applied.low, copay.low, percent.low, cap.low)]
        if copay.high > 0 and percent.high > 0:
            self._note("copayAndCoinsurance", [*self.copays.all, *self.coinsurances.all])
            lows.append(divide(cost.low, applied.low, copay.low, _NOTHING, cap.low))
            lows.append(divide(cost.low, applied.low, _NOTHING, percent.low, cap.low))
        low = min(lows, key=lambda d: d.owed)
        if not cost.exact:
            self._note("allowedAmount")
        for code, span, pools in (
            ("deductible", deductible, self.deductibles),
            ("outOfPocketRemaining", cap, self.caps),
        ):
            if not span.exact and (low.owed < high.owed or not told):
                self._note(code, [s for p in pools for s in p.said])
        taken = self._taken(cost, applied, copay, Span(low.owed, high.owed), cap)
        if not told or len(lows) > 1:
            # What is owed may be owed in another way, or more may be owed than is known.
            most = min(cost.high, cap.high)
            taken = {k: Span(_NOTHING, max(v.high, most) if not told else v.high) for k, v in taken.items()}
        used = [s for p in (*self.deductibles, *self.caps) for s in p.said] + [*self.copays.all, *self.coinsurances.all]
        return Owed(low.owed, high.owed, self._steps(low), self._steps(high), told, taken, self.notes, used)

    def _note(self, code: str, said: Iterable[Statement] = ()) -> None:
        self.notes.append(told_note(code, sources_of(said)))

    def _told(self) -> bool:
        """Whether the payer told the patient's share of this service (E4); of a kind that it left out there is none."""
        copay = [s for s in self.copays.certain if s.amount is not None]
        coinsurance = [s for s in self.coinsurances.certain if s.percent is not None]
        for chosen in (self.copays, self.coinsurances):
            for doubt in sorted(chosen.doubts):
                self._note(doubt, chosen.possible)
        if not copay and not coinsurance:
            self._note("share", [*self.copays.possible, *self.coinsurances.possible])
            return False
        if not self.copays.all:
            self._note("noCopay")
        if not self.coinsurances.all:
            self._note("noCoinsurance")
        for chosen, values in (
            (self.copays, {s.amount for s in copay}),
            (self.coinsurances, {s.percent for s in coinsurance}),
        ):
            if len(values) > 1:
                self._note("contradiction", chosen.certain)
        return True

    def _percent(self) -> Span:
        percents = [s.percent for s in self.coinsurances.all if s.percent is not None]
        if not percents:
            return _ZERO
        return Span(min(percents) if self.coinsurances.certain else _NOTHING, max(percents))

    def _may_skip_deductible(self, deductible: Span, percent: Span) -> bool:
        """Whether a plan-wide deductible may not come before a copay: the payer does not say (E8)."""
        copays = [s.amount for s in self.copays.all if s.amount is not None]
        if deductible.high == 0 or self.scope > PLAN_WIDE or not (any(copays) or (copays and percent.high == 0)):
            return False
        self._note("deductibleBeforeCopay", [s for p in self.deductibles for s in p.said])
        return True

    def _taken(self, cost: Span, deductible: Span, copay: Span, owed: Span, cap: Span) -> dict[str, Span]:
        """What the line uses up of each pool, at least and at most (E9)."""
        first = cost.least(deductible).least(cap)
        second = Span(
            max(_NOTHING, min(copay.low, cost.low - first.high, cap.low - first.high)),
            max(_NOTHING, min(copay.high, cost.high - first.low, cap.high)),
        )
        taken = {p.key: first for p in self.deductibles} | {p.key: owed for p in self.caps}
        return taken | ({self.copay_pool.key: second} if self.copay_pool is not None else {})

    def _steps(self, found: Division) -> list[Step]:
        steps = [
            Step("deductible", found.deductible, tuple(s for p in self.deductibles for s in p.said)),
            Step("copay", found.copay, self.copays.all),
            Step("coinsurance", found.coinsurance, self.coinsurances.all),
            Step("outOfPocketMaximum", found.owed - found.before, tuple(s for p in self.caps for s in p.said)),
        ]
        return [s for s in steps if s.amount or (s.said and s.kind != "outOfPocketMaximum")]


def _least(pools: Sequence[Pool]) -> Span:
    """Of the person's and the family's, the one that is met first holds (E3)."""
    if not pools:
        return _ANY
    return Span(min(p.left.low for p in pools), min(p.left.high for p in pools))
