"""Benches: Claimwire against its peers, each ratio measured in one run. `python -m tests.bench`, or `make bench`."""
