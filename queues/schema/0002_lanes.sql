-- What all processes share about one way out: when what was let through will be paid back, and who is on it now.
CREATE TABLE lanes (
    tenant_id TEXT   NOT NULL,
    lane      TEXT   NOT NULL,
    paid_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, lane)
);
CREATE TABLE lane_holds (
    tenant_id TEXT   NOT NULL,
    lane      TEXT   NOT NULL,
    holder    TEXT   NOT NULL,
    until     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, lane, holder)
);
