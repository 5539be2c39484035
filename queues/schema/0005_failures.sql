-- How often work failed in a row by an error of ours, as against how often it was tried: what waits for a payer for days is not given up for one.
ALTER TABLE work ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
