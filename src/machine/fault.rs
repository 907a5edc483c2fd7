//! Lets tests kill, stop or fail this process at a named moment: `SISTEMO_FAULT=kill:launch:after`. Release builds cannot.

use crate::error::Result;

/// The moment before or after something named `what`, such as a step.
pub(super) fn fault(what: &'static str, when: &str) -> Result<()> {
    #[cfg(debug_assertions)]
    if let Ok(wish) = std::env::var("SISTEMO_FAULT") {
        if wish == format!("kill:{what}:{when}") {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
        if wish == format!("stop:{what}:{when}") {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
        }
        if wish == format!("fail:{what}:{when}") {
            return Err(super::Error::Fault(what).into());
        }
    }
    let _ = (what, when);
    Ok(())
}
