-- Snapshots of machines: disks, and memory where the machine ran. The files lie in `snapshots/ID` of the data directory.
CREATE TABLE snapshots (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    machine_id  TEXT REFERENCES machines(id) ON DELETE SET NULL,
    doing       TEXT,                     -- create | delete; none when it is whole and stays
    passing     INTEGER NOT NULL,         -- 1: made for one fork, and gone with it
    taken       TEXT NOT NULL,            -- JSON: what the machine was at that moment
    size_bytes  INTEGER NOT NULL,         -- what its files take on the host's disk
    created_at  TEXT NOT NULL,
    UNIQUE (machine_id, name)
) STRICT;
