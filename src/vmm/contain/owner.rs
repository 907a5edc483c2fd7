//! The users that hypervisors run as: one for each machine, without a name.
//!
//! They lie where nobody else takes any: above what `useradd` gives to containers (`SUB_UID_MAX`, 600100000), above what
//! sssd and FreeIPA map directories to (2000200000), in the range that systemd leaves free (1879048192 to 2147352575,
//! <https://systemd.io/UIDS-GIDS/>), and below 2^31, since file systems and programs take numbers beyond for negative.

use uuid::Uuid;

/// A user and group of the host's that has but one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// The first of them, 2013265920.
    pub const FIRST: u32 = 0x7800_0000;
    /// How many there are.
    pub const COUNT: u32 = 1 << 26;

    /// The owner with that number; the store keeps which machine has which.
    pub fn new(number: u32) -> Self {
        Owner(number)
    }

    /// The number that a machine gets unless another machine of its data directory has it. It follows from the machine's
    /// identifier, so that machines of different data directories, which do not know of each other, differ too.
    pub fn preferred(machine: &str) -> u32 {
        let number = Uuid::parse_str(machine).map_or(0, |uuid| uuid.as_u128());
        Owner::FIRST + (number as u32) % Owner::COUNT
    }

    /// The user's number, and the group's.
    pub fn number(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_range_whatever_the_identifier() {
        let numbers = [Uuid::nil(), Uuid::max(), Uuid::new_v4()].map(|uuid| {
            let number = Owner::preferred(&uuid.to_string());
            assert!((Owner::FIRST..Owner::FIRST + Owner::COUNT).contains(&number));
            number
        });
        assert_ne!(numbers[0], numbers[1]);
        const { assert!(Owner::FIRST + Owner::COUNT < 2_147_352_576) };
    }
}
