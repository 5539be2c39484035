-- Batches of eligibility checks. While its checks are being stored a batch is `receiving`, and nobody was told of it.
CREATE TABLE check_batches (
    tenant_id   TEXT   NOT NULL,
    batch_id    TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    retry_hours BIGINT NOT NULL,
    traceparent TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, batch_id)
);
CREATE UNIQUE INDEX check_batches_by_name ON check_batches (tenant_id, name);
CREATE INDEX check_batches_by_age ON check_batches (tenant_id, created_at);

-- The checks of a batch. `check_id` is the transaction that a check becomes once it is asked; the question lies sealed under
-- the same id. `position` numbers a tenant's ended checks in the order they were committed: the cursor of polling.
CREATE TABLE checks (
    tenant_id      TEXT   NOT NULL,
    check_id       TEXT   NOT NULL,
    batch_id       TEXT   NOT NULL,
    ordinal        BIGINT NOT NULL,
    payer_id       TEXT   NOT NULL,
    route_id       TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    result         TEXT,
    reason         TEXT   NOT NULL,
    asked          BIGINT NOT NULL,
    tried          BIGINT NOT NULL,
    due_at         BIGINT,
    first_tried_at BIGINT,
    asked_at       BIGINT,
    until          BIGINT,
    interchange_id TEXT,
    inbound_id     TEXT,
    answer_id      TEXT,
    position       BIGINT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, check_id)
);
CREATE UNIQUE INDEX checks_of_batch ON checks (tenant_id, batch_id, ordinal);
CREATE INDEX checks_counted ON checks (tenant_id, batch_id, state, updated_at);
CREATE INDEX checks_due ON checks (tenant_id, route_id, due_at) WHERE state = 'waiting';
CREATE INDEX checks_started ON checks (tenant_id, route_id) WHERE state = 'started';
CREATE UNIQUE INDEX checks_ended ON checks (tenant_id, position) WHERE position IS NOT NULL;
