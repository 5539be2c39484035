-- Claims that are told silent already stand apart from those that are not, so that a look reads what is to be told and nothing else.
DROP INDEX claims_silent;
CREATE INDEX claims_untold ON transactions (tenant_id, payer_id, state, coalesce(overdue, ''), sent_at) WHERE kind = 'claim';
-- Those that are overdue are counted in pages.
DROP INDEX claims_overdue;
CREATE INDEX claims_overdue_paged ON transactions (tenant_id, payer_id, overdue, transaction_id) WHERE overdue IS NOT NULL;
