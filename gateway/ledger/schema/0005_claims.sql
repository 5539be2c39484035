-- What kind of claim a transaction is, as its guide is named; nothing for what is no claim, and for claims from before.
ALTER TABLE transactions ADD COLUMN claim_kind TEXT;

-- What every claim asks for, as a keyed hash: equal for claims that are the same one, whatever they are called and however they came.
-- Those with one hash are numbered from 1, so that of two at once only one can be the next. `frequency` is CLM05-3, `original` the hash of
-- the payer's number that a replacement or a void names.
CREATE TABLE claim_contents (
    tenant_id      TEXT   NOT NULL,
    hash           BYTEA  NOT NULL,
    ordinal        BIGINT NOT NULL,
    transaction_id TEXT   NOT NULL,
    frequency      TEXT   NOT NULL,
    original       BYTEA,
    PRIMARY KEY (tenant_id, hash, ordinal)
);
