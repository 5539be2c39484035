-- How a way out stands where it does not stand well: failures in a row, until when nothing is tried, who tries now, and a pause.
-- A lane on which all is well has no row.
CREATE TABLE lane_health (
    tenant_id   TEXT   NOT NULL,
    lane        TEXT   NOT NULL,
    failures    BIGINT NOT NULL,
    since       BIGINT NOT NULL,
    open_until  BIGINT NOT NULL,
    probe_until BIGINT NOT NULL,
    pause_until BIGINT NOT NULL,
    reason      TEXT   NOT NULL,
    paused_by   TEXT   NOT NULL,
    PRIMARY KEY (tenant_id, lane)
);
