"""The service: what callers ask, what payers answer, and the whole story of each transaction in between."""
