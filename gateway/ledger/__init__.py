"""What is known and kept: transactions and their events, interchanges, files from payers, sealed payloads, keys.

Each module holds the SQL of its tables beside the code that runs it; every function takes the caller's transaction.
"""
