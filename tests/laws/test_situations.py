"""Laws of the situational rules: each is broken by its failing case and by nothing else, and the facts say what the tree says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.laws.situation_cases import Case, all_cases, walked
from x12 import guides, situations
from x12.balancing import balance_835, balance_837
from x12.elements import judge_segment
from x12.envelope import read
from x12.finding import Finding
from x12.guides import Guide, GuideError
from x12.situations.language import parse
from x12.syntax import STANDARD
from x12.walk import Instance

CASES = list(all_cases())
RULED = {g.id + g.set_id: g for key in sorted(guides.available()) if situations.rules(g := guides.load(*key))}.values()
STATEMENTS = {(guide.id + guide.set_id, s.rule.id): s for guide in RULED for s in situations.rules(guide)}
BALANCE = {"835": balance_835, "837": balance_837}


def judged(guide: Guide, segments: list[str]) -> tuple[list[Finding], list[Finding]]:
    """Findings of levels 1 to 3, and of the rules."""
    walk, root = walked(guide, segments)
    below = [*walk.findings]
    if guide.set_id in BALANCE:
        below += BALANCE[guide.set_id](root)
    return below, situations.judge_tree(root, guide)


@cache
def made_of(case: Case) -> tuple[list[str], list[str]]:
    return case.broken(), case.mended()


def by_facts(root: Instance, guide: Guide, payer: tuple[str, ...] = ()) -> Counter[str]:
    """The rules that are broken, found as the walk finds them: with bits, from the inside out."""
    compiled = situations.situations(guide, STANDARD, payer)
    found: Counter[str] = Counter()

    def close(instance: Instance, around: int, texts: dict[int, str]) -> int:
        known = compiled.loop(instance.loop)
        around = around & ~known.own if known else around
        texts = dict(texts)
        facts = seen = 0
        things = [(p, s.order, s.index, raw) for (s, raw), p in zip(instance.segments, instance.positions, strict=True)]
        things += [(_first(child), child.loop.order, child, "") for child in instance.children]
        for _, order, what, raw in sorted(things, key=lambda thing: thing[0]):
            seen |= 1 << order
            if isinstance(what, Instance):
                there = (seen & ~(1 << order)) << known.base & known.presence if known else 0
                facts |= close(what, around | facts | there, texts)
            else:
                if what in compiled.watched:
                    facts |= compiled.watched[what](raw.split("*"))
                if what in compiled.kept:
                    texts[what] = raw
        if known:
            facts |= seen << known.base & known.presence
            found.update(rule.id for rule in known.broken(facts | around))
        if compare := compiled.compare(instance.loop):
            found.update(rule.id for rule in compare(texts))
        return facts

    close(root, 0, {})
    return found


def _first(instance: Instance) -> int:
    return min([*instance.positions, *map(_first, instance.children)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}@{case.line}")
def test_a_failing_case_breaks_its_rule_and_nothing_else(case: Case) -> None:
    segments = made_of(case)[0]
    below, found = judged(case.guide, segments)
    assert [] == [f.message for f in below if f.severity == "error"]
    assert [case.rule] == [f.rule for f in found]
    rule = STATEMENTS[case.guide.id + case.guide.set_id, case.rule].rule
    finding = found[0]
    assert (rule.level, rule.severity) == (finding.level, finding.severity)
    assert finding.code in (rule.code, "I6")
    assert finding.position is not None
    if finding.code != "I6":
        assert finding.segment == segments[finding.position - 1].split("*")[0]
    assert (finding.trigger is None) is (finding.trigger_position is None)
    if finding.trigger is not None and finding.trigger_position is not None:
        assert finding.trigger.split()[1].startswith(segments[finding.trigger_position - 1].split("*")[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}@{case.line}")
def test_the_mended_case_is_clean(case: Case) -> None:
    below, found = judged(case.guide, made_of(case)[1])
    assert [] == [f.message for f in below if f.severity == "error"]
    assert [] == [f.rule for f in found]


@pytest.mark.parametrize(
    ("procedure", "rules"),
    [("A0021", ["P-AMB-001"]), ("A0225", ["P-AMB-001"]), ("A0999", ["P-AMB-001"])]
    + [(other, []) for other in ("A0080", "A0100", "A0130", "A0180", "A0210", "A0998")],
)
def test_a_taxi_a_van_and_a_visit_without_transport_are_no_ambulance(procedure: str, rules: list[str]) -> None:
    case = next(c for c in CASES if c.rule == "P-AMB-001")
    segments = [s.replace("A0429", procedure) for s in made_of(case)[0]]
    assert rules == [f.rule for f in judged(case.guide, segments)[1]]


@pytest.mark.parametrize("procedure", ["0011A", "0042T", "0191T", "0016U"])
def test_a_code_of_another_form_lies_in_no_range(procedure: str) -> None:
    """A vaccination's administration, a new technology and a laboratory's own test are no anesthesia, whatever they sort between."""
    case = next(c for c in CASES if c.rule == "P-ANE-002")
    segments = [s.replace("00142", procedure) for s in made_of(case)[0]]
    assert [] == judged(case.guide, segments)[1]


def test_a_home_health_rate_is_no_surgery() -> None:
    """HIPPS codes such as 2HB21 sort between procedures."""
    case = next(c for c in CASES if c.rule == "I-2300-005")
    (line,) = (s for s in made_of(case)[0] if s.startswith("SV2*") and "HC:" in s)
    assert case.rule in [f.rule for f in judged(case.guide, made_of(case)[0])[1]]
    rate = line.split("*")
    rate[2] = "HP:2HB21"
    segments = [("*".join(rate) if s == line else s) for s in made_of(case)[0]]
    assert [] == judged(case.guide, segments)[1]


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert set(STATEMENTS) == {(case.guide.id + case.guide.set_id, case.rule) for case in CASES}


def test_rules_are_many() -> None:
    assert 200 <= len({name for _, name in STATEMENTS})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}@{case.line}")
def test_the_facts_say_what_the_tree_says(case: Case) -> None:
    for segments in made_of(case):
        root = walked(case.guide, segments)[1]
        assert Counter(f.rule for f in situations.judge_tree(root, case.guide)) == by_facts(root, case.guide)


def mutated(segments: list[str], random: Random) -> list[str]:
    """A few segments dropped, doubled, or with an element emptied, moved or taken from another case."""
    made = list(segments)
    others = random.choice(CASES).base
    for _ in range(random.randint(1, 6)):
        at = random.randrange(1, len(made) - 1)
        row = made[at].split("*")
        match random.randrange(5):
            case 0:
                del made[at]
            case 1:
                made.insert(at, made[at])
            case 2:
                row[random.randrange(1, len(row))] = ""
                made[at] = "*".join(row)
            case 3:
                row[random.randrange(1, len(row))] = random.choice(random.choice(others).split("*"))
                made[at] = "*".join(row)
            case _:
                made.insert(at, random.choice(others))
        if len(made) < 4:
            break
    return made


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_the_facts_say_what_the_tree_says_of_anything(seed: int) -> None:
    random = Random(seed)
    case = random.choice(CASES)
    segments = mutated(random.choice(made_of(case)), random)
    root = walked(case.guide, segments)[1]
    assert Counter(f.rule for f in situations.judge_tree(root, case.guide)) == by_facts(root, case.guide)


WRONG = {
    "X-1 4 error 2300": "1",
    "P-2300-001  4 error  9999\n  needs DTP*439\n  say x\n  from x": "1",
    "P-2300-001  4 error  2300\n  needs DTP*999\n  say x\n  from x": "2",
    "P-2300-001  4 error  2300\n  needs CLM99\n  say x\n  from x": "2",
    "P-2300-001  4 error  2300\n  needs CLM\n  say x\n  from x": "2",
    "P-2300-001  4 error  2300\n  when REF02*4N = 9\n  needs REF*F8\n  say x\n  from x": "2",
    "P-2300-001  4 error  2300\n  needs REF*F8\n  from x": "1",
    "P-2300-001  4 error  2300\n  needs REF*F8\n  forbids REF*F8\n  say x\n  from x": "1",
    "P-2300-001  6 error  2300\n  needs REF*F8\n  say x\n  from x": "1",
    "P-2010AA-001  4 error  2010AA\n  needs 2010AB NM102\n  say x\n  from x": "1",
    "P-2300-001  4 error  2300\n  when CLM01 maybe\n  needs REF*F8\n  say x\n  from x": "2",
    "P-2300-001  4 error  2300\n  when CLM02 like [\n  needs REF*F8\n  say x\n  from x": "2",
}


@pytest.mark.parametrize(("text", "line"), WRONG.items())
def test_a_wrong_rule_names_file_and_line(text: str, line: str) -> None:
    with pytest.raises(GuideError, match=rf"^some\.rules:{line}: "):
        parse(text, guides.load("005010X222A1", "837"), "some.rules")


def test_what_facts_are_remembered_by_decides_them() -> None:
    remembered: dict[object, int] = {}
    for case in CASES:
        watched = situations.situations(case.guide, STANDARD).watched
        for segments in made_of(case):
            for instance in everything(walked(case.guide, segments)[1]):
                for segment, raw in instance.segments:
                    watch, row = watched.get(segment.index), raw.split("*")
                    if watch is None:
                        continue
                    assert watch(row) == watch.faulted(row)
                    if not judge_segment(segment, raw, STANDARD, 1):
                        key = eval(watch.key, {"row": [*row, *[""] * watch.size]})
                        assert watch(row) == remembered.setdefault((case.guide.id, segment.index, key), watch(row))
    assert len(remembered) > 300


def everything(instance: Instance) -> Iterator[Instance]:
    yield instance
    for child in instance.children:
        yield from everything(child)


def test_answers_are_forgotten_before_they_fill_the_memory() -> None:
    compiled = situations.situations(guides.load("005010X222A1", "837"), STANDARD)
    watchers = list(compiled.watched.values())[:5]
    for watch in watchers:
        for number in range(5000):
            watch.keep(number, ["REF", *[str(number)] * 8])
            watch.faulted(["REF", *[str(number)] * 8])
        watch.keep("long", ["REF", "1" * 1000])
    assert 5 == len(watchers)
    assert all(len(watch.known_faulted) <= 2048 for watch in watchers)
    assert all(0 < len(watch.known) <= 2048 and "long" not in watch.known for watch in watchers)


def test_a_rule_says_where_it_comes_from_and_never_ends_in_the_air() -> None:
    for statement in STATEMENTS.values():
        assert statement.rule.source.split()[0] in {g.id for g in RULED}
        assert statement.rule.message.endswith("."), statement.rule.id


PAYER = """
rules 005010X222A1  Sample Health Plan
X-2300-001  7 error  2300
  when CLM05-3 = 8
  needs NTE
  say A void needs a note: send NTE.
  from the plan's companion guide
"""


def test_a_payer_has_rules_of_its_own_in_the_same_language() -> None:
    case = next(c for c in CASES if c.rule == "C-2300-001" and c.guide.id == "005010X222A1" and "8" in c.fail[0])
    segments = case.mended()
    root = walked(case.guide, segments)[1]
    assert [] == situations.judge_tree(root, case.guide)
    found = situations.judge_tree(root, case.guide, (PAYER,))
    assert [("X-2300-001", 7)] == [(f.rule, f.level) for f in found]
    assert Counter({"X-2300-001": 1}) == by_facts(root, case.guide, (PAYER,))
    institutional = guides.load("005010X223A2", "837")
    assert situations.rules(institutional) == situations.rules(institutional, (PAYER,))


def test_a_patched_guide_keeps_the_rules_of_the_guide() -> None:
    case = next(c for c in CASES if c.rule == "C-2300-001" and c.guide.id == "005010X222A1")
    patch = "companion 005010X222A1 837  Sample Health Plan\n2300 REF[F8] R\n2300 CLM12 = 02\n"
    patched = guides.patch(case.guide, patch)
    assert situations.rules(case.guide) == situations.rules(patched)
    broken, mended = (walked(patched, segments)[1] for segments in made_of(case))
    assert (Counter({case.rule: 1}), Counter()) == (by_facts(broken, patched), by_facts(mended, patched))


def test_a_finding_is_told_of_a_tree_that_has_lost_its_segments() -> None:
    for case in CASES:
        statement = STATEMENTS[case.guide.id + case.guide.set_id, case.rule]
        loop = next(loop for loop in case.guide.loops() if loop.id == statement.loop)
        found = situations.finding(statement, Instance(loop, None, STANDARD))
        assert (case.rule, statement.rule.level) == (found.rule, found.level)


@pytest.mark.parametrize(
    "made", [synthetic.claims_837p, synthetic.claims_837i, synthetic.claims_837d, synthetic.remittance_835,
             synthetic.acknowledgement_277ca, synthetic.requests_270, synthetic.responses_271],
)  # fmt: skip
def test_synthetic_files_break_no_rule(made: Callable[[int], str]) -> None:
    sets = [s for i in read(made(30).encode()) for s in i.sets]
    assert sets
    assert [] == [f.rule for s in sets if s.guide for f in situations.judge_tree(s.tree(), s.guide)]
