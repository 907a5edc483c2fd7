-- Machines. `status` is what was last seen; what is being done to one is a row of `operations`.
CREATE TABLE machines (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    status        TEXT NOT NULL,
    spec          TEXT NOT NULL,          -- JSON: what was asked for
    image         TEXT,                   -- as the user named it
    image_digest  TEXT,
    network       TEXT,                   -- name of a row of networks
    ip            TEXT,
    mac           TEXT,
    host_key      TEXT,                   -- public half of the guest's SSH host key
    vmm           TEXT,
    accelerator   TEXT,
    pid           INTEGER,                -- with pid_started and boot_id: the hypervisor's identity
    pid_started   INTEGER,                -- clock ticks since boot, /proc/PID/stat field 22
    boot_id       TEXT,                   -- /proc/sys/kernel/random/boot_id
    failure       TEXT,
    created_at    TEXT NOT NULL,
    started_at    TEXT
) STRICT;

-- Disks. A root volume's machine is the one that boots from it.
CREATE TABLE volumes (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    role        TEXT NOT NULL,            -- root | data
    size_bytes  INTEGER NOT NULL,
    path        TEXT NOT NULL,
    machine_id  TEXT REFERENCES machines(id),
    mount_path  TEXT,
    image_digest TEXT,                    -- what a root volume was cloned from
    created_at  TEXT NOT NULL
) STRICT;
CREATE INDEX volumes_machine ON volumes(machine_id);

-- Images are content-addressed; names move.
CREATE TABLE images (
    digest      TEXT PRIMARY KEY,         -- sha256:… of the disk
    size_bytes  INTEGER NOT NULL,         -- of the disk, holes included
    source      TEXT NOT NULL,            -- where it came from
    config      TEXT,                     -- JSON: entry point and the like, of an application image
    created_at  TEXT NOT NULL
) STRICT;
CREATE TABLE image_names (
    name    TEXT PRIMARY KEY,
    digest  TEXT NOT NULL REFERENCES images(digest) ON DELETE CASCADE
) STRICT;

CREATE TABLE networks (
    name        TEXT PRIMARY KEY,
    subnet      TEXT NOT NULL UNIQUE,
    bridge      TEXT NOT NULL UNIQUE,
    created_at  TEXT NOT NULL
) STRICT;
CREATE TABLE addresses (
    network     TEXT NOT NULL REFERENCES networks(name),
    ip          TEXT NOT NULL,
    machine_id  TEXT NOT NULL UNIQUE REFERENCES machines(id) ON DELETE CASCADE,
    PRIMARY KEY (network, ip)
) STRICT;

-- The journal: what is being done to a machine, written before it is done. A row whose owner is dead is taken up by
-- whoever opens the engine next.
CREATE TABLE operations (
    machine_id    TEXT PRIMARY KEY REFERENCES machines(id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,          -- deploy | start | stop | delete
    detail        TEXT NOT NULL,          -- JSON: parameters the steps need
    step          INTEGER NOT NULL,       -- index of the step that may have acted
    undoing       INTEGER NOT NULL,       -- 0 forwards, 1 backwards
    started_at    TEXT NOT NULL
) STRICT;

CREATE TABLE history (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           TEXT NOT NULL,
    action       TEXT NOT NULL,
    target       TEXT NOT NULL,           -- machine | volume | image | network
    name         TEXT NOT NULL,
    duration_ms  INTEGER NOT NULL,
    ok           INTEGER NOT NULL,
    error        TEXT
) STRICT;
