//! Signals that end or stop the program: the terminal is given back first, in the handler, so that it happens even when
//! nothing else goes on.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::libc::{self, c_int, c_void, siginfo_t};

use super::life::{self, Notice};

/// They end the program, unless somebody else listens.
const ENDINGS: [c_int; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];

/// What was to be done on each of `ENDINGS` before. Never freed, as a handler may be running.
static BEFORE: [AtomicPtr<libc::sigaction>; ENDINGS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; ENDINGS.len()];

/// Our handlers, while they are in place.
pub(super) struct Signals {
    caught: Vec<(c_int, libc::sigaction)>,
}

impl Signals {
    /// Puts the handlers in place. What is ignored stays so, as nohup(1) has it with hang-ups.
    pub(super) fn catch() -> Signals {
        let mut caught = Vec::new();
        for (signal, before) in ENDINGS.into_iter().zip(&BEFORE) {
            let Some(action) =
                current(signal).filter(|action| action.sa_sigaction != libc::SIG_IGN)
            else {
                continue;
            };
            before.store(Box::into_raw(Box::new(action)), Ordering::SeqCst);
            install(signal, end);
            caught.push((signal, action));
        }
        for (signal, handler) in [(libc::SIGTSTP, stop as Handler), (libc::SIGCONT, go_on)] {
            let Some(action) =
                current(signal).filter(|action| action.sa_sigaction != libc::SIG_IGN)
            else {
                continue;
            };
            install(signal, handler);
            caught.push((signal, action));
        }
        Signals { caught }
    }
}

impl Drop for Signals {
    /// Puts back what was in place before.
    fn drop(&mut self) {
        for (signal, action) in self.caught.drain(..) {
            // SAFETY: the action is one that was in place.
            unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
        }
    }
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn current(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: without a new action the call only writes the old one, or fails.
    unsafe {
        match libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) {
            0 => Some(action.assume_init()),
            _ => None,
        }
    }
}

/// Async-signal-safe.
fn install(signal: c_int, handler: Handler) {
    // SAFETY: an all-zero sigaction is a valid value; the handler has the form that SA_SIGINFO asks for, and calls only
    // what is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

/// Does what is done by default; returns if that is nothing, or once the program goes on. Async-signal-safe.
fn default(signal: c_int) {
    // SAFETY: an all-zero sigaction is the default one. The signal is let through, since it is held while it is handled.
    unsafe {
        let action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &raw const action, ptr::null_mut());
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        let mut held: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, &raw mut held);
        libc::raise(signal);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const held, ptr::null_mut());
    }
}

/// What is interrupted must not see another error than its own.
fn keeping_errno(act: impl FnOnce()) {
    // SAFETY: the address of errno is that of this thread for as long as it runs.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        act();
        *errno = before;
    }
}

extern "C" fn end(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    keeping_errno(|| {
        life::give_back(life::Unread::Dropped);
        let place = ENDINGS.iter().position(|ending| *ending == signal);
        let before = place.map(|place| BEFORE[place].load(Ordering::SeqCst));
        // SAFETY: what is stored there was leaked by `catch`, and is not changed.
        let before = before.and_then(|before| unsafe { before.as_ref() });
        match before {
            Some(action) if action.sa_sigaction != libc::SIG_DFL => {
                // SAFETY: it was in place as a handler of this form, by the flag that says which.
                unsafe {
                    if action.sa_flags & libc::SA_SIGINFO != 0 {
                        let handler: Handler = std::mem::transmute(action.sa_sigaction);
                        handler(signal, info, context);
                    } else {
                        let handler: extern "C" fn(c_int) =
                            std::mem::transmute(action.sa_sigaction);
                        handler(signal);
                    }
                }
            }
            _ => default(signal),
        }
    });
}

/// Gives the terminal back, stops, and takes it again when the program goes on.
extern "C" fn stop(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
    keeping_errno(|| {
        let was_ours = life::give_back(life::Unread::Kept);
        default(signal);
        install(signal, stop);
        if was_ours {
            life::take();
            life::notify(Notice::Resumed);
        }
    });
}

/// After a stop that could not be caught the terminal is in whatever state others left it.
extern "C" fn go_on(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    keeping_errno(|| {
        if life::is_ours() {
            life::take();
            life::notify(Notice::Resumed);
        }
    });
}
