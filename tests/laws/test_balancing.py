"""Laws of balancing: what adds up is found clean, what is a cent off is found where it stands, and no amount is ever told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.status_values import corpus_sets, set_of, tree_of
from x12.balancing import balance_835, balance_837
from x12.finding import Finding

VERSION = "005010X221A1"
HEAD = [
    "TRN*1*TRACE*1512345678",
    "N1*PR*PLAN",
    "N3*STREET",
    "N4*AUSTIN*TX*787010000",
    "PER*BL**TE*1",
    "N1*PE*CLINIC*XX*1",
]
# Files that do not balance on purpose, and where.
UNBALANCED = {
    "workbench_835_claim_does_not_reconcile.edi": {"CLP04", "BPR02"},
    "workbench_835_line_does_not_reconcile.edi": {"SVC03"},
    "workbench_835_total_does_not_reconcile.edi": {"BPR02"},
}

Cents = int
cents = st.integers(-(10**9), 10**9)


def money(value: Cents) -> str:
    """Cents as X12 writes them, without a zero at either end."""
    text = f"{Decimal(abs(value)) / 100:f}"
    text = (text.rstrip("0").rstrip(".") if "." in text else text).removeprefix("0") or "0"
    return f"-{text}" if value < 0 else text


def adjustments(values: list[Cents]) -> list[str]:
    """CAS segments with up to six amounts each."""
    rows = [values[i : i + 6] for i in range(0, len(values), 6)]
    return ["CAS*CO*" + "**".join(f"45*{money(v)}" for v in row) for row in rows]


@dataclass
class Line:
    charge: Cents
    adjusted: list[Cents]
    off: Cents = 0

    @property
    def paid(self) -> Cents:
        return self.charge - sum(self.adjusted) + self.off


@dataclass
class Claim:
    lines: list[Line]
    adjusted: list[Cents]
    extra: Cents
    status: str = "1"
    off: Cents = 0

    @property
    def charge(self) -> Cents:
        return sum(line.charge for line in self.lines) + self.extra

    @property
    def paid(self) -> Cents:
        return self.charge - sum(self.adjusted) - sum(sum(line.adjusted) for line in self.lines) + self.off


@dataclass
class Payment:
    claims: list[Claim]
    providers: list[Cents]
    off: Cents = 0
    flag: str = "C"
    places: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def segments(self) -> list[str]:
        total = sum(c.paid for c in self.claims) - sum(self.providers) + self.off
        total = -total if self.flag == "D" else total
        lines = ["ST*835*0001", f"BPR*I*{money(total)}*{self.flag}*NON************20260105", *HEAD, "LX*1"]
        for claim in self.claims:
            self.places.setdefault("CLP04", []).append(len(lines) + 1)
            lines += [f"CLP*A*{claim.status}*{money(claim.charge)}*{money(claim.paid)}**12*I"]
            lines += [*adjustments(claim.adjusted), "NM1*QC*1*DOE"]
            for line in claim.lines:
                self.places.setdefault("SVC03", []).append(len(lines) + 1)
                lines += [f"SVC*HC:1*{money(line.charge)}*{money(line.paid)}", "DTM*472*20260101"]
                lines += adjustments(line.adjusted)
        rows = [self.providers[i : i + 6] for i in range(0, len(self.providers), 6)]
        lines += ["PLB*1*20261231*" + "*".join(f"WO:X*{money(v)}" for v in row) for row in rows]
        return [*lines, f"SE*{len(lines) + 1}*0001"]

    def findings(self) -> list[Finding]:
        return balance_835(tree_of(self.segments(), "HP", VERSION))


lists = st.lists(cents, max_size=8)
service_lines = st.builds(Line, cents, lists)
claims = st.builds(Claim, st.lists(service_lines, max_size=4), lists, st.just(0))
payments = st.builds(Payment, st.lists(claims, max_size=4), lists, flag=st.sampled_from("CD"))
wrong = st.integers(1, 10**6) | st.integers(-(10**6), -1)


def places(findings: list[Finding]) -> list[tuple[str, int | None]]:
    return [(f"{f.segment}{f.element:02d}", f.position) for f in findings]


@given(payments)
@settings(max_examples=300, deadline=None)
def test_a_remittance_that_adds_up_is_clean(payment: Payment) -> None:
    assert [] == payment.findings()


@given(payments, wrong)
@settings(max_examples=100, deadline=None)
def test_a_payment_a_cent_off_is_found_at_its_amount(payment: Payment, off: Cents) -> None:
    payment.off = off
    assert [("BPR02", 2)] == places(payment.findings())


@given(payments, wrong, st.data())
@settings(max_examples=100, deadline=None)
def test_a_claim_a_cent_off_is_found_at_its_payment(payment: Payment, off: Cents, data: st.DataObject) -> None:
    if payment.claims:
        at = data.draw(st.integers(0, len(payment.claims) - 1))
        payment.claims[at].off = off
        found = payment.findings()
        assert [("CLP04", payment.places["CLP04"][at])] == places(found)
        assert ["2100"] == [f.loop for f in found]


@given(payments, wrong, st.data())
@settings(max_examples=100, deadline=None)
def test_a_line_a_cent_off_is_found_at_its_payment(payment: Payment, off: Cents, data: st.DataObject) -> None:
    rows = [line for claim in payment.claims for line in claim.lines]
    if rows:
        at = data.draw(st.integers(0, len(rows) - 1))
        rows[at].off = off
        found = payment.findings()
        assert [("SVC03", payment.places["SVC03"][at])] == places(found)
        assert [(3, "2110")] == [(f.level, f.loop) for f in found]


def test_every_finding_of_a_remittance_comes_at_once() -> None:
    payment = Payment([Claim([Line(100, [10], 1), Line(50, [], 1)], [], 0, off=1), Claim([], [5], 20)], [3], off=1)
    line = payment.findings()
    expected = [("SVC03", payment.places["SVC03"][i]) for i in (0, 1)]
    assert [*expected, ("CLP04", payment.places["CLP04"][0]), ("BPR02", 2)] == places(line)


def test_a_reversal_balances_like_a_payment() -> None:
    reversed_claim = Claim([Line(-10000, [-2000])], [-500], 0, status="22")
    corrected = Claim([Line(10000, [3000])], [], 0)
    assert [] == Payment([reversed_claim, corrected], []).findings()


@pytest.mark.parametrize("claims", [1, 300])
@pytest.mark.parametrize(
    ("status", "owed", "told"), [("1", "35", []), ("1", "25", ["CLP05"]), ("1", "", ["CLP05"]), ("22", "", [])]
)
def test_what_the_patient_owes_is_the_sum_of_the_adjustments_that_say_so(
    claims: int, status: str, owed: str, told: list[str]
) -> None:
    """Of a claim and of its lines, but of a reversal; X12's interpretations 680 and 2548. Often enough to be proved as a whole."""
    sign = "-" if status == "22" else ""
    claim = [
        f"CLP*A*{status}*{sign}200*{sign}115*{owed}*12*I",
        f"CAS*PR*3*{sign}10",
        "NM1*QC*1*DOE",
        f"SVC*HC:99213*{sign}200*{sign}125",
        "DTM*472*20260101",
        f"CAS*CO*45*{sign}50",
        f"CAS*PR*1*{sign}20**2*{sign}5",
    ]
    body = [*HEAD, "LX*1", *claim * claims]
    paid = Payment([], []).segments()[1].replace("*0*", f"*{0 if sign else 115 * claims}*", 1)
    owing = ["PLB*1*20261231*WO:X*-" + str(115 * claims)] if sign else []
    lines = ["ST*835*0001*005010X221A1", paid, *body, *owing]
    segments = [*lines, f"SE*{len(lines) + 1}*0001"]
    walked = set_of(segments, "HP", VERSION, levels=range(1, 7)).findings
    for findings in (balance_835(tree_of(segments, "HP", VERSION)), [f for f in walked if f.level == 3]):
        assert told * claims == [f"{f.segment}{f.element:02d}" for f in findings]
        assert {"warning"} >= {f.severity for f in findings}


def test_a_predetermination_pays_nothing() -> None:
    assert [] == Payment([Claim([Line(10000, [4000, 6000])], [], 0, status="25")], []).findings()
    found = Payment([Claim([Line(10000, [4000])], [], 0, status="25")], []).findings()
    assert ["CLP04"] == [place for place, _ in places(found)]


def test_a_claim_without_lines_balances_by_its_own_adjustments() -> None:
    assert [] == Payment([Claim([], [2500, 100], 10000)], []).findings()


@given(payments, st.sampled_from(("", "X", "1E3", "NaN", "Infinity", "1_0", "²", "--1", ".", "-", "9" * 40)), st.data())
@settings(max_examples=200, deadline=None)
def test_an_equation_with_what_is_not_a_number_is_left_to_the_walk(
    payment: Payment, text: str, data: st.DataObject
) -> None:
    segments = payment.segments()
    elements = {"BPR": (2,), "CLP": (3, 4), "SVC": (2, 3), "CAS": (3,)}
    amounts = [(i, e) for i, s in enumerate(segments) for e in elements.get(s[:3], ())]
    at, element = data.draw(st.sampled_from(amounts))
    if text or segments[at][:3] != "CAS":
        parts = segments[at].split("*")
        parts[element] = text
        segments[at] = "*".join(parts)
    assert [] == balance_835(tree_of(segments, "HP", VERSION))


@given(payments, wrong)
@settings(max_examples=100, deadline=None)
def test_no_finding_tells_an_amount(payment: Payment, off: Cents) -> None:
    for claim in payment.claims:
        claim.off = off
        for line in claim.lines:
            line.off = off
    for found in payment.findings():
        assert [] == re.findall(r"\d+\.\d|-\d|\d{5,}", found.message)


def test_files_that_do_not_add_up_are_found_and_those_of_the_guide_are_clean() -> None:
    found = {
        n: {p for p, _ in places(balance_835(s.tree()))} for n, s in corpus_sets("835", "invalid") if s.set_id == "835"
    }
    assert {n: UNBALANCED[n] for n in UNBALANCED if n in found} == {n: v for n, v in found.items() if n in UNBALANCED}
    assert {} == {n: v for n, v in found.items() if n.startswith("stupidedi__X221A1") and v}


# --- claims --------------------------------------------------------------------------------------------------------

CLAIM_HEAD = [
    "ST*837*0001*005010X222A1",
    "BHT*0019*00*1*20260105*0930*CH",
    "NM1*41*2*S*****46*1",
    "PER*IC*A*TE*1",
    "NM1*40*2*R*****46*2",
    "HL*1**20*1",
    "NM1*85*2*CLINIC*****XX*1234567893",
    "N3*STREET",
    "N4*AUSTIN*TX*787010000",
    "REF*EI*123456789",
    "HL*2*1*22*0",
    "SBR*S*18*******CI",
    "NM1*IL*1*DOE*J****MI*M1",
    "NM1*PR*2*SECOND*****PI*P2",
]


def professional(
    charge: Cents,
    lines: list[Cents],
    *,
    claim_level: list[Cents],
    paid: Cents | None,
    decided: list[tuple[str, Cents, list[Cents]]] | None = None,
) -> list[Finding]:
    """A secondary claim; `decided` has, for each line, who decided, what was paid and what was adjusted."""
    body = [*CLAIM_HEAD, f"CLM*A*{money(charge)}***11:B:1*Y*A*Y*Y", "HI*ABK:I10", "SBR*P*18*******CI"]
    body += adjustments(claim_level)
    body += [] if paid is None else [f"AMT*D*{money(paid)}"]
    body += ["OI***Y***Y", "NM1*IL*1*DOE*J****MI*M1", "NM1*PR*2*FIRST*****PI*P1"]
    for number, line in enumerate(lines, 1):
        body += [f"LX*{number}", f"SV1*HC:1*{money(line)}*UN*1***1", "DTP*472*D8*20260101"]
        for who, amount, adjusted in (decided or [])[number - 1 : number]:
            body += [f"SVD*{who}*{money(amount)}*HC:1**1", *adjustments(adjusted), "DTP*573*D8*20260102"]
    body.append(f"SE*{len(body) + 1}*0001")
    return balance_837(tree_of(body, "HC", "005010X222A1"))


@given(st.lists(cents, min_size=1, max_size=5), st.just(0) | wrong)
@settings(max_examples=100, deadline=None)
def test_the_charge_of_a_claim_is_the_sum_of_its_lines(lines: list[Cents], off: Cents) -> None:
    found = professional(sum(lines) + off, lines, claim_level=[], paid=None)
    assert ([("CLM02", 15)] if off else []) == places(found)


@given(st.lists(st.tuples(cents, lists), min_size=1, max_size=4), lists, st.just(0) | wrong)
@settings(max_examples=100, deadline=None)
def test_what_another_payer_paid_is_what_its_lines_leave(
    lines: list[tuple[Cents, list[Cents]]], claim_level: list[Cents], off: Cents
) -> None:
    charges = [charge for charge, _ in lines]
    decided = [("P1", charge - sum(adjusted), adjusted) for charge, adjusted in lines]
    paid = sum(amount for _, amount, _ in decided) - sum(claim_level) + off
    found = professional(sum(charges), charges, claim_level=claim_level, paid=paid, decided=decided)
    assert (["AMT02"] if off else []) == [place for place, _ in places(found)]


def test_a_line_that_another_payer_left_unbalanced_is_found() -> None:
    found = professional(10000, [10000], claim_level=[], paid=6000, decided=[("P1", 6000, [3000])])
    assert [("2430", "SVD02")] == [(f.loop, f"{f.segment}{f.element:02d}") for f in found]


def test_what_a_payer_decided_whom_the_claim_does_not_name_is_told_and_does_not_count() -> None:
    """Without the lines that may be its own the payer's sums are not judged: the number is what is wrong."""
    for claim_level in ([], [1000]):
        found = professional(10000, [10000], claim_level=claim_level, paid=6000, decided=[("P3", 1, [9999])])
        assert [("2430", "SVD01", "67")] == [(f.loop, f"{f.segment}{f.element:02d}", f.data) for f in found]


@pytest.mark.parametrize(
    ("orders", "told"),
    [("PT", []), ("PP", [2]), ("UU", []), ("TPT", [3]), ("PPP", [2, 3])],
)
def test_no_two_other_payers_have_one_place_in_the_order(orders: str, told: list[int]) -> None:
    """But U: nobody knows the order."""
    body = [*CLAIM_HEAD, "CLM*A*100***11:B:1*Y*A*Y*Y", "HI*ABK:I10"]
    starts: list[int] = []
    for number, order in enumerate(orders, 1):
        starts.append(len(body) + 1)
        body += [f"SBR*{order}*18*******CI", "OI***Y***Y", "NM1*IL*1*DOE*J****MI*M1"]
        body += [f"NM1*PR*2*OTHER*****PI*P{number}"]
    body += ["LX*1", "SV1*HC:1*100*UN*1***1", "DTP*472*D8*20260101"]
    body.append(f"SE*{len(body) + 1}*0001")
    expected = [("SBR01", starts[n - 1]) for n in told]
    assert expected == places(balance_837(tree_of(body, "HC", "005010X222A1")))
    walked = set_of(body, "HC", "005010X222A1", levels=(1, 2, 3)).findings
    assert expected == places([f for f in walked if f.level == 3])


def test_lines_of_payers_that_share_a_number_are_not_judged() -> None:
    """Somebody insured twice with one payer: SVD01 does not tell which of the two decided."""
    body = [*CLAIM_HEAD, "CLM*A*100***11:B:1*Y*A*Y*Y", "HI*ABK:I10"]
    for place, paid in (("P", "75"), ("T", "20")):
        body += [f"SBR*{place}*18*******CI", f"AMT*D*{paid}", "OI***Y***Y", "NM1*IL*1*DOE*J****MI*M1"]
        body += ["NM1*PR*2*FIRST*****PI*P1"]
    body += ["LX*1", "SV1*HC:1*100*UN*1***1", "DTP*472*D8*20260101", "SVD*P1*75*HC:1**1", "CAS*PR*1*25"]
    body += ["DTP*573*D8*20260102", "SVD*P1*20*HC:1**1", "CAS*OA*23*75", "CAS*PR*1*5", "DTP*573*D8*20260103"]
    body.append(f"SE*{len(body) + 1}*0001")
    assert [] == balance_837(tree_of(body, "HC", "005010X222A1"))


def test_a_claim_decided_as_a_whole_is_only_warned_about() -> None:
    assert [] == professional(10000, [10000], claim_level=[4000], paid=6000)
    found = professional(10000, [10000], claim_level=[4000], paid=5000)
    assert [("AMT02", "warning")] == [(f"{f.segment}{f.element:02d}", f.severity) for f in found]


@pytest.mark.parametrize("paid", [None, 0])
def test_a_payer_that_adjusted_nothing_is_not_judged(paid: Cents | None) -> None:
    assert [] == professional(10000, [10000], claim_level=[], paid=paid)


def test_an_institutional_claim_balances_by_its_own_segments() -> None:
    """SV203 is the line's charge, and the revenue code stands in SVD04."""

    def found(charge: str, paid: str, line_paid: str) -> list[str]:
        body = [CLAIM_HEAD[0].replace("X222A1", "X223A2"), *CLAIM_HEAD[1:]]
        body += [f"CLM*A*{charge}***13:A:1**A*Y*Y", "DTP*434*RD8*20260101-20260101", "CL1*1**01", "HI*ABK:I10"]
        body += ["SBR*P*18*******CI", "CAS*PR*1*5", f"AMT*D*{paid}", "OI***Y***Y", "NM1*IL*1*DOE*J****MI*M1"]
        body += ["NM1*PR*2*FIRST*****PI*P1", "LX*1", "SV2*0450*HC:1*70*UN*1", f"SVD*P1*{line_paid}*HC:1*0450*1"]
        body += ["CAS*CO*45*20", "DTP*573*D8*20260102", "LX*2", "SV2*0120**30*DA*1", "SVD*P1*30**0120*1"]
        body += ["DTP*573*D8*20260102"]
        one = set_of([*body, f"SE*{len(body) + 1}*0001"], "HC", "005010X223A2")
        assert [] == [f for f in one.findings if f.loop not in ("1000A", "1000B")]
        return [place for place, _ in places(balance_837(one.tree()))]

    assert [] == found("100", "75", "50")
    assert ["CLM02"] == found("101", "75", "50")
    assert ["AMT02"] == found("100", "80", "50")
    assert ["SVD02"] == found("100", "76", "51")


def test_a_dental_claim_balances_by_its_own_segments() -> None:
    """SV302 is the line's charge; a predetermination has charges as a claim has."""

    def found(charge: str, paid: str, line_paid: str, clm19: str = "") -> list[str]:
        body = [CLAIM_HEAD[0].replace("X222A1", "X224A2"), *CLAIM_HEAD[1:]]
        body += [f"CLM*A*{charge}***11:B:1*Y*A*Y*Y" + (f"**********{clm19}" if clm19 else "")]
        body += ["SBR*P*18*******CI", "CAS*PR*1*5", f"AMT*D*{paid}", "OI***Y***Y", "NM1*IL*1*DOE*J****MI*M1"]
        body += ["NM1*PR*2*FIRST*****PI*P1", "LX*1", "SV3*AD:D2150*70****1", "TOO*JP*3*M:O"]
        body += [f"SVD*P1*{line_paid}*AD:D2150**1", "CAS*CO*45*20", "DTP*573*D8*20260102"]
        body += ["LX*2", "SV3*AD:D1110*30", "SVD*P1*30*AD:D1110**1", "DTP*573*D8*20260102"]
        one = set_of([*body, f"SE*{len(body) + 1}*0001"], "HC", "005010X224A2")
        assert [] == [f for f in one.findings if f.loop not in ("1000A", "1000B")]
        return [place for place, _ in places(balance_837(one.tree()))]

    for clm19 in ("", "PB"):
        assert [] == found("100", "75", "50", clm19)
        assert ["CLM02"] == found("101", "75", "50", clm19)
    assert ["AMT02"] == found("100", "80", "50")
    assert ["SVD02"] == found("100", "76", "51")


def test_only_claims_known_to_be_off_are_found_in_the_corpus() -> None:
    wrong_files = {"invalid": {"workbench_checks_unbalanced_claim.edi", "workbench_checks_multi_problem.edi"}}
    for folder, names in wrong_files.items():
        sets = [(n, s) for n, s in corpus_sets(folder) if n in names and s.set_id == "837"]
        assert ["CLM02"] * len(sets) == [p for _, s in sets for p, _ in places(balance_837(s.tree()))]
    for name, one in corpus_sets("837P", "837I", "837D"):
        if name.startswith(("stupidedi__X222", "stupidedi__X223", "stupidedi__X224")):
            assert (name, []) == (name, places(balance_837(one.tree())))


def test_a_set_without_any_one_of_its_segments_is_balanced_as_far_as_it_goes() -> None:
    claim = Claim([Line(10000, [2000]), Line(5000, [])], [1000], 0)
    paid = Payment([claim], [500]).segments()
    decided = ["SBR*P*18*******CI", "AMT*D*70", "OI***Y***Y", "NM1*IL*1*DOE*J****MI*M1", "NM1*PR*2*FIRST*****PI*P1"]
    body = [*CLAIM_HEAD, "CLM*A*100***11:B:1*Y*A*Y*Y", "HI*ABK:I10", *decided, "LX*1", "SV1*HC:1*100*UN*1***1"]
    body += ["DTP*472*D8*20260101", "SVD*P1*70*HC:1**1", "CAS*CO*45*30", "DTP*573*D8*20260102", "SE*29*0001"]
    assert [] == balance_835(tree_of(paid, "HP", VERSION))
    assert [] == balance_837(tree_of(body, "HC", "005010X222A1"))
    for lines, group, version, balance, known in (
        (paid, "HP", VERSION, balance_835, {"BPR02", "CLP04", "SVC03"}),
        (body, "HC", "005010X222A1", balance_837, {"CLM02", "AMT02", "SVD02"}),
    ):
        for missing in range(1, len(lines) - 1):
            found = balance(tree_of([*lines[:missing], *lines[missing + 1 :]], group, version))
            assert set() == {place for place, _ in places(found)} - known
