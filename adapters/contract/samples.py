"""Interchanges that the contract sends and offers. Nobody in them exists; their names are what a leak is known by."""

from __future__ import annotations

from hashlib import sha256

from adapters.protocol import Outbound

__all__ = ["CANARIES", "answer", "offered", "outbound", "question_or_claims"]

# Names, numbers and dates of the samples: whatever of them turns up in a log, a message or a repr has leaked.
CANARIES = ("QUILLFEATHER", "PERPETUA", "XQ7730915", "19610204")
_DATE, _TIME = "20260105", "0930"

_SETS = {
    "270": (
        "HS", "005010X279A1",
        ("BHT*0022*13*{number}*20260105*0930~HL*1**20*1~NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX~HL*2*1*21*1~"
        "NM1*1P*2*ALDER FAMILY PRACTICE*****XX*1999996667~HL*3*2*22*0~TRN*1*{number}*9930000000~"
        "NM1*IL*1*QUILLFEATHER*PERPETUA****MI*XQ7730915~DMG*D8*19610204~DTP*291*D8*20260105~EQ*30"),
    ),
    "276": (
        "HR", "005010X212",
        ("BHT*0010*13*{number}*20260105*0930~HL*1**20*1~NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX~HL*2*1*21*1~"
        "NM1*41*2*ALDER FAMILY PRACTICE*****46*ALDERFP~HL*3*2*19*1~NM1*1P*2*ALDER FAMILY PRACTICE*****XX*1999996667~"
        "HL*4*3*22*0~DMG*D8*19610204*F~NM1*IL*1*QUILLFEATHER*PERPETUA****MI*XQ7730915~TRN*1*{number}~"
        "AMT*T3*142.5~DTP*472*D8*20251202"),
    ),
    "837": (
        "HC", "005010X222A1",
        ("BHT*0019*00*{number}*20260105*0930*CH~NM1*41*2*ALDER FAMILY PRACTICE*****46*ALDERFP~PER*IC*BILLING*TE*5035550100~"
        "NM1*40*2*SANDBOX HEALTH PLAN*****46*SANDBOX~HL*1**20*1~NM1*85*2*ALDER FAMILY PRACTICE*****XX*1999996667~"
        "N3*7 BIRCH ST~N4*PORTLAND*OR*972010000~REF*EI*930000000~HL*2*1*22*0~SBR*P*18*******CI~"
        "NM1*IL*1*QUILLFEATHER*PERPETUA****MI*XQ7730915~N3*7 BIRCH ST~N4*PORTLAND*OR*972010000~DMG*D8*19610204*F~"
        "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX~CLM*P{number}*142.5***11:B:1*Y*A*Y*Y~HI*ABK:J0190~LX*1~"
        "SV1*HC:99213*142.5*UN*1***1~DTP*472*D8*20251202"),
    ),
}  # fmt: skip


def _interchange(functional: str, guide: str, set_id: str, body: str, number: int, line_end: str) -> str:
    told = body.format(number=f"{number:09d}")
    count = told.count("~") + 3
    segments = (
        f"ISA*00*          *00*          *ZZ*ALDERFP        *ZZ*SANDBOX        *260105*0930*^*00501*{number:09d}*0*T*:",
        f"GS*{functional}*ALDERFP*SANDBOX*{_DATE}*{_TIME}*{number}*X*{guide}",
        f"ST*{set_id}*0001*{guide}",
        *told.split("~"),
        f"SE*{count}*0001",
        f"GE*1*{number}",
        f"IEA*1*{number:09d}",
    )
    return "".join(f"{segment}~{line_end}" for segment in segments)


def question_or_claims(set_id: str, number: int = 1, line_end: str = "") -> bytes:
    """An interchange of one 270, 276 or 837 that a payer accepts."""
    functional, guide, body = _SETS[set_id]
    return _interchange(functional, guide, set_id, body, number, line_end).encode()


def answer(number: int = 1) -> bytes:
    """A whole interchange as a payer might answer with, here a 271 that says it cannot answer now."""
    body = "BHT*0022*11*{number}*20260105*0930~HL*1**20*0~AAA*Y**42*R~NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX"
    return _interchange("HB", "005010X279A1", "271", body, number, "").encode()


def offered(count: int) -> dict[str, bytes]:
    """Files for collecting, name and content, in the order in which they are laid out."""
    return {f"{number:03d}.x12": answer(number) for number in range(1, count + 1)}


def outbound(set_id: str, payload: bytes | None = None, number: int = 1) -> Outbound:
    """A sample as adapters get it; each number is another delivery, with a key of its own."""
    content = question_or_claims(set_id, number) if payload is None else payload
    key = f"0198b2c0-7d5e-7000-8000-{number:012d}"
    return Outbound(key, set_id, f"{number:09d}", content, sha256(content).hexdigest())
