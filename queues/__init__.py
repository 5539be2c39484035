"""Durable work on one database: transactions, leased work, control numbers. Knows nothing of claims or payers."""
