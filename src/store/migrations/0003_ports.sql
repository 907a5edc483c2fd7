-- Ports of the host that lead into machines. Each belongs to one machine.
CREATE TABLE ports (
    host_port     INTEGER NOT NULL,
    protocol      TEXT NOT NULL,          -- tcp | udp
    machine_port  INTEGER NOT NULL,
    machine_id    TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE,
    PRIMARY KEY (host_port, protocol)
) STRICT;
CREATE INDEX ports_machine ON ports(machine_id);
