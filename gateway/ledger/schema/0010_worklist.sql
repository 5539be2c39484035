-- Why a person must act on a claim, and by when; nothing where the payer is asked by itself.
ALTER TABLE transactions ADD COLUMN worklist TEXT;
ALTER TABLE transactions ADD COLUMN act_by BIGINT;
CREATE INDEX claims_for_persons ON transactions (tenant_id, act_by, transaction_id) WHERE worklist IS NOT NULL;
-- Questions about claims that are on their way, to be counted.
CREATE INDEX inquiries_open ON transactions (tenant_id)
    WHERE kind = 'claim_status' AND parent_id IS NOT NULL AND state IN ('accepted', 'built', 'in_doubt', 'sent');
