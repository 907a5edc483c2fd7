-- Whether the ports of the machine are being changed: its rows and the firewall may differ until that has ended.
ALTER TABLE machines ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;
-- Whether the network is being deleted: of its bridge and rules there may be a part.
ALTER TABLE networks ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;
