-- The users of the host's that hypervisors run as. A machine gets one when it is first contained, and has it until it is
-- deleted; no two have the same.
CREATE TABLE owners (
    uid         INTEGER PRIMARY KEY,
    machine_id  TEXT NOT NULL UNIQUE REFERENCES machines(id) ON DELETE CASCADE
) STRICT;
