"""Older clients: their mailbox under every prefix, with and without a final slash; polling; headers and bodies as they send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import x12
from gateway.api.dialect import PREFIXES
from gateway.config import Config
from tests.flows.sdk_bodies import small_form
from tests.flows.service import claim_body, in_process, until
from x12.documents.claim_acknowledgement import claim_verdicts

REPORTS = "/medicalnetwork/reports/v2"
X_CHC = {"X_CHC_Claim_submission_SubmitterId": "1234", "X_CHC_Claim_submission_TradingPartnerId": "9"}


def older(body: dict[str, Any]) -> dict[str, Any]:
    """A claim with what older clients send beside it: nulls, keys of their own, numbers where a text is meant."""
    return {
        **body,
        "partnerId": True,
        "ordering": None,
        "rendering": None,
        "dependent": None,
        "_meta": {"version": 3},
        "claimInformation": {
            **body["claimInformation"],
            "claimChargeAmount": 120,
            "claimNote": None,
            "epsdtReferral": None,
        },
    }


async def test_the_mailbox_under_every_prefix(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claim = await client.submit(older(claim_body("PAID-9")), **X_CHC)
        await until(client, claim, "received")
        await client.forward(5)
        await until(client, claim, "remitted")
        raw: set[bytes] = set()
        for prefix in PREFIXES:
            for slash in ("", "/"):
                where = f"{prefix}{REPORTS}"
                listed = await client.get(f"{where}{slash}")
                names: list[str] = listed.json["reports"]
                acknowledgement = next(n for n in names if n.startswith("X3"))
                remittance = next(n for n in names if n.startswith("R5"))
                for name, set_id in ((acknowledgement, b"ST*277"), (remittance, b"ST*835")):
                    file = await client.get(f"{where}/{name}{slash}", **X_CHC)
                    assert (200, "application/edi-x12") == (file.status, file.headers["Content-Type"].partition(";")[0])
                    assert set_id in file.body
                    raw.add(file.body)
                for number, name in (("277", acknowledgement), ("835", remittance)):
                    by_name = await client.get(f"{where}/{name}/{number}{slash}")
                    by_id = await client.get(f"{where}/{name[2:]}/{number}{slash}")
                    by_claim = await client.get(f"{where}/{claim}/{number}{slash}")
                    assert 200 == by_name.status
                    assert by_name.body == by_id.body == by_claim.body
                other = await client.get(f"{where}/{acknowledgement}/835{slash}")
                assert 404 == other.status
        assert 2 == len(raw)


async def test_what_is_taken_out_of_the_mailbox_stays_out_and_stays_in_the_ledger(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claim = await client.submit(claim_body("PAID-9"))
        await until(client, claim, "received")
        await client.forward(5)
        await until(client, claim, "remitted")
        listed: list[str] = (await client.get(REPORTS)).json["reports"]
        assert 2 == len(listed)
        for name, prefix, slash in zip(listed, PREFIXES, ("", "/"), strict=False):
            for _ in range(2):
                removed = await client.call("DELETE", f"{prefix}{REPORTS}/{name}{slash}")
                assert (200, "success") == (removed.status, removed.json["status"])
            assert name not in (await client.get(REPORTS)).json["reports"]
        for name in ("X3none", claim, "R500000000-0000-7000-8000-000000000000"):
            assert 404 == (await client.call("DELETE", f"{REPORTS}/{name}")).status
        assert 200 == (await client.get(f"{REPORTS}/{claim}/277")).status
        assert 200 == (await client.get(f"{REPORTS}/{listed[0]}")).status
    async with in_process(tmp_path, Config()) as (client, _):
        assert [] == (await client.get(REPORTS)).json["reports"]


async def test_polling_begins_at_a_time_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    polling = "/2023-08-01/polling/transactions"
    async with in_process(tmp_path) as (client, _):
        nothing = (await client.get(polling)).json
        assert ([], "0") == (nothing["items"], nothing["nextPageToken"])
        claim = await client.submit(claim_body("PAID-9"))
        await until(client, claim, "received")
        items = (await client.get(polling)).json["items"]
        await client.forward(5)
        await until(client, claim, "remitted")
        # What was processed in the very moment that is named is not later than it.
        (paid,) = (await client.get(f"{polling}?startDateTime={items[-1]['processedAt']}")).json["items"]
        assert "835" == paid["x12"]["metadata"]["transaction"]["transactionSetIdentifier"]
        assert [*items, paid] == (await client.get(f"{polling}?startDateTime=2020-01-01T00:00:00Z")).json["items"]
        # Nothing is new: the token is that of what will be, whether or not a time goes with it.
        for query in (f"startDateTime={paid['processedAt']}", "startDateTime=2099-01-01", "pageToken=3"):
            page = (await client.get(f"{polling}?{query}")).json
            assert ([], "3", query) == (page["items"], page["nextPageToken"], query)
        other = await client.submit(claim_body("PAID-10"))
        assert other == (await client.get(f"{polling}?pageToken=3")).json["items"][0]["transactionId"]
        # A list ends.
        assert "nextPageToken" not in (await client.get("/2023-08-01/transactions?pageToken=99")).json


async def test_one_claim_is_many_transactions_that_polling_shows_with_their_envelopes(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claim = await client.submit(claim_body("PAID-9"))
        await until(client, claim, "received")
        await client.forward(5)
        await until(client, claim, "remitted")
        items: list[dict[str, Any]] = []
        token = "0"
        while True:
            page = (await client.get(f"/2023-08-01/polling/transactions/?pageSize=1&pageToken={token}")).json
            items += page["items"]
            if not page["items"]:
                break
            token = page["nextPageToken"]
        assert items == (await client.get("/2023-08-01/transactions")).json["items"]
        kinds = [(i["x12"]["metadata"]["transaction"]["transactionSetIdentifier"], i["direction"]) for i in items]
        assert [("837", "OUTBOUND"), ("277", "INBOUND"), ("835", "INBOUND")] == kinds
        for item in items:
            one = await client.get(f"/2023-08-01/transactions/{item['transactionId']}/")
            assert item == one.json
            metadata = item["x12"]["metadata"]
            out = item["direction"] == "OUTBOUND"
            assert ("CLAIMWIRE", "SANDBOX") == (
                metadata["sender" if out else "receiver"]["isa"]["id"],
                metadata["receiver" if out else "sender"]["isa"]["id"],
            )
            assert metadata["functionalGroup"]["release"].startswith("005010X")
            assert metadata["interchange"]["controlNumber"] > 0
            assert ("test", "succeeded", "sandbox") == (
                item["mode"],
                item["status"],
                item["partnership"]["partnershipId"],
            )
            for artifact in item["artifacts"]:
                document = await client.get(artifact["url"].removeprefix(client.url))
                assert (200, artifact["artifactType"]) == (
                    document.status,
                    document.headers["Content-Type"].partition(";")[0],
                )
                assert artifact.get("sizeBytes", len(document.body)) == len(document.body)
        assert 404 == (await client.get("/2023-08-01/transactions/none")).status


FORMS = "/2025-03-07/professional-claim-submissions"


async def test_what_edits_reject_of_a_form_is_told_in_the_mailbox_as_a_277ca(tmp_path: Path) -> None:
    """Callers of the official SDK and of the mailbox may be two programs of one practice: both hear of the same claim."""
    async with in_process(tmp_path) as (client, _):
        wrong = small_form("PAID-7")
        wrong["serviceLines"][0]["lineItemChargeAmount"] = "1.00"
        taken = await client.post(FORMS, wrong, Idempotency_Key="k")
        assert (201, True) == (taken.status, bool(taken.json["errors"]))
        assert taken.json == (await client.post(FORMS, wrong, Idempotency_Key="k")).json
        claim = taken.headers["X-Transaction-Id"]
        (name,) = (await client.get(REPORTS)).json["reports"]
        file = await client.get(f"{REPORTS}/{name}")
        (interchange,) = x12.read(file.body)
        (received,) = interchange.sets
        assert ([], True) == (interchange.findings + received.findings, name.startswith("X3"))
        (verdict,) = claim_verdicts(received.tree())
        assert ("PAID-7", False) == (verdict.patient_control_number, verdict.accepted)
        told = [e["description"] for e in taken.json["errors"]]
        assert list(verdict.messages) == [text[:264].strip() for text in told]
        by_claim, by_name = [await client.get(f"{REPORTS}/{n}/277") for n in (claim, name)]
        assert (200, by_name.body) == (by_claim.status, by_claim.body)
        assert name[2:] == by_name.json["meta"]["transactionId"]
        polled = (await client.get("/2023-08-01/transactions")).json["items"]
        assert [(claim, "failed"), (name[2:], "succeeded")] == [(i["transactionId"], i["status"]) for i in polled]
        assert interchange.sender == polled[1]["x12"]["metadata"]["sender"]["isa"]["id"] == "CLAIMWIRE"
        trace = (await client.get(f"/v1/transactions/{claim}/trace")).json
        assert "rejected" == trace["transaction"]["state"]
        (said,) = [e["data"] for e in trace["events"] if e["kind"] == "claimAcknowledged"]
        statuses = [f"{c.category}:{c.status}:{c.entity}".rstrip(":") for c in verdict.codes]
        assert (name[2:], "clearinghouse", sorted(set(statuses))) == (
            said["reportId"],
            said["source"],
            sorted(said["statuses"]),
        )
