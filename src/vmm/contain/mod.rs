//! Containment: a hypervisor that a guest has taken over must find nothing to take next.
//!
//! ```text
//!  LaunchSpec ──► Enclosure (plain data: who it is, what it sees, what it may take)
//!                     │ give the files to the machine's user, make its control group
//!                     ▼
//!        a thread of its own: mounts, IPC, names ──► a root of bind mounts ──► pivot_root ──► process numbers
//!                     ▼ fork
//!        the child: control group, limits, user, no capabilities, no new privileges ──► exec
//! ```
//!
//! It is the jailer's job, done here for every driver alike: the real `jailer` knows Firecracker alone and wants files
//! copied or linked into its folder, and two ways would have to be proved instead of one. ARCHITECTURE.md lists what a
//! contained hypervisor can see and reach; `tests` proves it from inside.
//!
//! The work before the fork is done by a thread and not by the child: what a thread unshares is its own, it ends with
//! the thread, and it may allocate and say what went wrong, which a child of a program with threads may not.

mod ability;
mod child;
mod choice;
mod enclosure;
mod error;
mod files;
mod group;
mod mountinfo;
mod owner;
mod program;
mod root;
#[cfg(test)]
mod tests;

pub use self::ability::Ability;
pub(super) use self::child::{Last, LastNumbers};
pub use self::choice::{Choice, UnknownChoice};
pub(super) use self::enclosure::{Access, Enclosure, MEMORY};
pub use self::error::Error;
pub use self::files::release;
pub use self::owner::Owner;

/// Whether hypervisors are to be contained here.
///
/// # Errors
///
/// [`Error::Unable`] when they always are to be, and this host does not let them be.
pub fn is_wanted(choice: Choice, ability: &Ability) -> Result<bool, Error> {
    match (choice, &ability.obstacle) {
        (Choice::Never, _) | (Choice::Auto, Some(_)) => Ok(false),
        (Choice::Auto, None) => Ok(true),
        (Choice::Always, Some(why)) => Err(Error::Unable(why.clone())),
        (Choice::Always, None) => match ability.ungrouped() {
            Some(why) => Err(Error::Unable(why)),
            None => Ok(true),
        },
    }
}
