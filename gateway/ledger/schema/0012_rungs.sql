-- The number of the highest rung of the ladder on which something was said of a claim: 1 TA1, 2 999, 3 277CA, 4 the payer's own 277CA, 5 277, 6 835.
ALTER TABLE transactions ADD COLUMN heard BIGINT NOT NULL DEFAULT 0;
UPDATE transactions SET heard = CASE state WHEN 'acknowledged' THEN 2 WHEN 'received' THEN 4 WHEN 'remitted' THEN 6 ELSE 5 END
    WHERE kind = 'claim' AND state IN ('acknowledged', 'received', 'pending', 'finalized', 'remitted');
-- Claims, and inquiries, that are told silent already stand apart from those that are not, so that a look reads what is to be told and nothing else.
DROP INDEX claims_silent;
CREATE INDEX silent_untold ON transactions (tenant_id, payer_id, kind, state, coalesce(overdue, ''), sent_at) WHERE kind = 'claim' OR kind = 'claim_status';
-- Those of them that a word on a lower rung has brought into their state.
CREATE INDEX silent_above ON transactions (tenant_id, payer_id, state, coalesce(overdue, ''), sent_at)
    WHERE (state = 'acknowledged' AND heard = 1) OR (state = 'received' AND heard IN (1, 2, 3));
-- Those that are overdue are counted in pages.
DROP INDEX claims_overdue;
CREATE INDEX overdue_paged ON transactions (tenant_id, payer_id, overdue, transaction_id) WHERE overdue IS NOT NULL;
