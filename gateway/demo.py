"""The whole story against the sandbox payer, over real sockets, with the clock moved forward: eligibility, a batch of claims,
their acknowledgements, the follow-up of the one that stays silent, and the money.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from gateway.api.v1 import Clock
from gateway.config import Config
from gateway.messages import ClaimResponse, TransactionView
from gateway.sample_requests import claim, eligibility
from gateway.serving import Running, running, sandbox_key
from gateway.telling import tell
from gateway.views import Views
from observability import log
from x12.documents.eligibility import EligibilityResponse, PlanStatus

__all__ = ["run"]

_Answer = TypeVar("_Answer", bound=msgspec.Struct)
_NETWORK = "/2024-04-01/change/medicalnetwork"
_PATIENCE_SECONDS = 30.0
# (patient control number, last name, charge, what the sandbox payer does with it)
_CLAIMS = (
    ("PAID-1001", "ABARA", "142.50", "paid in full"),
    ("PAID-1002", "BRANDT", "210", "paid in full"),
    ("COPAY-1003", "CASTILLO", "180", "paid, with a copay"),
    ("PARTLY-1004", "DUBOIS", "320", "one line paid, one not"),
    ("DENIED-1005", "EKLUND", "95", "denied"),
    ("REJECT-1006", "FISCHER", "120", "rejected by 277CA"),
    ("SILENT-1007", "GUPTA", "260", "silent until somebody asks"),
)
_FINAL = ("remitted", "rejected")


async def run(data: Path | None, port: int, keep: bool) -> None:
    """Tell the story; go on serving afterwards where `keep`."""
    console = Console()
    log.configure("ERROR")
    if data is not None:
        await _tell(console, data, port, keep)
        return
    with tempfile.TemporaryDirectory(prefix="claimwire-demo-") as folder:
        await _tell(console, Path(folder), port, keep)


async def _tell(console: Console, data: Path, port: int, keep: bool) -> None:
    async with running(Config(port=port), data, sandbox=True) as up:
        key = await sandbox_key(up.runtime, data)
        async with aiohttp.ClientSession(up.url, headers={"Authorization": key}) as session:
            story = _Story(console, up, session)
            await story.eligibility()
            claims = await story.claims()
            await story.acknowledgements(claims)
            await story.forward(3, "Three days pass: the payer pays, or says why not.")
            await story.settled({n: i for n, i in claims.items() if not n.startswith("SILENT")})
            silent = claims["SILENT-1007"]
            console.print("  SILENT-1007 was received, and nothing was heard of it since.\n")
            await story.forward(
                12, "Day 14 after sending comes and goes: the follow-up asks about silent claims by itself."
            )
            await story.until(silent, "pending")
            await story.show({"SILENT-1007": silent})
            await story.forward(6, "Six more days: the payer found the claim when it was asked, and pays.")
            await story.settled({"SILENT-1007": silent})
            await story.ending(silent, key, keep)
        if keep:
            await asyncio.Event().wait()


class _Story:
    """What is told, step by step; everything goes over HTTP, as a billing system would do it."""

    def __init__(self, console: Console, up: Running, session: aiohttp.ClientSession) -> None:
        self.console = console
        self.up = up
        self.session = session

    async def post(self, path: str, body: Mapping[str, Any], kind: type[_Answer]) -> tuple[int, _Answer]:
        async with self.session.post(path, json=body) as response:
            return response.status, msgspec.json.decode(await response.read(), type=kind)

    async def transaction(self, transaction_id: str) -> TransactionView:
        async with self.session.get(f"/v1/transactions/{transaction_id}") as response:
            return msgspec.json.decode(await response.read(), type=TransactionView)

    async def eligibility(self) -> None:
        """Three members asked about before their visits."""
        self.console.rule("Eligibility before the visit: 270 out, 271 back")
        table = Table("member", "coverage", "plan", "copay for an office visit")
        for member in ("SANDBOX-ACTIVE-1", "SANDBOX-INACTIVE-2", "SANDBOX-NOTFOUND-3"):
            _, answer = await self.post(f"{_NETWORK}/eligibility/v3", eligibility(member), EligibilityResponse)
            status = next(iter(answer.plan_status or ()), PlanStatus())
            errors = [f"AAA {e.code}: {e.description}" for e in answer.errors or ()]
            coverage = "; ".join(errors) or status.status
            table.add_row(member, coverage, status.plan_details, _copay(answer))
        self.console.print(table, "")

    async def claims(self) -> dict[str, str]:
        """A batch of claims: patient control number -> transaction id of those that were taken."""
        self.console.rule("Claims: judged before they leave")
        status, answer = await self.post(f"{_NETWORK}/professionalclaims/v3/submission", _broken_claim(), ClaimResponse)
        self.console.print(f"  One claim fails scrubbing ({status}), every reason at once:")
        for error in answer.errors or ():
            self.console.print(f"    {error.description}", markup=False)
        taken: dict[str, str] = {}
        for number, last_name, charge, _ in _CLAIMS:
            body = claim(number, last_name, charge)
            _, answer = await self.post(f"{_NETWORK}/professionalclaims/v3/submission", body, ClaimResponse)
            reference = answer.claim_reference
            assert reference is not None
            taken[number] = reference.correlation_id or ""
        self.console.print(f"  {len(taken)} claims are taken, durably, and go out together in one 837.\n")
        return taken

    async def acknowledgements(self, claims: Mapping[str, str]) -> None:
        """TA1, 999 and 277CA, as the payer gives them."""
        self.console.rule("Acknowledgements: TA1, 999, 277CA")
        for number, transaction_id in claims.items():
            wanted = (
                "rejected"
                if number.startswith("REJECT")
                else "acknowledged"
                if number.startswith("SILENT")
                else "received"
            )
            await self.until(transaction_id, wanted)
        await self.show(claims)

    async def forward(self, days: float, words: str) -> None:
        """Move the clock."""
        self.console.rule(words)
        await self.post("/v1/sandbox/clock", {"days": days}, Clock)

    async def settled(self, claims: Mapping[str, str]) -> None:
        """Wait until each claim is remitted or rejected."""
        for transaction_id in claims.values():
            await self.until(transaction_id, *_FINAL)
        await self.show(claims)

    async def until(self, transaction_id: str, *states: str) -> None:
        """Wait until a transaction is in one of these states."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (await self.transaction(transaction_id)).state not in states:  # noqa: ASYNC110 - over HTTP there is nothing to wait on
                await asyncio.sleep(0.1)

    async def show(self, claims: Mapping[str, str]) -> None:
        words = {number: meaning for number, _, _, meaning in _CLAIMS}
        table = Table("claim", "script of the sandbox", "state", "outcome")
        for number, transaction_id in claims.items():
            found = await self.transaction(transaction_id)
            table.add_row(number, words[number], found.state, found.outcome)
        self.console.print(table, "")

    async def ending(self, silent: str, key: str, keep: bool) -> None:
        """The silent claim's story, and where to look."""
        self.console.rule("The story of the claim that stayed silent")
        tell(await Views(self.up.runtime).trace(silent, raw=False), self.console)
        url = self.up.url
        self.console.print("\n[bold]Look at[/bold]" + ("" if keep else " (while it serves: claimwire demo --keep)"))
        for line in (
            f"{url}/docs",
            f"curl -H 'Authorization: {key}' {url}/v1/transactions/{silent}/trace",
            f"curl -H 'Authorization: {key}' {url}{_NETWORK}/reports/v2/{silent}/835",
            f"curl -H 'Authorization: {key}' {url}/2023-08-01/polling/transactions",
            f"{url}/metrics",
        ):
            self.console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
        if keep:
            self.console.print("\nServing until Ctrl-C.")


def _copay(answer: EligibilityResponse) -> str:
    for benefit in answer.benefits_information or ():
        if benefit.code == "B" and "98" in (benefit.service_type_codes or ()):
            return f"${benefit.benefit_amount}"
    return ""


def _broken_claim() -> dict[str, Any]:
    """A claim whose total is wrong, whose diagnosis pointer points nowhere, and whose date lies in the future."""
    broken = claim("BROKEN-1000", "HARRIS", "150")
    information = broken["claimInformation"]
    information["claimChargeAmount"] = "999.00"
    information["serviceLines"][0]["serviceDate"] = "20991231"
    service = information["serviceLines"][1]["professionalService"]
    service["compositeDiagnosisCodePointers"]["diagnosisCodePointers"] = ["4"]
    return broken
