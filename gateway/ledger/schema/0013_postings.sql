-- How far a remittance of many claims is posted, which happens in several commits, and which of the file's sets each of its advices is.
CREATE TABLE postings (
    tenant_id  TEXT NOT NULL,
    inbound_id TEXT NOT NULL,
    progress   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, inbound_id)
);
