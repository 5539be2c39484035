-- How far a remittance of many claims is posted, which happens in several commits, and which of the file's sets each of its advices is.
CREATE TABLE postings (
    tenant_id  TEXT NOT NULL,
    inbound_id TEXT NOT NULL,
    progress   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, inbound_id)
);
-- The parts of payloads that are too long for one row, each sealed by itself; the row in payloads then says how many there are.
CREATE TABLE payload_parts (
    tenant_id  TEXT   NOT NULL,
    payload_id TEXT   NOT NULL,
    part       BIGINT NOT NULL,
    sealed     BYTEA  NOT NULL,
    PRIMARY KEY (tenant_id, payload_id, part)
);
