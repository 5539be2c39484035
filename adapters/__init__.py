"""How payers are reached: one folder an adapter, one protocol, five outcomes. Knows nothing of queues or the ledger."""
