-- What xyra.Invoice.Digest was when an invoice that another program issued was imported; NULL for our own.
ALTER TABLE invoices ADD COLUMN imported BYTEA;
