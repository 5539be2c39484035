"""Situational rules judged on the tree of a transaction set: plainly, rule by rule, and in the words of a finding.

This is the reference that the compiled facts must agree with, and what words a finding once the facts have told that a loop
breaks a rule: only the tree knows where things stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from msgspec.structs import replace

from x12.finding import Finding
from x12.situations.language import ANY_ELEMENT, PRESENT, Place, Side, Statement, Term, gap, qualifies
from x12.tree import Instance

__all__ = ["finding", "is_broken", "judge_tree"]

Row = list[str]


def judge_tree(root: Instance, statements: Sequence[Statement]) -> list[Finding]:
    """Every rule that the loops of a set break, in file order of the loops."""
    at: dict[str, list[Statement]] = {}
    for statement in statements:
        at.setdefault(statement.loop, []).append(statement)
    found: list[Finding] = []
    _judge(root, at, found)
    return found


def _judge(instance: Instance, at: dict[str, list[Statement]], found: list[Finding]) -> None:
    found += [finding(s, instance) for s in at.get(instance.loop.id, ()) if is_broken(s, instance)]
    for child in instance.children:
        _judge(child, at, found)


def is_broken(statement: Statement, instance: Instance) -> bool:
    """Whether this occurrence of the rule's loop breaks the rule."""
    if statement.each is not None:
        return next(_broken_rows(statement, instance), None) is not None
    if not all(any(_holds(term, instance) for term in group) for group in statement.when):
        return False
    if statement.points:
        return _points_nowhere(statement, instance)
    if statement.order:
        left, _, right = statement.order
        one, other = _side(left, instance), _side(right, instance)
        return bool(one and other) and statement.is_out_of_order(one, other)
    if statement.needs:
        return not any(_holds(term, instance) for term in statement.needs)
    return any(_holds(term, instance) for term in statement.forbids)


def finding(statement: Statement, instance: Instance) -> Finding:
    """The finding of a rule that this occurrence of its loop breaks: at the element or segment at fault, or where one is missing.

    Of a tree that is not whole, because a stream has let go of its beginning, it tells what it can.
    """
    rule, code = statement.rule, statement.rule.code
    place, position, element = _fault(statement, instance)
    trigger, trigger_position = _trigger(statement, instance)
    if position is None:
        # The segment of a missing element is missing as a whole.
        position, code = _expected(place, instance), "I9" if statement.forbids else "I6"
    return Finding(
        rule.level,
        "element" if element else "segment",
        code,
        rule.message,
        rule.severity,
        loop=place.loop,
        segment=place.segment,
        position=position,
        element=element,
        component=place.component if element else None,
        data=place.data if element else None,
        rule=rule.id,
        trigger=str(trigger) if trigger else None,
        trigger_position=trigger_position,
    )


# --- what holds ----------------------------------------------------------------------------------------------------


def _scope(instance: Instance, loop_id: str) -> list[Instance]:
    """The occurrences of a loop that a rule sees from here: itself, those inside, those around, those closed beside it."""
    here: Instance | None = instance
    branch: Instance | None = None
    while here is not None:
        if here.loop.id == loop_id:
            return [here]
        if branch is None:
            found = list(here.all(loop_id))
            if found or _contains(here, loop_id):
                return found
        elif _contains(here, loop_id):
            # Beside: what the loop around has closed so far. Another occurrence of our own branch is not ours to look into.
            found: list[Instance] = []
            for child in here.children:
                if child is branch:
                    break
                if child.loop.id == loop_id:
                    found.append(child)
                if child.loop.id != branch.loop.id:
                    found += child.all(loop_id)
            return found
        branch, here = here, here.parent
    return []


def _contains(instance: Instance, loop_id: str) -> bool:
    """Whether the guide has this loop somewhere inside."""
    stack = list(instance.loop.children)
    while stack:
        child = stack.pop()
        inner = getattr(child, "children", None)
        if inner is not None:
            if child.id == loop_id:
                return True
            stack += inner
    return False


def _known_until(where: Instance, instance: Instance) -> float:
    """Of a loop around, only what came before is known when this one ends."""
    here = instance.parent
    while here is not None and here is not where:
        here = here.parent
    return _first(instance) if here is where else inf


def _rows(place: Place, instance: Instance) -> Iterator[tuple[Row, int, Instance]]:
    """The segments at a place that a rule sees from an occurrence of its loop, with their positions."""
    delimiters = instance.delimiters
    orders = {order for _, order in place.children}
    for where in _scope(instance, place.loop):
        end = _known_until(where, instance)
        for (segment, raw), position in zip(where.segments, where.positions, strict=True):
            if segment.order in orders and position < end:
                row = raw.split(delimiters.element)
                if qualifies(place, row, delimiters.component, delimiters.repetition):
                    yield row, position, where


def _holds(term: Term, instance: Instance) -> bool:
    return _position(term, instance) is None if term.negated else _position(term, instance) is not None


def _position(term: Term, instance: Instance) -> int | None:
    """Where a term holds: the first segment that fulfils it, negation apart."""
    place = term.place
    if place.is_loop:
        parents = {loop_id for loop_id, _ in place.children}
        for loop_id in parents:
            for where in _scope(instance, loop_id):
                for child in where.inside(place.loop):
                    if _first(child) < _known_until(where, instance):
                        return _first(child)
        return None
    found = _first_row(term, instance)
    return None if found is None else found[1]


def _first_row(term: Term, instance: Instance) -> tuple[Row, int] | None:
    """The first segment that fulfils a term, and its position; None for a loop, which is no segment."""
    delimiters = instance.delimiters
    if term.place.is_loop:
        position = _position(term, instance)
        return None if position is None else ([term.place.segment], position)
    for row, position, _ in _rows(term.place, instance):
        if term.of_segment(row, delimiters.component, delimiters.repetition):
            return row, position
    return None


def _broken_rows(statement: Statement, instance: Instance) -> Iterator[tuple[Row, int]]:
    """The segments that break a rule on each segment, with their positions."""
    each, delimiters = statement.each, instance.delimiters
    assert each is not None
    for row, position, _ in _rows(each, instance):
        if breaks_alone(statement, row, delimiters.component, delimiters.repetition) and all(
            any(_holds(term, instance) for term in group) for group in outer_groups(statement)
        ):
            yield row, position


def is_local(statement: Statement, term: Term) -> bool:
    """Whether a term is about the very segment that the rule judges one by one."""
    return statement.each is not None and {*term.place.children} <= {*statement.each.children}


def outer_groups(statement: Statement) -> list[tuple[Term, ...]]:
    """The conditions of a rule on each segment that other segments decide."""
    return [group for group in statement.when if not all(is_local(statement, term) for term in group)]


def breaks_alone(statement: Statement, row: Row, component: str, repetition: str) -> bool:
    """Whether one segment breaks a rule on each segment, as far as it can tell by itself."""

    def so(term: Term) -> bool:
        return term.of_segment(row, component, repetition) is not term.negated

    for group in statement.when:
        if all(is_local(statement, term) for term in group) and not any(so(term) for term in group):
            return False
    if statement.needs:
        return not any(so(term) for term in statement.needs)
    return any(so(term) for term in statement.forbids)


def _points_nowhere(statement: Statement, instance: Instance) -> bool:
    assert statement.points is not None
    return bool(_pointed(statement.points[0], instance) - _targets(statement.points[1], instance))


def _pointed(place: Place, instance: Instance) -> set[str]:
    delimiters = instance.delimiters
    return {
        value
        for row, _, _ in _rows(place, instance)
        for text in row[place.element or 0 :][:1]
        for value in text.split(delimiters.component)
        if value in POINTERS
    }


# A pointer is the number of an element of a segment of diagnoses, of which there are twelve.
POINTERS = frozenset(map(str, range(1, 13)))


def _targets(place: Place, instance: Instance) -> set[str]:
    return {
        str(number)
        for row, _, _ in _rows(place, instance)
        for number, text in enumerate(row)
        if number and text and str(number) in POINTERS
    }


def _side(side: Side, instance: Instance) -> str:
    delimiters = instance.delimiters
    value = ""
    for row, _, _ in _rows(side.place, instance):
        value = side.value(row, delimiters.component, delimiters.repetition)
    return value


# --- where it is ---------------------------------------------------------------------------------------------------


def _first(instance: Instance) -> int:
    """Position of an occurrence's first segment, wherever inside it stands."""
    return min([*instance.positions, *map(_first, instance.children)], default=1)


def _last(instance: Instance) -> int:
    return max([*instance.positions, *map(_last, instance.children)], default=1)


def _trigger(statement: Statement, instance: Instance) -> tuple[Place | None, int | None]:
    """What made the rule apply: the first condition that holds, and its segment."""
    for group in statement.when:
        for term in group:
            if not term.negated and not is_local(statement, term):
                if (position := _position(term, instance)) is not None:
                    return term.place, position
            elif not term.negated:
                return term.place, next((position for _, position in _broken_rows(statement, instance)), None)
    place = statement.order[2].place if statement.order else statement.points[0] if statement.points else None
    return place, next((position for _, position, _ in _rows(place, instance)), None) if place else None


def _fault(statement: Statement, instance: Instance) -> tuple[Place, int | None, int | None]:
    """What is at fault, the position of its segment and the element there; None where the segment is not there."""
    if statement.each is not None:
        term = (*statement.needs, *statement.forbids)[0]
        for row, position in _broken_rows(statement, instance):
            return statement.blamed, position, _element(term, row, instance)
    for term in statement.forbids:
        if (found := _first_row(term, instance)) is not None:
            return term.place, found[1], _element(term, found[0], instance)
    place = statement.blamed
    if place.element is None:
        return place, None, None
    for row, position, _ in _rows(place, instance):
        term = statement.needs[0] if statement.needs else Term(place, PRESENT)
        return place, position, _element(term, row, instance)
    return place, None, None


def _element(term: Term, row: Row, instance: Instance) -> int | None:
    """The element at fault: the one that the place names, or of any the first that is as it must not be."""
    place, delimiters = term.place, instance.delimiters
    if place.element != ANY_ELEMENT:
        return place.element
    if term.test.kind == "gapless":
        return gap(row)
    for number in range(1, len(row)):
        if Term(replace(place, element=number), term.test).of_segment(row, delimiters.component, delimiters.repetition):
            return number
    return None


def _expected(place: Place, instance: Instance) -> int:
    """Where a missing segment or loop should stand: behind all that must precede it."""
    loop_id, order = place.children[0]
    for loop_id, order in place.children:
        for where in _scope(instance, loop_id):
            before = [
                position
                for (segment, _), position in zip(where.segments, where.positions, strict=True)
                if segment.order < order
            ]
            before += [_last(child) for child in where.children if child.loop.order < order]
            return max(before, default=_first(where)) + 1
    return _first(instance)
