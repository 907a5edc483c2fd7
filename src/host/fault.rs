//! Lets tests kill, stop or fail this process at named moments: `SISTEMO_FAULT=fail:launch:after,kill:launch:undo`.
//! Release builds cannot.

/// A moment, such as before or after, of something named `what`, such as a step. Whether it is to fail.
#[must_use]
pub fn at(what: &str, when: &str) -> bool {
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
            return true;
        }
    }
    let _ = (what, when);
    false
}
