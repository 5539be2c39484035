"""The sandbox payer: raw X12 over HTTP to a payer of our own, with scripted members and claims (README.md)."""

from adapters.transports.rest import RawX12

adapter = RawX12("sandbox", "the sandbox payer")
