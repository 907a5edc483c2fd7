//! Lets tests kill, stop or fail this process at named moments: `SISTEMO_FAULT=fail:launch:after,kill:launch:undo`.
//! Release builds cannot.

use crate::error::Result;

/// A moment, such as before or after, of something named `what`, such as a step.
pub(super) fn fault(what: &'static str, when: &str) -> Result<()> {
    #[cfg(debug_assertions)]
    for wish in std::env::var("SISTEMO_FAULT")
        .unwrap_or_default()
        .split(',')
    {
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
