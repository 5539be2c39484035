"""What the sandbox payer does for whom: scripted members and claims, plans, services, denials and rejections.

Data and the choice among it; README.md tells the same to those who practise. What no script decides follows from a hash,
so that the same member and the same claim always meet with the same answer.

Sources: 005010X279A1 (EB, AAA), 005010X214 and 005010X212 (STC), 005010X221A1 (CAS, LQ); CAQH CORE 260 (the service types
that a generic inquiry is answered with) and CORE 360 (which remark goes with which reason).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, get_args

import msgspec

__all__ = [
    "BY_CONTRACT",
    "CLAIM_SCRIPTS",
    "DENIALS",
    "DEPENDENTS",
    "DUPLICATES",
    "GENERAL_SERVICES",
    "INACTIVE",
    "MEMBER_SCRIPTS",
    "PLANS",
    "REJECTIONS",
    "SERVICES",
    "UNBUNDLED",
    "WRONGDOB_BORN",
    "ClaimScript",
    "Denial",
    "Dependent",
    "MemberScript",
    "Pin",
    "Pins",
    "Plan",
    "Service",
    "Verdict",
    "claim_script",
    "draw",
    "member_script",
    "npi",
]

MemberScript = Literal[
    "ACTIVE",
    "BENEFITS",
    "MANYTYPES",
    "INACTIVE",
    "NOTFOUND",
    "DEPENDENT",
    "DOWN",
    "BADPROVIDER",
    "WRONGNPI",
    "WRONGDOB",
]
ClaimScript = Literal[
    "PAID",
    "COPAY",
    "DEDUCT",
    "COINS",
    "PARTLY",
    "DENIED",
    "FEE",
    "PENDED",
    "RECEIVED",
    "REJECT",
    "SILENT",
    "LOST",
    "INACTIVE",
    "NOTFOUND",
]
MEMBER_SCRIPTS: tuple[MemberScript, ...] = get_args(MemberScript)
# The last two are chosen by the member's script only.
CLAIM_SCRIPTS: tuple[ClaimScript, ...] = get_args(ClaimScript)[:-2]
# What becomes of a claim that nobody scripted: paid, with the patient's share of one kind or none, or with a fee.
_UNSCRIPTED: tuple[ClaimScript, ...] = ("PAID", "PAID", "FEE", "COPAY", "DEDUCT", "COINS")
_MARK = "SANDBOX"


# Identifiers as `Pin.identity` writes them -> the script that was pinned to them.
Pins = Mapping[str, str]
_Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class Pin(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A script for one member or one claim, whatever its identifier begins with. A member may have a claim's script, too."""

    script: MemberScript | ClaimScript
    member_id: _Identifier | None = None
    patient_control_number: _Identifier | None = None

    def __post_init__(self) -> None:
        if (self.member_id is None) == (self.patient_control_number is None):
            raise ValueError("a pin is for a memberId or for a patientControlNumber")
        if self.member_id is None and self.script not in CLAIM_SCRIPTS:
            raise ValueError("this script is one of members: pin it to a memberId")

    @property
    def identity(self) -> str:
        """What it is known by: of one kind and identifier there is one pin."""
        if self.member_id is not None:
            return _of_member(self.member_id)
        return _of_claim(self.patient_control_number or "")


def _of_member(member_id: str) -> str:
    return f"member {member_id.strip().upper()}"


def _of_claim(patient_control_number: str) -> str:
    return f"claim {patient_control_number.strip().upper()}"


def draw(*parts: str) -> int:
    """A number that follows from these texts: the same for the same ones, otherwise as good as any."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big")


def _word(identifier: str) -> str:
    """An identifier as scripts look at it: capital letters, without the mark in front."""
    return identifier.strip().upper().removeprefix(_MARK).lstrip("-_ ")


def member_script(member_id: str, pins: Pins) -> MemberScript | None:
    """The script that is pinned to a member id, else the one that it begins with, `SANDBOX-` in front of it or not."""
    pinned, word = pins.get(_of_member(member_id), ""), _word(member_id)
    return next((s for s in MEMBER_SCRIPTS if s == pinned), None) or next(
        (s for s in MEMBER_SCRIPTS if word.startswith(s)), None
    )


def claim_script(patient_control_number: str, member_id: str, pins: Pins) -> ClaimScript:
    """What becomes of a claim: pins decide, then what its CLM01 begins with, then its member id, then the hash."""
    pinned = pins.get(_of_claim(patient_control_number)) or pins.get(_of_member(member_id), "")
    for word in (pinned, _word(patient_control_number), _word(member_id)):
        found: ClaimScript | None = next((s for s in CLAIM_SCRIPTS if word.startswith(s)), None)
        if found is not None:
            return found
    member = member_script(member_id, pins)
    if member == "INACTIVE":
        return "INACTIVE"
    if member == "NOTFOUND":
        return "NOTFOUND"
    return _UNSCRIPTED[draw("claim", patient_control_number, member_id) % len(_UNSCRIPTED)]


# --- numbers of providers ------------------------------------------------------------------------------------------


def _check_digit(nine: str) -> int:
    total = 0
    for index, digit in enumerate(reversed(f"80840{nine}")):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10


def npi(seed: int) -> str:
    """A National Provider Identifier with a right check digit."""
    nine = f"{100_000_000 + seed % 200_000_000:09d}"
    return f"{nine}{_check_digit(nine)}"


# --- members -------------------------------------------------------------------------------------------------------


class Dependent(msgspec.Struct, frozen=True):
    """A dependent of every DEPENDENT member."""

    first_name: str
    date_of_birth: str
    gender: str
    relationship: str


DEPENDENTS = (Dependent("ROBIN", "19850315", "F", "01"), Dependent("SAM", "20150607", "M", "19"))
# The date of birth that the payer has of every WRONGDOB member.
WRONGDOB_BORN = "19750401"


class Plan(msgspec.Struct, frozen=True):
    """A plan: EB04, EB05, REF*6P, and its amounts as (individual, family) within and out of the network."""

    name: str
    insurance_type: str
    group_number: str
    deductible: tuple[int, int]
    deductible_out: tuple[int, int]
    out_of_pocket: tuple[int, int]
    out_of_pocket_out: tuple[int, int]
    coinsurance: Decimal
    coinsurance_out: Decimal
    primary_care: bool


PLANS = (
    Plan(
        "GOLD PPO",
        "PR",
        "SBX-1001",
        (750, 1500),
        (1500, 3000),
        (4000, 8000),
        (8000, 16000),
        Decimal("0.1"),
        Decimal("0.3"),
        False,
    ),
    Plan(
        "SILVER HMO",
        "HM",
        "SBX-2002",
        (1500, 3000),
        (3000, 6000),
        (6000, 12000),
        (12000, 24000),
        Decimal("0.2"),
        Decimal("0.5"),
        True,
    ),
    Plan(
        "BRONZE EPO",
        "EP",
        "SBX-3003",
        (3500, 7000),
        (7000, 14000),
        (8000, 16000),
        (16000, 32000),
        Decimal("0.3"),
        Decimal("0.5"),
        False,
    ),
)


class Service(msgspec.Struct, frozen=True):
    """How a service type (EB03) is covered. `copay` is by plan, in the order of PLANS; without one coinsurance applies."""

    copay: tuple[int, int, int] | None = None
    visits: int = 0
    authorization: bool = False
    covered: bool = True


_OFFICE, _SPECIALIST, _THERAPY = (20, 25, 40), (40, 50, 80), (30, 40, 60)
SERVICES = {
    "1": Service(),
    "2": Service(authorization=True),
    "4": Service(),
    "5": Service(),
    "12": Service(authorization=True),
    "23": Service(covered=False),
    "33": Service(_THERAPY, visits=20),
    "35": Service(covered=False),
    "42": Service(visits=60, authorization=True),
    "45": Service(authorization=True),
    "47": Service(authorization=True),
    "48": Service(authorization=True),
    "50": Service(),
    "52": Service((250, 300, 400)),
    "54": Service(covered=False),
    "62": Service(authorization=True),
    "65": Service((0, 0, 0)),
    "68": Service((0, 0, 0)),
    "73": Service(),
    "78": Service(authorization=True),
    "80": Service((0, 0, 0)),
    "81": Service((0, 0, 0)),
    "82": Service((0, 0, 0)),
    "86": Service((250, 300, 400)),
    "88": Service((10, 15, 25)),
    "93": Service(_SPECIALIST, visits=12),
    "98": Service(_OFFICE),
    "99": Service(),
    "A0": Service(),
    "A3": Service(_SPECIALIST),
    "A6": Service(_SPECIALIST),
    "A7": Service(authorization=True),
    "A8": Service(_SPECIALIST),
    "AD": Service(_THERAPY, visits=30),
    "AE": Service(_THERAPY, visits=30),
    "AF": Service(_THERAPY, visits=30),
    "AG": Service(authorization=True),
    "AI": Service(_SPECIALIST),
    "AL": Service((20, 20, 20), visits=1),
    "BG": Service(_SPECIALIST),
    "BH": Service((0, 0, 0)),
    "BY": Service(_OFFICE),
    "BZ": Service(_OFFICE),
    "DM": Service(authorization=True),
    "MH": Service(_OFFICE),
    "PT": Service(_THERAPY, visits=30),
    "UC": Service((50, 60, 100)),
}
# What an inquiry about health benefits in general (30) is answered with.
GENERAL_SERVICES = ("1", "33", "35", "47", "48", "50", "86", "88", "98", "AL", "MH", "UC")


# --- claims --------------------------------------------------------------------------------------------------------


class Denial(msgspec.Struct, frozen=True):
    """Why nothing is paid: CAS01, CAS02 and, for the line, LQ02."""

    group: str
    reason: str
    remark: str


DENIALS = (
    Denial("CO", "16", "N290"),
    Denial("CO", "50", "N115"),
    Denial("CO", "197", "N517"),
    Denial("PR", "204", "N130"),
    Denial("CO", "252", "N706"),
)
# The line of a PARTLY claim that is not paid.
UNBUNDLED = (Denial("CO", "97", "M15"), Denial("PR", "96", "N130"))
# Payers say the first three times as often as the second.
DUPLICATES = (*(Denial("OA", "18", "N522"),) * 3, Denial("CO", "18", "N522"))
# What stands beside a contractual reduction, and is the remark that payers make most: see the contract.
BY_CONTRACT = "N381"
INACTIVE = Denial("CO", "27", "N30")


class Verdict(msgspec.Struct, frozen=True):
    """What a 277CA says of a claim, mostly why it is not taken: its STC01 and STC12."""

    category: str
    status: str
    entity: str = ""
    message: str = ""


REJECTIONS = (
    Verdict("A3", "21", "", "SCRIPTED: RETURNED AS UNPROCESSABLE"),
    Verdict("A7", "164", "IL", "SCRIPTED: MEMBER NUMBER NOT ON FILE"),
    Verdict("A7", "562", "82", "SCRIPTED: RENDERING PROVIDER NOT ON FILE"),
    Verdict("A7", "187", "", "SCRIPTED: DATE OF SERVICE NOT ACCEPTED"),
)
