-- Who did it, as the system calls them; unknown of what was done before.
ALTER TABLE history ADD COLUMN user TEXT;
