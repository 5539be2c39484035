-- The tenant leads every key, so that tables can be distributed by it.
CREATE TABLE tenants (
    tenant_id  TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Data keys, sealed under the master key. Forgetting one forgets every payload sealed with it.
CREATE TABLE data_keys (
    tenant_id  TEXT   NOT NULL,
    key_number BIGINT NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_number)
);

-- Keys of callers: only a keyed hash of the secret is kept.
CREATE TABLE api_keys (
    tenant_id   TEXT   NOT NULL,
    key_id      TEXT   NOT NULL,
    secret_hash BYTEA  NOT NULL,
    name        TEXT   NOT NULL,
    scopes      TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    revoked_at  BIGINT,
    PRIMARY KEY (tenant_id, key_id)
);
CREATE UNIQUE INDEX api_keys_by_id ON api_keys (key_id);

-- X12 and JSON as sent and received, sealed.
CREATE TABLE payloads (
    tenant_id  TEXT   NOT NULL,
    payload_id TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payload_id)
);

-- One business request or advice. `position` numbers a tenant's transactions in the order they were committed.
CREATE TABLE transactions (
    tenant_id      TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    position       BIGINT NOT NULL,
    kind           TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    outcome        TEXT,
    conflict       BIGINT NOT NULL,
    version        BIGINT NOT NULL,
    route_id       TEXT   NOT NULL,
    payer_id       TEXT   NOT NULL,
    usage          TEXT   NOT NULL,
    parent_id      TEXT,
    request_id     TEXT,
    answer_id      TEXT,
    traceparent    TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    sent_at        BIGINT,
    follow_up_at   BIGINT,
    PRIMARY KEY (tenant_id, transaction_id)
);
CREATE UNIQUE INDEX transactions_in_order ON transactions (tenant_id, position);
CREATE INDEX transactions_waiting ON transactions (tenant_id, route_id, position) WHERE state = 'accepted' AND kind = 'claim';
CREATE INDEX transactions_of_payers ON transactions (tenant_id, position) WHERE kind IN ('claim_report', 'remittance');
CREATE INDEX transactions_of_file ON transactions (tenant_id, request_id) WHERE kind IN ('claim_report', 'remittance');
CREATE INDEX transactions_to_follow ON transactions (tenant_id, follow_up_at) WHERE follow_up_at IS NOT NULL;

-- Every fact about a transaction, as it came, late and repeated ones too.
CREATE TABLE events (
    tenant_id      TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    sequence       BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    kind           TEXT   NOT NULL,
    data           TEXT   NOT NULL,
    interchange_id TEXT,
    inbound_id     TEXT,
    traceparent    TEXT   NOT NULL,
    PRIMARY KEY (tenant_id, transaction_id, sequence)
);

-- Interchanges we built: numbers, bytes and destination are committed before the first byte leaves, and never change.
CREATE TABLE interchanges (
    tenant_id      TEXT   NOT NULL,
    interchange_id TEXT   NOT NULL,
    route_id       TEXT   NOT NULL,
    series         TEXT   NOT NULL,
    control_number BIGINT NOT NULL,
    set_id         TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    payload_id     TEXT   NOT NULL,
    sha256         TEXT   NOT NULL,
    bytes          BIGINT NOT NULL,
    attempts       BIGINT NOT NULL,
    reason         TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    sent_at        BIGINT,
    traceparent    TEXT   NOT NULL,
    PRIMARY KEY (tenant_id, interchange_id)
);
CREATE UNIQUE INDEX interchanges_by_number ON interchanges (tenant_id, series, control_number);

-- Which transaction is in which transaction set of an interchange.
CREATE TABLE members (
    tenant_id      TEXT   NOT NULL,
    interchange_id TEXT   NOT NULL,
    control_number TEXT   NOT NULL,
    ordinal        BIGINT NOT NULL,
    transaction_id TEXT   NOT NULL,
    PRIMARY KEY (tenant_id, interchange_id, control_number, ordinal)
);
CREATE INDEX members_by_transaction ON members (tenant_id, transaction_id);

-- What a transaction can be found by: keyed hashes of numbers that appear on it.
CREATE TABLE search_keys (
    tenant_id      TEXT  NOT NULL,
    scope          TEXT  NOT NULL,
    hash           BYTEA NOT NULL,
    transaction_id TEXT  NOT NULL,
    PRIMARY KEY (tenant_id, scope, hash, transaction_id)
);

-- Files from payers, stored before they are read. The same bytes over the same route are the same file.
CREATE TABLE inbound_files (
    tenant_id   TEXT   NOT NULL,
    inbound_id  TEXT   NOT NULL,
    route_id    TEXT   NOT NULL,
    sha256      TEXT   NOT NULL,
    payload_id  TEXT   NOT NULL,
    bytes       BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    times_seen  BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    settled_at  BIGINT,
    traceparent TEXT   NOT NULL,
    PRIMARY KEY (tenant_id, inbound_id)
);
CREATE UNIQUE INDEX inbound_files_by_content ON inbound_files (tenant_id, route_id, sha256);

-- Effects that may happen once, such as the posting of one remittance; `content` tells a repetition from a contradiction.
CREATE TABLE effects (
    tenant_id  TEXT   NOT NULL,
    effect     TEXT   NOT NULL,
    subject    BYTEA  NOT NULL,
    content    TEXT   NOT NULL,
    inbound_id TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, effect, subject)
);

-- Idempotency-Key of callers: what was asked and, once known, what was answered.
CREATE TABLE idempotency_keys (
    tenant_id      TEXT   NOT NULL,
    operation      TEXT   NOT NULL,
    key_hash       BYTEA  NOT NULL,
    body_hash      BYTEA  NOT NULL,
    transaction_id TEXT,
    status         BIGINT,
    payload_id     TEXT,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, operation, key_hash)
);
CREATE INDEX idempotency_keys_by_transaction ON idempotency_keys (tenant_id, transaction_id);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
