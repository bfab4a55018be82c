INSERT INTO sequences (name, next) VALUES ('payment_ids', 1);
