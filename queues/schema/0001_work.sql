-- Work: one durable thing to do. `fence` grows with every lease, so that a worker whose lease has passed cannot commit.
CREATE TABLE work (
    tenant_id   TEXT   NOT NULL,
    work_id     TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    data        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    run_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    owner       TEXT,
    lease_until BIGINT,
    again_at    BIGINT,
    buried_at   BIGINT,
    reason      TEXT,
    PRIMARY KEY (tenant_id, work_id)
);
-- The same thing to do exists once.
CREATE UNIQUE INDEX work_subject ON work (tenant_id, kind, subject);
CREATE INDEX work_due ON work (run_at) WHERE buried_at IS NULL;

-- Control numbers: the next free one of each series. Rows are never deleted.
CREATE TABLE numbers (
    tenant_id TEXT   NOT NULL,
    series    TEXT   NOT NULL,
    next      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, series)
);
