-- Whether the machine ran when the host went down, and is to come up again with the daemon.
ALTER TABLE machines ADD COLUMN resume INTEGER NOT NULL DEFAULT 0;
