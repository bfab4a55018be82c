CREATE SEQUENCE payment_ids;
