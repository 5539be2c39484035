-- Whose word rejected a transaction, as a later one may be no contradiction of it: TA1, 999, 277CA, 277 or transport.
ALTER TABLE transactions ADD COLUMN rejected_by TEXT;
