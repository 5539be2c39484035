-- Attempts that may have reached the payer, as against all that were made; since when it is in doubt, and by when a person should decide.
ALTER TABLE interchanges ADD COLUMN copies BIGINT NOT NULL DEFAULT 0;
ALTER TABLE interchanges ADD COLUMN doubted_at BIGINT;
ALTER TABLE interchanges ADD COLUMN decide_by BIGINT;
UPDATE interchanges SET copies = attempts;
UPDATE interchanges SET doubted_at = coalesce(sent_at, created_at), decide_by = coalesce(sent_at, created_at)
    WHERE state IN ('in_doubt', 'held') AND set_id = '837';
CREATE INDEX interchanges_in_doubt ON interchanges (tenant_id, doubted_at, interchange_id)
    WHERE set_id = '837' AND state IN ('in_doubt', 'held');

-- What is known of whether a payer has an interchange, in the order in which it came. What a person said of it lies sealed under `note_id`.
CREATE TABLE evidence (
    tenant_id      TEXT   NOT NULL,
    interchange_id TEXT   NOT NULL,
    sequence       BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    source         TEXT   NOT NULL,
    says           TEXT   NOT NULL,
    detail         TEXT   NOT NULL,
    decided_by     TEXT   NOT NULL,
    note_id        TEXT,
    PRIMARY KEY (tenant_id, interchange_id, sequence)
);

-- Files that a person has looked after although they match nothing or contradict themselves.
ALTER TABLE inbound_files ADD COLUMN handled_at BIGINT;
ALTER TABLE inbound_files ADD COLUMN handled_by TEXT;
ALTER TABLE inbound_files ADD COLUMN note_id TEXT;
CREATE INDEX inbound_files_to_handle ON inbound_files (tenant_id, received_at, inbound_id)
    WHERE state IN ('unmatched', 'quarantined') AND handled_at IS NULL;
