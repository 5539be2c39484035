-- The rung of the ladder that a claim is silent on beyond its payer's time: 999, 277CA or 835. Nothing where it is in time.
ALTER TABLE transactions ADD COLUMN overdue TEXT;
CREATE INDEX claims_silent ON transactions (tenant_id, payer_id, state, sent_at) WHERE kind = 'claim';
CREATE INDEX claims_overdue ON transactions (tenant_id, payer_id, overdue) WHERE overdue IS NOT NULL;

-- What a person should look at. Of one kind and subject one is open at a time; it closes when its cause is gone.
CREATE TABLE alarms (
    tenant_id       TEXT   NOT NULL,
    alarm_id        TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    payer_id        TEXT   NOT NULL,
    route_id        TEXT   NOT NULL,
    detail          TEXT   NOT NULL,
    count           BIGINT NOT NULL,
    raised_at       BIGINT NOT NULL,
    closed_at       BIGINT,
    mailed_at       BIGINT,
    acknowledged_at BIGINT,
    acknowledged_by TEXT,
    PRIMARY KEY (tenant_id, alarm_id)
);
CREATE UNIQUE INDEX alarms_open ON alarms (tenant_id, kind, subject) WHERE closed_at IS NULL;
CREATE INDEX alarms_by_time ON alarms (tenant_id, raised_at, alarm_id);
