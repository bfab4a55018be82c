-- Each issued invoice's hash covers all that is frozen on it and the hash before it, by sequence. invoice_sequences holds how
-- far the chain reaches and its last hash. Hashes are made by the program, of old invoices too: see chainInvoices.
ALTER TABLE invoices ADD COLUMN hash BYTEA;
ALTER TABLE invoice_sequences ADD COLUMN chained BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoice_sequences ADD COLUMN hash BYTEA;

-- What the object of an entry was after it, as a digest. NULL where nothing is sealed, and for entries of older programs.
ALTER TABLE audit_entries ADD COLUMN seal BYTEA;
CREATE INDEX audit_entries_object ON audit_entries (organization_id, object_id, sequence);
