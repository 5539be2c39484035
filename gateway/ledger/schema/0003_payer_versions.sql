-- What was in force of a payer, and when: its data and that of its own routes, sealed, for it holds secrets. One is open at most.
CREATE TABLE payer_versions (
    tenant_id  TEXT   NOT NULL,
    version_id TEXT   NOT NULL,
    payer_id   TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    sha256     TEXT   NOT NULL,
    payload_id TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    until      BIGINT,
    PRIMARY KEY (tenant_id, version_id)
);
CREATE UNIQUE INDEX payer_versions_open ON payer_versions (tenant_id, payer_id) WHERE until IS NULL;
CREATE INDEX payer_versions_by_payer ON payer_versions (tenant_id, payer_id, since);
