-- The number of the highest rung of the ladder on which something was said of a claim: 1 TA1, 2 999, 3 277CA, 4 the payer's own 277CA, 5 277, 6 835.
ALTER TABLE transactions ADD COLUMN heard BIGINT NOT NULL DEFAULT 0;
UPDATE transactions SET heard = CASE state WHEN 'acknowledged' THEN 2 WHEN 'received' THEN 4 WHEN 'remitted' THEN 6 ELSE 5 END
    WHERE kind = 'claim' AND state IN ('acknowledged', 'received', 'pending', 'finalized', 'remitted');
-- Inquiries whose 277 is waited for.
CREATE INDEX inquiries_silent ON transactions (tenant_id, payer_id, state, sent_at) WHERE kind = 'claim_status';
