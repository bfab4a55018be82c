-- Event ids are taken in blocks of a thousand by each process, line ids one by one.
CREATE SEQUENCE event_ids INCREMENT BY 1000;
CREATE SEQUENCE line_ids;
