//! How many files may be open at once: in the server, which needs several for each session, and in what it starts.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What a program expects that was not asked: beyond this many, select(2) does not work.
const USUAL: u64 = 1024;
/// What it may ask for; systemd gives its services the same (systemd.exec(5), `LimitNOFILE=`), the kernel 4096.
const MOST: u64 = 524_288;

/// Lets what runs in a machine ask for as many as anywhere else.
pub fn extend() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && hard < MOST
    {
        // Only root may; anyone else goes on with less.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, MOST);
    }
}

/// Gives the server as many as it may have.
pub fn raise() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Gives what the server starts the usual number, which it may raise. Makes system calls only.
pub fn restore() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, USUAL.min(hard), hard);
    }
}
