"""Examples of the benefit summary and of an estimate, as the sandbox payer's BENEFITS members get them: tests hold them to that."""

from __future__ import annotations

from typing import Any

__all__ = ["ESTIMATE_EXAMPLE", "REQUEST_EXAMPLE", "SUMMARY_EXAMPLE"]

# A part of what is told: every value in it is in the whole.
SUMMARY_EXAMPLE: dict[str, Any] = {
    "active": True,
    "plans": [
        {
            "sources": [{"benefit": 0, "segment": 15}],
            "name": "SCRIPTED PPO",
            "insuranceTypeCode": "PR",
            "insuranceType": "Preferred Provider Organization (PPO)",
        }
    ],
    "services": [
        {
            "networks": [
                {
                    "network": "in",
                    "limitations": [
                        {
                            "coverageLevelCode": "IND",
                            "coverageLevel": "Individual",
                            "quantityQualifierCode": "VS",
                            "quantityQualifier": "Visits",
                            "total": {
                                "sources": [{"benefit": 27, "segment": 43}],
                                "code": "F",
                                "name": "Limitations",
                                "quantity": "20",
                                "quantityQualifierCode": "VS",
                                "quantityQualifier": "Visits",
                                "coverageLevelCode": "IND",
                                "coverageLevel": "Individual",
                                "timeQualifierCode": "23",
                                "timeQualifier": "Calendar Year",
                            },
                            "remaining": {
                                "sources": [{"benefit": 28, "segment": 44}],
                                "code": "F",
                                "name": "Limitations",
                                "quantity": "12",
                                "quantityQualifierCode": "VS",
                                "quantityQualifier": "Visits",
                                "coverageLevelCode": "IND",
                                "coverageLevel": "Individual",
                                "timeQualifierCode": "29",
                                "timeQualifier": "Remaining",
                            },
                        }
                    ],
                }
            ],
            "serviceTypeCode": "33",
            "serviceType": "Chiropractic",
        }
    ],
    "contradictions": [
        {"what": "Co-Payment", "sources": [{"benefit": 20, "segment": 36}, {"benefit": 21, "segment": 37}]}
    ],
}

REQUEST_EXAMPLE: dict[str, Any] = {
    "serviceDate": "20260112",
    "lines": [
        {
            "serviceTypeCode": "98",
            "procedureCode": "99213",
            "chargeAmount": "180",
            "allowedAmount": "118.40",
            "network": "in",
        },
        {"serviceTypeCode": "62", "chargeAmount": "2100", "allowedAmount": "1200", "network": "in"},
    ],
}

_CAP = [{"benefit": n, "segment": n + 16} for n in (11, 12, 13, 14)]
_DEDUCTIBLE = [{"benefit": 3, "segment": 18}, *({"benefit": n, "segment": n + 16} for n in (4, 5, 6))]

ESTIMATE_EXAMPLE: dict[str, Any] = {
    "basis": "exact",
    "lines": [
        {
            "lineNumber": 1,
            "basis": "exact",
            "amount": "25.00",
            "steps": [
                {"kind": "deductible", "amount": "0.00", "sources": [{"benefit": 9, "segment": 25}]},
                {"kind": "copay", "amount": "25.00", "sources": [{"benefit": 15, "segment": 31}]},
            ],
            "assumptions": [
                {
                    "code": "noCoinsurance",
                    "description": "The payer names a copay and no coinsurance: none is assumed.",
                }
            ],
        },
        {
            "lineNumber": 2,
            "basis": "exact",
            "amount": "425.00",
            "steps": [
                {"kind": "deductible", "amount": "300.00", "sources": _DEDUCTIBLE},
                {"kind": "coinsurance", "amount": "180.00", "sources": [{"benefit": 24, "segment": 40}]},
                {"kind": "outOfPocketMaximum", "amount": "-55.00", "sources": _CAP},
            ],
            "assumptions": [
                {"code": "noCopay", "description": "The payer names a coinsurance and no copay: none is assumed."}
            ],
            "conditions": [
                {
                    "code": "message",
                    "description": "The payer adds words that only a person can judge.",
                    "sources": [{"benefit": 3, "segment": 18}],
                    "message": "DEDUCTIBLE DOES NOT APPLY TO PREVENTIVE CARE",
                },
                {
                    "code": "authorization",
                    "description": "The payer wants an authorization or certification for this.",
                    "sources": [{"benefit": 24, "segment": 40}],
                },
            ],
        },
    ],
    "amount": "450.00",
    "conditions": [
        {
            "code": "otherPayer",
            "description": "The payer names another payer: what that one pays is not taken off.",
            "sources": [{"benefit": 32, "segment": 53}],
        }
    ],
}
