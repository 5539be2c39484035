"""Every segment of a set is explained at its place; what could tell who somebody is, is masked by what its element is."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

import x12
from tests import synthetic
from x12 import guides
from x12.comparing import difference
from x12.envelope import Interchange, TransactionSet
from x12.explaining import Block, Explained, Line, Value, explain, money, readable_date
from x12.guides import Segment
from x12.masking import MASK, may_show

CANARY = "CANARY"


def lines(block: Block) -> Iterator[Line]:
    for item in block.items:
        if isinstance(item, Line):
            yield item
        else:
            yield from lines(item)


def values(said: Explained) -> dict[str, Value]:
    return {v.place: v for line in lines(said.body) for v in line.values}


def received(text: str) -> list[TransactionSet | Interchange]:
    return [part for i in x12.read(text.encode("latin-1")) for part in (i, *i.sets)]


def one_set(text: str) -> TransactionSet:
    return x12.read(text.encode())[0].sets[0]


# --- the structure -----------------------------------------------------------------------------------------------------


def test_every_segment_is_explained_once_and_in_order() -> None:
    one = one_set(synthetic.claims_837p(6, wrong=True))
    said = list(lines(explain(one, reveal=True).body))
    assert list(range(1, len(one.segments) + 1)) == [line.position for line in said]
    assert one.segments == [line.raw for line in said]


def test_every_finding_is_told_once() -> None:
    one = one_set(synthetic.claims_837p(6, wrong=True))
    said = explain(one)
    told = [*said.findings, *(f for line in lines(said.body) for f in line.findings)]
    assert sorted(map(repr, one.findings)) == sorted(map(repr, told))
    assert len(one.findings) == said.errors + said.warnings


def test_a_set_without_a_guide_is_explained_by_the_standard() -> None:
    text = synthetic.interchange("BE", "005010X220A1", [["ST*834*{ST02}*005010X220A1", "NM1*IL*1*CANARY", "ABC*1"]])
    said = explain(one_set(text))
    assert ["ST", "NM1", "?", "SE"] == [line.id for line in lines(said.body)]
    assert CANARY not in str(msgspec.json.encode(said))


def test_codes_have_their_words_and_amounts_and_days_are_readable() -> None:
    said = values(explain(one_set(synthetic.claims_837p(1))))
    assert ("837", "11", "Office") == (said["ST01"].text, said["CLM05-1"].text, said["CLM05-1"].meaning)
    assert ("Units", "2025-12-02") == (said["SV103"].meaning, said["DTP03"].text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20251202", "2025-12-02"), ("20251202-20251205", "2025-12-02 to 2025-12-05"), ("0930", "09:30"),
     ("202512021405", "2025-12-02 14:05"), ("251202", "2025-12-02"), ("20251332", "20251332"), ("soon", "soon"), ("", "")],
)  # fmt: skip
def test_dates_are_told_as_iso_does(text: str, expected: str) -> None:
    assert expected == readable_date(text)


@pytest.mark.parametrize(("text", "expected"), [("1234.5", "1,234.50"), ("-0.1", "-0.10"), ("7", "7.00"), ("x", "x")])
def test_amounts_are_told_with_cents(text: str, expected: str) -> None:
    assert expected == money(text)


def test_the_summary_counts_claims_and_money() -> None:
    facts = dict(explain(one_set(synthetic.claims_837p(5))).facts)
    one = one_set(synthetic.claims_837p(5))
    charges = [s.split("*")[2] for s in one.segments if s.startswith("CLM*")]
    assert ("5", f"{sum(round(float(c) * 100) for c in charges) / 100:,.2f}") == (
        facts["Claims"],
        facts["Total charge"],
    )


# --- masking -----------------------------------------------------------------------------------------------------------


# The claim of one person, each of whose identifiers has a canary in it.
PLANTED_837 = """
ST*837*{ST02}*005010X222A1|BHT*0019*00*CANARY01*20260105*0930*CH|NM1*41*2*SYNTHETIC BILLING*****46*SYNTHSEND
PER*IC*CANARY02*TE*CANARY03*EM*CANARY04|NM1*40*2*SYNTHETIC CLEARING*****46*SYNTHRECV|HL*1**20*1
NM1*85*1*CANARY05*CANARY06*CANARY07**CANARY08*XX*1000000004|N3*CANARY09*CANARY10|N4*CANARY11*OR*CANARY12
REF*SY*CANARY13|PER*IC*CANARY14*TE*CANARY15|NM1*87*2|N3*CANARY16|N4*CANARY17*OR*CANARY18|HL*2*1*22*1
SBR*P**CANARY19*CANARY20*****CI|PAT*****D8*19330317*01*133.7*Y
NM1*IL*1*CANARY21*CANARY22*CANARY23**CANARY24*MI*CANARY25|N3*CANARY26|N4*CANARY27*OR*CANARY28*CA*CY*CANARY29|DMG*D8*19330317*F
REF*SY*CANARY30|REF*Y4*CANARY31|PER*IC*CANARY32*TE*CANARY33|NM1*PR*2*SYNTHETIC HEALTH PLAN*****PI*SYNTH|N3*CANARY34
REF*2U*CANARY35|REF*G2*CANARY36|HL*3*2*23*0|PAT*19****D8*19330317|NM1*QC*1*CANARY37*CANARY38*CANARY39**CANARY40
N3*CANARY41|N4*CANARY42*OR*CANARY43|DMG*D8*19330317*CANARY44|REF*Y4*CANARY45
CLM*CANARY46*100***11:B:1*Y*A*Y*Y**AA:::OR|DTP*439*D8*19330317|DTP*435*D8*CANARY47|PWK*OZ*BM***AC*CANARY48|CN1*09***CANARY49
AMT*F5*CANARY50|REF*F8*CANARY51|REF*EA*CANARY52|REF*D9*CANARY53|K3*CANARY54|NTE*ADD*CANARY55|CR1*LB*CANARY56**A*DH*12****CANARY57*CANARY58
HI*ABK:CANARY59|HI*BG:CANARY60|HCP*10*CANARY61**CANARY62|NM1*DN*1*CANARY63*CANARY64****XX*CANARY65|REF*0B*CANARY66
NM1*82*1*CANARY67|NM1*77*2*CANARYPLACE*****XX*1000000004|N3*CANARY68|N4*CANARY69*OR*CANARY70
SBR*S*18*CANARY71*CANARY72*****CI|OI***Y***Y|NM1*IL*1*CANARY73*CANARY74****MI*CANARY75|N3*CANARY76|NM1*PR*2*OTHER PLAN*****PI*OTHER
REF*F8*CANARY77|LX*1|SV1*HC:CANARY78:CANARY79::::CANARY80*CANARY81*UN*CANARY82***1|PWK*OZ*BM***AC*CANARY83|DTP*472*D8*19330317X
DTP*471*D8*19330317|QTY*PT*CANARY84|MEA*TR*HT*CANARY85|REF*6R*CANARY86|NTE*DCP*CANARY87|PS1*CANARY88*100|LIN**N4*CANARY89
REF*XZ*CANARY90|NM1*82*1*CANARY91|SVD*SYNTH*1*HC:99213**1*CANARY92|LQ*UT*CANARY93|FRM*1**CANARY94|CANARY*CANARY95|ZZZ*CANARY96
NM1*IL*2*CANARY97|XYZZY CANARY98|SV1*HC:99213*1*UN*1***1**Y****CANARY99*****CANARYA0|N4*CANARYA1*CANARYA2*CANARYA3*CANARYA4
"""
PLANTED_835 = """
ST*835*{ST02}|BPR*I*100*C*ACH*CCP*01*CANARY01*DA*CANARY02*CANARY03*CANARY04*01*CANARY05*DA*CANARY06*20260105
TRN*1*CHECK77*CANARY07*CANARY08|REF*EV*CANARY09|DTM*405*20260105|N1*PR*SYNTHETIC HEALTH PLAN|N3*CANARY11
N4*CANARY12*OR*CANARY13|REF*2U*CANARY14|PER*CX*CANARY15*TE*CANARY16|PER*BL*CANARY17*TE*CANARY18|N1*PE*SYNTHETIC CLINIC*FI*CANARY19
N3*CANARY20|REF*TJ*CANARY21|LX*1|CLP*CANARY22*1*100*100**12*CANARY23*11*1|CAS*PR*CANARY24*CANARY25
NM1*QC*1*CANARY26*CANARY27*CANARY28***MI*CANARY29|NM1*IL*1*CANARY30*CANARY31****MI*CANARY32|NM1*74*1*CANARY33*CANARY34****C*CANARY35
NM1*82*1*CANARY36*CANARY37****XX*CANARY38|NM1*PR*2*OTHER PLAN*****PI*OTHER|MOA***CANARY39|REF*1L*CANARY40|REF*EA*CANARY41
DTM*232*19330317X|DTM*050*CANARY42|PER*CX*CANARY43*TE*CANARY44|SVC*HC:CANARY45*100*100**1*HC:99213:::::CANARY46|DTM*472*CANARY47
REF*6R*CANARY48|LQ*HE*CANARY49|PLB*CANARY50*20261231*WO:CANARY51*-1
"""
PLANTED_271 = """
ST*271*{ST02}*005010X279A1|BHT*0022*11*CANARY01*20260105*0930|HL*1**20*1|NM1*PR*2*SYNTHETIC HEALTH PLAN*****PI*SYNTH
PER*IC*CANARY02*TE*CANARY03|HL*2*1*21*1|NM1*1P*1*CANARY04*CANARY05****XX*1000000004|REF*TJ*CANARY06|HL*3*2*22*0
TRN*2*CANARY07*CANARY08*CANARY09|NM1*IL*1*CANARY10*CANARY11*CANARY12**CANARY13*MI*CANARY14|REF*SY*CANARY15|REF*6P*CANARY16*CANARY17
N3*CANARY18*CANARY19|N4*CANARY20*OR*CANARY21|AAA*N**72*C|DMG*D8*19330317*F|INS*Y*18*001*25|HI*ABK:CANARY22
DTP*356*D8*CANARY23|DTP*442*D8*19330317|EB*1*IND*30*HM*CANARY24*27*CANARY25|REF*18*CANARY26|DTP*348*RD8*CANARY27
MSG*CANARY28|III*ZZ*CANARY29|LS*2120|NM1*P3*1*CANARY30*CANARY31****XX*CANARY32|N3*CANARY33|PER*IC*CANARY34*TE*CANARY35|LE*2120
"""
PLANTED_277CA = """
ST*277*{ST02}*005010X214|BHT*0085*08*CANARY01*20260105*0930*TH|HL*1**20*1|NM1*AY*2*CLEARING*****46*CLR01|TRN*1*CANARY02
DTP*050*D8*20260105|DTP*009*D8*20260105|HL*2*1*21*1|NM1*41*2*SYNTHETIC BILLING*****46*SYNTHSEND|TRN*2*CANARY03|STC*A1:19:PR*20260105*WQ*100
HL*3*2*19*1|NM1*85*1*CANARY04*CANARY05****XX*1000000004|TRN*1*CANARY06|HL*4*3*PT|NM1*QC*1*CANARY07*CANARY08****MI*CANARY09
TRN*2*CANARY10|STC*A7:CANARY11:QC*20260105*U*100********CANARY12|REF*1K*CANARY13|REF*D9*CANARY14|DTP*472*D8*19330317X
SVC*HC:CANARY15*100|STC*A7:500*20260105*U|REF*FJ*CANARY16
"""


def planted() -> dict[str, str]:
    made: dict[str, str] = {}
    for group, version, text in (
        ("HC", "005010X222A1", PLANTED_837),
        ("HP", "005010X221A1", PLANTED_835),
        ("HB", "005010X279A1", PLANTED_271),
        ("HN", "005010X214", PLANTED_277CA),
        ("HC", "004010X098A1", PLANTED_837),
    ):
        body = [s for line in text.strip().splitlines() for s in line.split("|")]
        # Qualifiers of the ISA before, authorization and security behind them.
        made[version] = synthetic.interchange(group, version, [body]).replace(
            "*00*          *00*          *", "*03*CANARYAUTH*01*CANARYPASS*", 1
        )
    return made


PLANTED = planted()
# A name that stands for an organization, in loops where none but organizations are, is shown.
ALLOWED = ("CANARYPLACE",)


def leaked(said: str) -> list[str]:
    for allowed in ALLOWED:
        said = said.replace(allowed, "")
    return [at for at in (CANARY, "19330317", "1933-03-17") if at in said]


@pytest.mark.parametrize("version", PLANTED)
def test_nothing_that_tells_who_somebody_is_gets_into_an_explanation(version: str) -> None:
    for part in received(PLANTED[version]):
        assert [] == leaked(msgspec.json.encode(explain(part)).decode())
        if isinstance(part, TransactionSet):
            assert CANARY in msgspec.json.encode(explain(part, reveal=True)).decode()


@pytest.mark.parametrize("version", PLANTED)
def test_nothing_that_tells_who_somebody_is_gets_into_a_difference(version: str) -> None:
    before = PLANTED[version]
    other = before.replace(CANARY, "CANARYX").replace("19330317", "19330318").replace("CANARYXPASS", "CANARYPASX")
    other = other.replace("CANARYXAUTH", "CANARYAUTX")
    for after in (other, synthetic.claims_837p(1)):
        found = list(difference(x12.read(before.encode()), x12.read(after.encode())))
        found += list(difference(x12.read(after.encode()), x12.read(before.encode())))
        assert found
        assert [] == leaked(msgspec.json.encode(found).decode().replace("CANARYXPLACE", ""))


def test_a_masked_segment_keeps_its_form() -> None:
    one = one_set(synthetic.claims_837p(1))
    for line, raw in zip(lines(explain(one).body), one.segments, strict=True):
        shown, whole = line.raw.split("*"), raw.split("*")
        assert len(whole) == len(shown)
        assert all(MASK in s or s == w for s, w in zip(shown, whole, strict=True))


def test_a_name_in_the_place_of_anything_else_stays_masked() -> None:
    """Whatever an element is for: a word that is none of its codes is not shown, but where organizations are named."""
    shown: set[str] = set()
    for key in sorted(guides.available()):
        for segment in guides.load(*key).segments:
            shown |= set(_shows(segment, "ABERNATHY"))
    # Trading partners, and a remittance's own number.
    assert {"ISA06", "ISA08", "GS02", "GS03", "TRN02", "NM103", "NM109", "N102", "N104"} >= shown


def _shows(segment: Segment, value: str) -> Iterator[str]:
    """The places of a segment that would show a value, whatever the qualifiers are."""
    for element in segment.elements:
        for part in element.components or (element,):
            for who, kind, qualifier in (("PR", "2", "PI"), ("IL", "1", "MI"), ("85", "2", "XX"), ("472", "D8", "D8")):
                row = [segment.id, who, kind, *[""] * 14]
                row[8], row[3] = qualifier, qualifier if segment.id == "N1" else row[3]
                component = part.position if element.components else 0
                if may_show(segment, element.position, component, part, value, row):
                    yield f"{segment.id}{element.position:02d}" + (f"-{component}" if component else "")
