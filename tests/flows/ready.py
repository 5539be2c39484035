"""What the fork server of mortal gateways has in memory before it forks: all modules, and what a first life works out once.

Guides, plans of documents and patterns are made when they are first needed; each process that is forked from one that has lived has them.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from pathlib import Path

from adapters import registry
from tests.flows import mortal
from tests.flows.service import NETWORK, claim_body, eligibility_body, in_process, until


async def _lived() -> None:
    """The life that others live, in this process, once."""
    with tempfile.TemporaryDirectory() as folder:
        async with in_process(Path(folder)) as (client, _):
            answer = await client.post(f"{NETWORK}/eligibility/v3", eligibility_body())
            assert 200 == answer.status, answer.body
            paid, silent = await client.submit(claim_body("PAID-1")), await client.submit(claim_body("SILENT-2"))
            await until(client, paid, "received", "pending", "finalized")
            await client.forward(6)
            await until(client, paid, "remitted")
            await client.forward(9)
            await until(client, silent, "pending", "finalized", "remitted")
            await client.forward(5)
            await until(client, silent, "remitted")
            await client.get("/metrics")


# Not used here: its modules are what is wanted.
assert mortal
for _name in ("rest", "core", "sftp", "dialect"):
    registry.load(_name)
asyncio.run(_lived())
# What is there stays: the collector of a fork need not look at it, and so copies none of it.
gc.collect()
gc.freeze()
