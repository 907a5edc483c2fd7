//! Turns: an emulated machine takes a processor to itself, so only two tests run machines at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many tests may run machines at once.
const MOST: usize = 2;

static FREE: Mutex<usize> = Mutex::new(MOST);
static GIVEN_BACK: Condvar = Condvar::new();

/// The right to run machines, given back when dropped.
#[derive(Debug)]
pub struct Turn(());

impl Turn {
    /// Waits for a turn.
    pub fn take() -> Turn {
        let mut free = free();
        while *free == 0 {
            free = GIVEN_BACK
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Turn(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *free() += 1;
        GIVEN_BACK.notify_one();
    }
}

fn free() -> MutexGuard<'static, usize> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
