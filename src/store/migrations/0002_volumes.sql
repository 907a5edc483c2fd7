-- What is being done to a volume's file, written before it is done: create | resize | delete. A row whose lock nobody
-- holds is taken up by whoever opens the engine next.
ALTER TABLE volumes ADD COLUMN doing TEXT;
