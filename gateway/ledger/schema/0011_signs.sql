-- What a process noticed of itself or of its surroundings, and until when it is worth an alarm: each again under its kind and subject.
CREATE TABLE signs (
    tenant_id TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    route_id  TEXT   NOT NULL,
    detail    TEXT   NOT NULL,
    count     BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject)
);
