-- Each time that this database was brought back from a backup: what came after `made_at` is not known here.
CREATE TABLE restorations (
    tenant_id     TEXT   NOT NULL,
    restored_at   BIGINT NOT NULL,
    made_at       BIGINT NOT NULL,
    numbers_ahead BIGINT NOT NULL,
    interchanges  BIGINT NOT NULL,
    claims        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, restored_at)
);

-- Claims that were in no interchange when the backup was made, and may have left in one since that nobody here knows.
CREATE TABLE restored_claims (
    tenant_id      TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, transaction_id)
);
