"""The contract of every adapter, as a pytest suite that any author runs over their own (docs/adding-a-payer.md).

An author gives a payer that behaves, on loopback, and derives one class; the weather is made here, on the road between the
adapter and that payer, so that nobody has to write a server that misbehaves:

    class TestBirch(AdapterContract):
        adapter = registry.load("birch")

        @asynccontextmanager
        async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
            async with BirchPeer() as payer:
                yield payer

What the adapter can do (`capabilities`) chooses the tests; a capability that it lacks and a test that it cannot pass need a
reason in its manifest. Needs pytest and pytest-asyncio, which Claimwire itself does not.
"""

import pytest

pytest.register_assert_rewrite("adapters.contract.suite", "adapters.contract.http_suite", "adapters.contract.trips")

from adapters.contract.peers import HttpPeer, Peer, serving  # noqa: E402 - after their asserts are made to speak
from adapters.contract.suite import AdapterContract  # noqa: E402
from adapters.contract.trips import CUTS, cuts_of  # noqa: E402

__all__ = ["CUTS", "AdapterContract", "HttpPeer", "Peer", "cuts_of", "serving"]
