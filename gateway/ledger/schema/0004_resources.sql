-- Claims as a list, and all submissions of one claim: `parent_id` of a claim is its first submission.
CREATE INDEX claims_in_order ON transactions (tenant_id, position) WHERE kind = 'claim';
CREATE INDEX claims_by_first ON transactions (tenant_id, parent_id, position) WHERE kind = 'claim' AND parent_id IS NOT NULL;

-- What a remittance says of a claim: amounts and trace number, sealed. `sequence` is that of the claim's event.
CREATE TABLE claim_payments (
    tenant_id      TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    sequence       BIGINT NOT NULL,
    sealed         BYTEA  NOT NULL,
    PRIMARY KEY (tenant_id, transaction_id, sequence)
);

-- Where callers want to be told of changes. Secrets are sealed; one that was replaced holds until `previous_until`.
CREATE TABLE destinations (
    tenant_id       TEXT   NOT NULL,
    destination_id  TEXT   NOT NULL,
    position        BIGINT NOT NULL,
    name            TEXT   NOT NULL,
    description     TEXT   NOT NULL,
    event_types     TEXT   NOT NULL,
    url             TEXT   NOT NULL,
    concurrency     BIGINT,
    status          TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    secret          BYTEA  NOT NULL,
    previous_secret BYTEA,
    previous_until  BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    delivered_at    BIGINT,
    deleted_at      BIGINT,
    PRIMARY KEY (tenant_id, destination_id)
);
CREATE UNIQUE INDEX destinations_in_order ON destinations (tenant_id, position);

-- That a transaction has come into a state: an id and a kind, no more. `event_id` follows from transaction and sequence.
CREATE TABLE notices (
    tenant_id      TEXT   NOT NULL,
    event_id       TEXT   NOT NULL,
    position       BIGINT NOT NULL,
    event_type     TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    first_id       TEXT   NOT NULL,
    usage          TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);
CREATE UNIQUE INDEX notices_in_order ON notices (tenant_id, position);

-- Which notice goes to which destination, and how far it has come.
CREATE TABLE deliveries (
    tenant_id      TEXT   NOT NULL,
    destination_id TEXT   NOT NULL,
    event_id       TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    attempts       BIGINT NOT NULL,
    due_at         BIGINT NOT NULL,
    reason         TEXT   NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, destination_id, event_id)
);
CREATE INDEX deliveries_due ON deliveries (tenant_id, destination_id, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_of_notice ON deliveries (tenant_id, event_id);

-- Reports that a caller has taken out of the mailbox; the ledger keeps them all the same.
CREATE TABLE mailbox_removals (
    tenant_id      TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    removed_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, transaction_id)
);
