CREATE SEQUENCE webhook_endpoint_ids;
CREATE SEQUENCE webhook_delivery_ids;
