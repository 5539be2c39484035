"""Synthetic X12 and JSON out of a seed: no real people, no real payers. The same seed gives the same bytes.

Used by tests, benches and the demo's neighbours; sizes are counts of claims or responses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from random import Random

LAST_NAMES = (
    "ABARA",
    "BRANDT",
    "CASTILLO",
    "DUBOIS",
    "EKLUND",
    "FISCHER",
    "GUPTA",
    "HARRIS",
    "IVANOV",
    "JANSEN",
    "KOWALSKI",
    "LINDQVIST",
)
FIRST_NAMES = ("ADA", "BRUNO", "CLARA", "DEV", "EMMA", "FELIX", "GRETA", "HUGO", "IRIS", "JONAS", "KAIA", "LEO")
CITIES = (
    ("PORTLAND", "OR", "972010000"),
    ("MADISON", "WI", "537030000"),
    ("TULSA", "OK", "741030000"),
    ("RENO", "NV", "895010000"),
)
PROCEDURES = ("99213", "99214", "99203", "80053", "85025", "93000", "71046", "36415", "97110")
DIAGNOSES = ("E119", "I10", "J0190", "M545", "Z0000", "R079", "K219", "F411", "N390")
LABORATORY = ("80053", "85025")
# Procedures of dentists and what is told with them.
DENTAL = (
    ("D0120", "mouth"),
    ("D1110", "mouth"),
    ("D2150", "filling"),
    ("D2740", "crown"),
    ("D2750", "crown again"),
    ("D3320", "tooth"),
    ("D4341", "quadrant"),
    ("D7140", "tooth"),
    ("D8080", "mouth"),
)
SURFACES = {"filling": "*M:O", "crown": "", "crown again": "", "tooth": ""}
CENT = Decimal("0.01")


def npi(base: int) -> str:
    """A National Provider Identifier with its check digit (Luhn over 80840 and nine digits)."""
    digits = f"80840{base % 1_000_000_000:09d}"
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits[5:]}{(10 - total % 10) % 10}"


def money(amount: Decimal) -> str:
    """An amount as X12 writes it: no trailing zeros, no bare point."""
    text = format(amount.quantize(CENT), "f")
    return text.rstrip("0").rstrip(".") or "0"


def interchange(functional_id: str, version: str, sets: Iterator[list[str]] | list[list[str]], number: int = 1) -> str:
    """One interchange with one group around transaction sets given as segments without ST and SE counts."""
    sender, receiver = f"{'SYNTHSEND':<15}", f"{'SYNTHRECV':<15}"
    lines = [
        f"ISA*00*          *00*          *ZZ*{sender}*ZZ*{receiver}*260105*0930*^*00501*{number:09d}*0*T*:",
        f"GS*{functional_id}*SYNTHSEND*SYNTHRECV*20260105*0930*{number}*X*{version}",
    ]
    count = 0
    for body in sets:
        count += 1
        control = f"{count:04d}" if count < 10_000 else str(count)
        head = body[0].replace("{ST02}", control)
        lines += [head, *body[1:], f"SE*{len(body) + 1}*{control}"]
    lines += [f"GE*{count}*{number}", f"IEA*1*{number:09d}"]
    return "~".join(lines) + "~"


def _person(random: Random) -> tuple[str, str]:
    return random.choice(LAST_NAMES), random.choice(FIRST_NAMES)


def _birth_date(random: Random) -> str:
    return f"{random.randint(1930, 2024)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}"


def claims_837p(count: int, seed: int = 1, *, wrong: bool = False) -> str:
    """Professional claims, every fourth for a dependent, fifty to a billing provider. `wrong` puts one error in each claim."""
    return _claims_837("005010X222A1", "207Q00000X", count, seed, wrong, _claim_837p)


def claims_837i(count: int, seed: int = 1, *, wrong: bool = False) -> str:
    """Institutional claims as `claims_837p`, by turns of a stay and of a day in the emergency room."""
    return _claims_837("005010X223A2", "282N00000X", count, seed, wrong, _claim_837i)


def claims_837d(count: int, seed: int = 1, *, wrong: bool = False) -> str:
    """Dental claims as `claims_837p`: fillings, crowns, scalings, braces and check-ups.

    Every fifth is a predetermination, every seventh goes to a second payer after the first one decided on each line.
    """
    return _claims_837("005010X224A2", "1223G0001X", count, seed, wrong, _claim_837d)


def _claims_837(
    version: str, taxonomy: str, count: int, seed: int, wrong: bool, claim: Callable[[Random, int, bool], list[str]]
) -> str:
    """One set of claims in shared levels; `claim` gives the segments from CLM on."""
    random = Random(seed)
    body = [
        f"ST*837*{{ST02}}*{version}",
        "BHT*0019*00*SYNTH0001*20260105*0930*CH",
        "NM1*41*2*SYNTHETIC BILLING*****46*SYNTHSEND",
        "PER*IC*EDI DESK*TE*5035550100",
        "NM1*40*2*SYNTHETIC CLEARING*****46*SYNTHRECV",
    ]
    level = billing = 0
    for index in range(count):
        if index % 50 == 0:
            level += 1
            billing = level
            body += [f"HL*{level}**20*1", f"PRV*BI*PXC*{taxonomy}"]
            body += [f"NM1*85*2*SYNTHETIC CLINIC {index // 50}*****XX*{npi(100_000_000 + index // 50)}"]
            body += ["N3*12 ALDER WAY", "N4*PORTLAND*OR*972010000", "REF*EI*930000000"]
        level += 1
        body += _subscriber(random, index, level, billing)
        if index % 4 == 0:
            level += 1
        body += claim(random, index, wrong)
    return interchange("HC", version, [body])


def _subscriber(random: Random, index: int, level: int, billing: int) -> list[str]:
    last, first = _person(random)
    city, state, postal = random.choice(CITIES)
    where = [f"N3*{index + 1} BIRCH ST", f"N4*{city}*{state}*{postal}"]
    born = f"DMG*D8*{_birth_date(random)}*{random.choice('MF')}"
    dependent = index % 4 == 0
    lines = [
        f"HL*{level}*{billing}*22*{int(dependent)}",
        f"SBR*P*{'' if dependent else '18'}*GRP{index % 50:04d}******CI",
    ]
    lines += [f"NM1*IL*1*{last}*{first}****MI*MEM{index:07d}"]
    lines += [] if dependent else [*where, born]
    lines += ["NM1*PR*2*SYNTHETIC HEALTH PLAN*****PI*SYNTH"]
    if dependent:
        lines += [
            f"HL*{level + 1}*{level}*23*0",
            "PAT*19",
            f"NM1*QC*1*{last}*{random.choice(FIRST_NAMES)}",
            *where,
            born,
        ]
    return lines


def _claim_837p(random: Random, index: int, wrong: bool) -> list[str]:
    services = [
        (random.choice(PROCEDURES), Decimal(random.randint(4000, 60000)) / 100) for _ in range(random.randint(2, 3))
    ]
    diagnoses = random.sample(DIAGNOSES, random.randint(1, 4))
    place = "999" if wrong else "11"
    lines = [
        f"CLM*PCN{index:08d}*{money(sum((c for _, c in services), Decimal(0)))}***{place}:B:1*Y*A*Y*Y",
        f"REF*D9*SYN{index:09d}",
    ]
    lines += ["HI*" + "*".join(("ABK:" if k == 0 else "ABF:") + d for k, d in enumerate(diagnoses))]
    last, first = _person(random)
    lines += [f"NM1*82*1*{last}*{first}****XX*{npi(200_000_000 + index)}", "PRV*PE*PXC*207Q00000X"]
    pointers = ":".join(str(k + 1) for k in range(len(diagnoses)))
    for number, (procedure, charge) in enumerate(services, 1):
        lines += [
            f"LX*{number}",
            f"SV1*HC:{procedure}*{money(charge)}*UN*1***{pointers}",
            "DTP*472*D8*20251202",
            f"REF*6R*{index}L{number}",
        ]
    return lines


def _charge(random: Random) -> Decimal:
    return Decimal(random.randint(4000, 60000)) / 100


def _total(charges: Iterable[Decimal]) -> str:
    return money(sum(charges, Decimal(0)))


def _claim_837i(random: Random, index: int, wrong: bool) -> list[str]:
    stay = index % 2 == 0
    days = random.randint(2, 9) if stay else 0
    diagnoses = random.sample(DIAGNOSES, random.randint(2, 4))
    if stay:
        lines = [("0120", "", "DA", days), ("0250", "", "UN", 1), ("0300", f"HC:{random.choice(LABORATORY)}", "UN", 1)]
    else:
        lines = [("0450", "HC:99283", "UN", 1), ("0300", f"HC:{random.choice(LABORATORY)}", "UN", random.randint(1, 2))]
    charges = [_charge(random) for _ in lines]
    facility, present = ("11", ":::::::Y") if stay else ("13", "")
    out = [f"CLM*PCN{index:08d}*{_total(charges)}***{'999' if wrong else facility}:A:1**A*Y*Y"]
    out += ["DTP*096*TM*1130"] if stay else []
    out += [f"DTP*434*RD8*20251202-202512{2 + days:02d}"]
    out += ["DTP*435*DT*202512020815", "CL1*3*1*01"] if stay else ["CL1*1**01"]
    out += [f"REF*D9*SYN{index:09d}", f"REF*EA*MRN{index:07d}", f"HI*ABK:{diagnoses[0]}{present}"]
    out += [f"HI*ABJ:{diagnoses[0]}", "HI*DR:470"] if stay else [f"HI*APR:{diagnoses[1]}"]
    out += ["HI*" + "*".join(f"ABF:{d}{present}" for d in diagnoses[1:])]
    out += [f"HI*BE:80:::{days}"] if stay else []
    last, first = _person(random)
    out += [f"NM1*71*1*{last}*{first}****XX*{npi(210_000_000 + index)}", "PRV*AT*PXC*207R00000X"]
    for number, ((revenue, procedure, unit, units), charge) in enumerate(zip(lines, charges, strict=True), 1):
        out += [f"LX*{number}", f"SV2*{revenue}*{procedure}*{money(charge)}*{unit}*{units}"]
        out += [] if stay else ["DTP*472*D8*20251202"]
        out += [f"REF*6R*{index}L{number}"]
    return out


def _claim_837d(random: Random, index: int, wrong: bool) -> list[str]:
    planned, second = index % 5 == 4, index % 7 == 6
    services = random.sample(DENTAL, random.randint(1, 3))
    charges = [_charge(random) for _ in services]
    braces = any(code == "D8080" for code, _ in services)
    place, plan = ("999" if wrong else "11"), ("*" * 10 + "PB" if planned else "")
    out = [f"CLM*PCN{index:08d}*{_total(charges)}***{place}:B:1*Y*A*Y*Y{plan}"]
    out += ["DTP*452*D8*20251202"] if braces and not planned else []
    out += [] if planned else ["DTP*472*D8*20251202"]
    out += ["DN1*24*22"] if braces else []
    out += ["DN2*1*M****JP", "DN2*16*E****JP"] if index % 3 == 0 else []
    out += [f"REF*D9*SYN{index:09d}"]
    last, first = _person(random)
    out += [f"NM1*82*1*{last}*{first}****XX*{npi(220_000_000 + index)}", "PRV*PE*PXC*1223G0001X"]
    paid = [(charge * random.randint(30, 80) / 100).quantize(CENT) for charge in charges]
    if second:
        out += ["SBR*S*18*GRP0001******CI", f"AMT*D*{_total(paid)}", "OI***Y***Y"]
        out += [f"NM1*IL*1*{last}*{first}****MI*SEC{index:07d}", "NM1*PR*2*SYNTHETIC DENTAL PLAN*****PI*SYNTH2"]
    for number, ((code, kind), charge, payment) in enumerate(zip(services, charges, paid, strict=True), 1):
        out += [f"LX*{number}", _dental_service(random, code, kind, money(charge))]
        out += [f"TOO*JP*{random.randint(2, 15)}{SURFACES[kind]}"] if kind in SURFACES else []
        out += ["DTP*441*D8*20150610"] if kind == "crown again" else []
        out += [f"REF*6R*{index}L{number}"]
        if second:
            out += [f"SVD*SYNTH2*{money(payment)}*AD:{code}**1", f"CAS*CO*45*{money(charge - payment)}"]
            out += ["DTP*573*D8*20251220"]
    return out


def _dental_service(random: Random, code: str, kind: str, charge: str) -> str:
    if kind == "quadrant":
        return f"SV3*AD:{code}*{charge}**{random.choice(('10', '20', '30', '40'))}**1"
    placed = {"crown": "I", "crown again": "R"}.get(kind, "")
    return f"SV3*AD:{code}*{charge}***{placed}*1"


def remittance_835(count: int, seed: int = 1, *, wrong: bool = False) -> str:
    """One balanced remittance of `count` claims with one to four lines. `wrong` puts one error in each claim."""
    random = Random(seed)
    claims = [[_payment(random) for _ in range(random.randint(1, 4))] for _ in range(count)]
    paid = sum((line[5] for claim in claims for line in claim), Decimal(0))
    body = [
        "ST*835*{ST02}",
        f"BPR*I*{money(paid)}*C*ACH*CCP*01*999999992*DA*123456*1512345678**01*999988880*DA*98765*20260106",
        "TRN*1*SYNTHTRACE1*1512345678",
        "DTM*405*20260106",
        "N1*PR*SYNTHETIC HEALTH PLAN",
        "N3*1 MARKET SQ",
        "N4*MADISON*WI*537030000",
        "PER*BL*EDI DESK*TE*6085550100",
        f"N1*PE*SYNTHETIC MEDICAL GROUP*XX*{npi(123_456_789)}",
    ]
    for index, lines in enumerate(claims):
        if index % 100 == 0:
            body += [f"LX*{index // 100 + 1}"]
        body += _paid_claim(random, index, lines, wrong)
    return interchange("HP", "005010X221A1", [body])


def _payment(random: Random) -> tuple[str, Decimal, Decimal, Decimal, Decimal, Decimal]:
    """(procedure, charge, contractual, patient responsibility, other contractual, paid): they add up."""
    charge = Decimal(random.randint(4000, 60000)) / 100
    contractual = (charge * random.randint(10, 50) / 100).quantize(CENT)
    patient = min(charge - contractual, Decimal(random.choice((0, 0, 1000, 2000, 2500))) / 100)
    other = (
        min(charge - contractual - patient, Decimal(random.randint(1, 500)) / 100)
        if random.random() < 0.15
        else Decimal(0)
    )
    return random.choice(PROCEDURES), charge, contractual, patient, other, charge - contractual - patient - other


def _paid_claim(
    random: Random, index: int, lines: list[tuple[str, Decimal, Decimal, Decimal, Decimal, Decimal]], wrong: bool
) -> list[str]:
    last, first = _person(random)
    charge = sum((line[1] for line in lines), Decimal(0))
    patient, paid = sum((line[3] for line in lines), Decimal(0)), sum((line[5] for line in lines), Decimal(0))
    filing = "99" if wrong else "12"
    out = [
        f"CLP*PCN{index:08d}*1*{money(charge)}*{money(paid)}*{money(patient) if patient else ''}*{filing}*ICN{index:011d}*11*1"
    ]
    out += [
        f"NM1*QC*1*{last}*{first}****MI*MEM{index:07d}",
        "DTM*232*20251202",
        "DTM*050*20251210",
        f"AMT*AU*{money(charge)}",
    ]
    for number, (procedure, charged, contractual, share, other, payment) in enumerate(lines, 1):
        out += [f"SVC*HC:{procedure}*{money(charged)}*{money(payment)}**1", "DTM*472*20251202"]
        out += [f"CAS*CO*45*{money(contractual)}" + (f"**97*{money(other)}" if other else "")]
        out += [f"CAS*PR*{random.choice('123')}*{money(share)}"] if share else []
        out += [f"REF*6R*{index}L{number}", f"AMT*B6*{money(charged - contractual)}"]
    return out


def acknowledgement_277ca(count: int, seed: int = 1, *, wrong: bool = False) -> str:
    """One claim acknowledgement that accepts `count` claims. `wrong` puts one error in each claim."""
    random = Random(seed)
    total = count * 100
    body = [
        "ST*277*{ST02}*005010X214",
        "BHT*0085*08*SYNTHACK1*20260105*0930*TH",
        "HL*1**20*1",
        "NM1*PR*2*SYNTHETIC HEALTH PLAN*****PI*SYNTH",
        "TRN*1*SYNTHACK1",
        "DTP*050*D8*20260105",
        "DTP*009*D8*20260105",
        "HL*2*1*21*1",
        "NM1*41*2*SYNTHETIC BILLING*****46*SYNTHSEND",
        "TRN*2*SYNTH0001",
        f"STC*A1:19:PR*20260105*WQ*{total}",
        f"QTY*90*{count}",
        f"AMT*YU*{total}",
        "HL*3*2*19*1",
        f"NM1*85*2*SYNTHETIC CLINIC*****XX*{npi(100_000_000)}",
        "TRN*1*0",
        f"STC*A1:19:PR**WQ*{total}",
        f"QTY*QA*{count}",
        f"AMT*YU*{total}",
    ]
    action = "ZZ" if wrong else "WQ"
    for index in range(count):
        last, first = _person(random)
        body += [f"HL*{index + 4}*3*PT", f"NM1*QC*1*{last}*{first}****MI*MEM{index:07d}", f"TRN*2*PCN{index:08d}"]
        body += [
            f"STC*A2:20:PR*20260105*{action}*100",
            f"REF*1K*ICN{index:011d}",
            f"REF*D9*SYN{index:09d}",
            "DTP*472*D8*20251202",
        ]
    return interchange("HN", "005010X214", [body])


def requests_270(count: int, seed: int = 1) -> str:
    """`count` eligibility questions, each a transaction set of its own, every fourth about a dependent."""
    random = Random(seed)
    return interchange("HS", "005010X279A1", [_request_270(random, index) for index in range(count)])


def _request_270(random: Random, index: int) -> list[str]:
    last, first = _person(random)
    dependent = index % 4 == 0
    born = f"DMG*D8*{_birth_date(random)}*{random.choice('MF')}"
    trace = f"TRN*1*SYNTRC{index:08d}*9123456789"
    asked = ["DTP*291*D8*20260105", f"EQ*{random.choice(('30', '35', '47', '98'))}"]
    lines = [
        "ST*270*{ST02}*005010X279A1",
        f"BHT*0022*13*SYN{index:08d}*20260105*0930",
        "HL*1**20*1",
        "NM1*PR*2*SYNTHETIC HEALTH PLAN*****PI*SYNTH",
        "HL*2*1*21*1",
        f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi(100_000_000)}",
        f"HL*3*2*22*{int(dependent)}",
        *([] if dependent else [trace]),
        f"NM1*IL*1*{last}*{first}****MI*MEM{index:07d}",
    ]
    if not dependent:
        return [*lines, born, *asked]
    return [*lines, "HL*4*3*23*0", trace, f"NM1*03*1*{last}*{random.choice(FIRST_NAMES)}", born, *asked]


def responses_271(count: int, seed: int = 1) -> str:
    """`count` eligibility answers, each a transaction set of its own."""
    random = Random(seed)
    return interchange("HB", "005010X279A1", [_response_271(random, index) for index in range(count)])


def _response_271(random: Random, index: int) -> list[str]:
    last, first = _person(random)
    city, state, postal = random.choice(CITIES)
    return [
        "ST*271*{ST02}*005010X279A1",
        f"BHT*0022*11*SYN{index:08d}*20260105*0930",
        "HL*1**20*1",
        "NM1*PR*2*SYNTHETIC HEALTH PLAN*****PI*SYNTH",
        "PER*IC*EDI DESK*TE*6085550100",
        "HL*2*1*21*1",
        f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi(100_000_000)}",
        "HL*3*2*22*0",
        f"TRN*2*SYNTRC{index:08d}*9123456789",
        f"NM1*IL*1*{last}*{first}****MI*MEM{index:07d}",
        f"REF*6P*GRP{index % 50:04d}*SYNTHETIC GROUP",
        f"N3*{index + 1} BIRCH ST",
        f"N4*{city}*{state}*{postal}",
        f"DMG*D8*{_birth_date(random)}*{random.choice('MF')}",
        "DTP*346*D8*20260101",
        "EB*1*FAM*30*HM*GOLD PLAN",
        "EB*1**1^33^35^47^86^88^98^AL^MH^UC",
        f"EB*C*IND*30***23*{random.randint(5, 30) * 100}",
        f"EB*C*IND*30***29*{random.randint(0, 4) * 100}",
        f"EB*G*IND*30***23*{random.randint(40, 90) * 100}",
        f"EB*A*IND*98****.{random.choice((1, 2, 3))}",
        f"EB*B*IND*98***27*{random.choice((20, 25, 40))}",
        "EB*F*IND*33***23***VS*20",
        "MSG*VISIT LIMIT APPLIES",
    ]
