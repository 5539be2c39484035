"""The service as flows use it: in this process, or in one of its own that can be killed; always over a real socket."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from gateway import sample_requests
from gateway.config import Config
from gateway.runtime import Runtime
from gateway.serving import SANDBOX_KEY_FILE, Running, running, sandbox_key
from queues import work
from queues.circuits import FOREVER
from queues.database import Transaction

__all__ = [
    "NETWORK",
    "Answer",
    "Client",
    "Process",
    "claim_body",
    "dental_body",
    "eligibility_body",
    "free_port",
    "in_process",
    "institutional_body",
    "until",
]

NETWORK = "/2024-04-01/change/medicalnetwork"
PATIENCE_SECONDS = 60.0
_LARGE_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers, and the body as bytes and, where it is JSON, decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Client:
    """A caller with a key."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.key = key
        self.session = aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS))

    async def close(self) -> None:
        await self.session.close()

    async def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request. Names of headers are written with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            sent.setdefault("Authorization", self.key)
        # A large body as bytes makes aiohttp warn.
        data = io.BytesIO(body) if body is not None and len(body) > _LARGE_BYTES else body
        async with self.session.request(method, path, data=data, headers=sent) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, None, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """POST of JSON, or of X12 where the body is bytes that begin otherwise."""
        kind = "application/edi-x12" if isinstance(body, bytes) else "application/json"
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call("POST", path, content, **{"Content_Type": kind, **headers})

    async def transaction(self, transaction_id: str) -> dict[str, Any]:
        return (await self.get(f"/v1/transactions/{transaction_id}")).json

    async def trace(self, transaction_id: str) -> dict[str, Any]:
        return (await self.get(f"/v1/transactions/{transaction_id}/trace")).json

    async def submit(self, body: Mapping[str, Any], **headers: str) -> str:
        """Submit a claim that must be taken; its transaction id."""
        answer = await self.post(f"{NETWORK}/professionalclaims/v3/submission", body, **headers)
        assert 200 == answer.status, answer.body
        return answer.json["claimReference"]["correlationId"]

    async def forward(self, days: float) -> None:
        """Move the clock of gateway and sandbox payer."""
        answer = await self.post("/v1/sandbox/clock", {"days": days})
        assert 200 == answer.status, answer.body


async def until(client: Client, transaction_id: str, *states: str) -> dict[str, Any]:
    """Wait for a transaction to be in one of these states."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = await client.transaction(transaction_id)
        if found["state"] in states:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"still {found.get('state')}, not {' or '.join(states)}")


async def until_true(holds: Callable[[], Awaitable[bool]], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds; AssertionError when it never does.

    It rests between two looks: who asks without a pause is soon told 429, the sooner the faster its machine is.
    """
    deadline = time.monotonic() + patience_seconds
    while not await holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def in_process(data: Path, config: Config | None = None) -> AsyncGenerator[tuple[Client, Running]]:
    """A service with its sandbox payer in this process, which has sent what it found: what comes now waits for its route's window."""
    made = msgspec.structs.replace(config or Config(), port=0)
    async with running(made, data, sandbox=True) as up:
        await until_true(lambda: _gathered_once(up.runtime))
        client = Client(up.url, await sandbox_key(up.runtime, data))
        try:
            yield client, up
        finally:
            await client.close()


async def _gathered_once(runtime: Runtime) -> bool:
    async def look(tx: Transaction) -> bool:
        # Put in together with the first gathering of each route, and always there from then on.
        begun = await work.due_by(tx, "follow_up", FOREVER)
        return begun and not await work.due_by(tx, "batch", runtime.world.micros())

    return await runtime.database.read(look)


def free_port() -> int:
    """A port that nobody listens on, kept for this process: who listens there reuses the address, as servers do."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port = kept.getsockname()[1]
    # Bound until this process ends, so that no test beside this one is given it meanwhile.
    kept.detach()
    return port


class Process:
    """`claimwire` in a process of its own, out of this tree or another one; what it prints and logs goes to `log`."""

    def __init__(self, arguments: list[str], log: Path, tree: Path | None = None, /, **environment: str) -> None:
        self.arguments = arguments
        self.log = log
        self.tree = tree or Path(__file__).parents[2]
        self.environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                *self.arguments,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                cwd=self.tree,
            )

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def kill(self) -> None:
        """kill -9: no goodbye."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self.runs:
            self._process.send_signal(number)
        return await self._process.wait()

    async def ready(self, url: str, data: Path) -> Client:
        """A client with the sandbox key, once the service answers; AssertionError with the log when it never does."""
        process = self._process
        assert process is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and process.returncode is None:
            key = data / SANDBOX_KEY_FILE
            if key.exists() and key.stat().st_size:
                client = Client(url, key.read_text().strip())
                try:
                    if (await client.get("/readyz")).status == 200:
                        return client
                except aiohttp.ClientError:
                    pass
                await client.close()
            await asyncio.sleep(0.05)
        raise AssertionError(self.log.read_text()[-2000:])


def eligibility_body(member_id: str = "SANDBOX-ACTIVE", **subscriber: str) -> dict[str, Any]:
    """An eligibility request for a member of the sandbox payer."""
    body = sample_requests.eligibility(member_id)
    body["subscriber"] |= subscriber
    body["encounter"] = {"serviceTypeCodes": ["30"]}
    return body


def claim_body(patient_control_number: str, last_name: str = "ABARA", charge: str = "120") -> dict[str, Any]:
    """A professional claim that the edits find nothing wrong with. The number's beginning is the sandbox payer's script."""
    number = patient_control_number
    return sample_requests.claim_of_lines(number, last_name, charge, [("99213", charge)], f"M{number[-12:]}")


def institutional_body(patient_control_number: str, last_name: str = "ABARA", charge: str = "120") -> dict[str, Any]:
    """A hospital's claim for a stay of two days, as `claim_body`."""
    body = claim_body(patient_control_number, last_name, charge)
    said = body["claimInformation"]
    for name in ("signatureIndicator", "healthCareCodeInformation"):
        del said[name]
    body["attending"] = {"lastName": "BRANDT", "firstName": "BRUNO", "npi": "1234567893"}
    said["claimDateInformation"] = {
        "statementBeginDate": "20251201",
        "statementEndDate": "20251203",
        "admissionDateAndHour": "202512010815",
        "dischargeHour": "1130",
    }
    said["claimCodeInformation"] = {"admissionTypeCode": "3", "admissionSourceCode": "1", "patientStatusCode": "01"}
    said["principalDiagnosis"] = {"principalDiagnosisCode": "J0190", "presentOnAdmissionIndicator": "Y"}
    said["admittingDiagnosis"] = {"admittingDiagnosisCode": "J0190"}
    said["diagnosisRelatedGroupInformation"] = {"drugRelatedGroupCode": "153"}
    said["valueInformationList"] = [[{"valueCode": "80", "valueCodeAmount": "2"}]]
    services = [("0120", None, "100", "DA", "2"), ("0300", "85025", str(Decimal(charge) - 100), "UN", "1")]
    said["serviceLines"] = [
        {
            "institutionalService": {
                "serviceLineRevenueCode": revenue,
                "procedureIdentifier": "HC" if code else None,
                "procedureCode": code,
                "lineItemChargeAmount": amount,
                "measurementUnit": unit,
                "serviceUnitCount": units,
            },
            "lineItemControlNumber": f"L{number}",
        }
        for number, (revenue, code, amount, unit, units) in enumerate(services, 1)
    ]
    return body


def dental_body(patient_control_number: str, last_name: str = "ABARA", charge: str = "120") -> dict[str, Any]:
    """A dentist's claim for a filling, as `claim_body`."""
    body = claim_body(patient_control_number, last_name, charge)
    said = body["claimInformation"]
    del said["healthCareCodeInformation"]
    body["billing"]["taxonomyCode"] = "1223G0001X"
    said["claimDateInformation"] = {"serviceDate": "20251202"}
    said["serviceLines"] = [
        {
            "dentalService": {"procedureCode": "D2150", "lineItemChargeAmount": charge, "procedureCount": 1},
            "teethInformation": [{"toothCode": "12", "toothSurfaceCodes": ["M", "O"]}],
            "providerControlNumber": "L1",
        }
    ]
    return body
