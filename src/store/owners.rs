//! Rows of `owners`: which user of the host's a machine's hypervisor runs as.

use rusqlite::{OptionalExtension, params};

use super::{Error, Store};
use crate::value::MachineId;

impl Store {
    /// The user of the machine: the one that it has, or the first from `preferred` on that no other machine has, of the
    /// `count` numbers from `first` on. It is the machine's as long as its row exists. Two processes never get the same.
    ///
    /// # Errors
    ///
    /// When all are taken, or the database fails.
    pub fn owner(
        &self,
        machine: &MachineId,
        preferred: u32,
        first: u32,
        count: u32,
    ) -> Result<u32, Error> {
        let connection = self.lock();
        let machine = machine.to_string();
        let own = || {
            let mut query =
                connection.prepare_cached("SELECT uid FROM owners WHERE machine_id = ?1")?;
            query.query_row([&machine], |row| row.get(0)).optional()
        };
        if let Some(own) = own()? {
            return Ok(own);
        }
        let begins = preferred.saturating_sub(first) % count;
        for step in 0..count {
            let number = first + (begins + step) % count;
            // What keeps a row from being added is that the number is another machine's, or that the machine has got one.
            connection.execute(
                "INSERT INTO owners (uid, machine_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![number, machine],
            )?;
            if let Some(own) = own()? {
                return Ok(own);
            }
        }
        Err(rusqlite::Error::QueryReturnedNoRows.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::now;

    fn add_machine(store: &Store, called: &str) -> MachineId {
        let id = MachineId::new();
        let row = [id.to_string(), called.into(), now()];
        let add = "INSERT INTO machines (id, name, status, spec, created_at) \
                   VALUES (?, ?, 'creating', '{}', ?)";
        store.lock().execute(add, row).unwrap();
        id
    }

    #[test]
    fn no_two_machines_have_one_user_and_each_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sistemo.db")).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| add_machine(&store, name));
        assert_eq!(store.owner(&a, 11, 10, 3).unwrap(), 11);
        assert_eq!(store.owner(&b, 11, 10, 3).unwrap(), 12);
        assert_eq!(store.owner(&c, 12, 10, 3).unwrap(), 10, "it goes round");
        assert_eq!(store.owner(&b, 10, 10, 3).unwrap(), 12);
        let d = add_machine(&store, "d");
        assert!(store.owner(&d, 10, 10, 3).is_err(), "all are taken");
        store.remove_machine(&b).unwrap();
        assert_eq!(store.owner(&d, 10, 10, 3).unwrap(), 12);
    }
}
