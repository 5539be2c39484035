"""The requests of the load, all different: eligibility checks and professional claims in the dialect's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gateway.sample_requests import claim_of_lines
from tests import synthetic

__all__ = ["BODIES", "question_270"]

_PROVIDER = {"organizationName": "SYNTHETIC CLINIC", "npi": synthetic.npi(100_000_000)}
_ADDRESS = {"address1": "12 ALDER WAY", "city": "PORTLAND", "state": "OR", "postalCode": "972010000"}


def _person(index: int) -> dict[str, str]:
    return {
        "memberId": f"MEM{index:07d}",
        "firstName": synthetic.FIRST_NAMES[index % len(synthetic.FIRST_NAMES)],
        "lastName": synthetic.LAST_NAMES[index % len(synthetic.LAST_NAMES)],
        "dateOfBirth": f"19{40 + index % 60}0{1 + index % 9}1{index % 10}",
    }


def eligibility(index: int) -> bytes:
    """A check of one member for two service types."""
    return msgspec.json.encode(
        {
            "tradingPartnerServiceId": "SANDBOX",
            "provider": _PROVIDER,
            "subscriber": _person(index),
            "encounter": {"serviceTypeCodes": ["30", "98"]},
        }
    )


def claim(index: int) -> bytes:
    """A claim of two lines whose charges add up."""
    cents = (9_000 + index % 5_000, 3_000 + index % 700)
    lines = [(code, f"{amount / 100:.2f}") for code, amount in zip(("99213", "85025"), cents, strict=True)]
    person = _person(index)
    number, charge = f"PAID-{index:08d}", f"{sum(cents) / 100:.2f}"
    body = claim_of_lines(number, person["lastName"], charge, lines, person["memberId"])
    body["submitter"] = {
        "organizationName": "SYNTHETIC BILLING",
        "contactInformation": {"name": "EDI DESK", "phoneNumber": "5035550100"},
    }
    body["billing"] |= {**_PROVIDER, "address": _ADDRESS}
    body["subscriber"] |= {**person, "gender": "MF"[index % 2], "address": _ADDRESS}
    return msgspec.json.encode(body)


BODIES: Mapping[str, Callable[[int], bytes]] = {"eligibility": eligibility, "claim": claim}


def question_270() -> bytes:
    """The one 270 that the bare proxy sends for every request."""
    body = [
        "ST*270*{ST02}*005010X279A1",
        "BHT*0022*13*SYNTH0001*20260105*0930",
        "HL*1**20*1",
        "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX",
        "HL*2*1*21*1",
        f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{synthetic.npi(100_000_000)}",
        "HL*3*2*22*0",
        "TRN*1*SYNTRC0001*9CLAIMWIRE",
        "NM1*IL*1*ABARA*ADA****MI*MEM0000001",
        "DMG*D8*19800229",
        "EQ*30^98",
    ]
    return synthetic.interchange("HS", "005010X279A1", [body]).encode()
