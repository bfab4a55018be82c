INSERT INTO sequences (name, next) VALUES ('webhook_endpoint_ids', 1), ('webhook_delivery_ids', 1);
