-- What was answered to batches that came over CORE, in the order of their commits: files for their callers to retrieve. What they say is a sealed payload of that id;
-- `name` is the hash of the batch's PayloadID.
CREATE TABLE core_acknowledgements (
    tenant_id  TEXT   NOT NULL,
    file_id    TEXT   NOT NULL,
    name       BYTEA  NOT NULL,
    position   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, file_id)
);
CREATE UNIQUE INDEX core_acknowledgements_in_order ON core_acknowledgements (tenant_id, position);
CREATE INDEX core_acknowledgements_by_name ON core_acknowledgements (tenant_id, name);

-- Files that were handed out to a key, and when it said that it has them. `name` is the hash of the PayloadID they went under,
-- `groups` the control numbers that a 999 for them tells.
CREATE TABLE pickups (
    tenant_id    TEXT   NOT NULL,
    key_id       TEXT   NOT NULL,
    file_id      TEXT   NOT NULL,
    name         BYTEA  NOT NULL,
    payload_type TEXT   NOT NULL,
    groups       TEXT   NOT NULL,
    handed_at    BIGINT NOT NULL,
    times        BIGINT NOT NULL,
    confirmed_at BIGINT,
    PRIMARY KEY (tenant_id, key_id, file_id)
);
CREATE INDEX pickups_by_name ON pickups (tenant_id, key_id, name);
CREATE INDEX pickups_open ON pickups (tenant_id, key_id, handed_at) WHERE confirmed_at IS NULL;

-- How far a key has all of one kind: behind which position it is to be looked on.
CREATE TABLE pickup_marks (
    tenant_id TEXT   NOT NULL,
    key_id    TEXT   NOT NULL,
    wanted    TEXT   NOT NULL,
    position  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_id, wanted)
);
