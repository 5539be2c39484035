-- The latest look at the clock that a process on this database took, and the last jump that one found, in microseconds: back where negative.
CREATE TABLE clock (
    tenant_id TEXT   NOT NULL PRIMARY KEY,
    seen_at   BIGINT NOT NULL,
    jumped_at BIGINT NOT NULL,
    jump      BIGINT NOT NULL
);
