//! Which lines of a boot log are taken for errors.
//!
//! | from | words |
//! |---|---|
//! | kernel | `Kernel panic`, `Oops`, `BUG:`, `Call Trace`, `WARNING: CPU:`, `general protection fault`, `Unable to handle`, `Out of memory`, `oom-kill`, `segfault`, `I/O error`, `lockup`, `blocked for more than` |
//! | kernel's levels, where the console shows them | `<0>` to `<3>` at the beginning: KERN_EMERG to KERN_ERR (include/linux/kern_levels.h) |
//! | systemd | `[FAILED]`, `[DEPEND]`, `[ TIME ]`, `Failed to`, `Dependency failed`, `emergency mode` |
//! | `sistemo-guest` | `cannot go on`, `the command failed` |
//! | programs | words that begin with `error`, `fail`, `fatal`, `panic`, `critical`, `emerg`; `err:`, `exception`, `traceback`, `core dumped`, `permission denied`, `no space left`, `timed out`, `cannot`, `could not`, `unable to` |
//!
//! Lines that only name them are left out: mount options (`errors=remount-ro`), `no error`, `0 errors`, error reporting and
//! correction, `failover`, `failsafe`, settings of what to do on a panic.

use std::sync::{Arc, LazyLock};

use super::pattern::Pattern;

const WANTED: &str = r"(?-u:\b)(error|fail|fatal|panic|oops|critical|emerg|exception|traceback|segfault)|(?-u:\b)(err:|bug: )|call trace|warning: cpu:|general protection fault|unable to |out of memory|oom-kill|(?-u:\b)lockup|blocked for more than|^<[0-3]>|\[depend\]|\[ time \]|core dumped|permission denied|no space left|timed out|(?-u:\b)(cannot|could not)(?-u:\b)";

const UNWANTED: &str = r"\berrors?=|\bno (known )?(errors?|failures?)\b|\b0 (errors?|failures?|failed)\b|\berror[- ]?(correct|detect|inject|report|record|handl|log)|\bfail(over|safe|-safe)|\bpanic(_on_|=)|\bfail2ban";

/// What is taken for an error.
pub(super) fn pattern() -> Option<Arc<Pattern>> {
    static PATTERN: LazyLock<Option<Arc<Pattern>>> =
        LazyLock::new(|| Pattern::without(WANTED, UNWANTED).map(Arc::new));
    PATTERN.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_what_only_names_them() {
        let pattern = pattern().unwrap();
        for line in [
            "[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs",
            "[    1.2] BUG: unable to handle page fault for address",
            "[    1.2] Oops: 0002 [#1] SMP",
            "[    1.2] Call Trace:",
            "[    1.2] WARNING: CPU: 0 PID: 1 at kernel/x.c:1",
            "[    1.2] watchdog: BUG: soft lockup - CPU#0 stuck",
            "[    1.2] blk_update_request: I/O error, dev vda",
            "[    1.2] a.out[12]: segfault at 0 ip 0",
            "[    1.2] Out of memory: Killed process 1",
            "<3>[    1.2] something",
            "[FAILED] Failed to start Web.",
            "[DEPEND] Dependency failed for Web.",
            "[ TIME ] Timed out waiting for device",
            "You are in emergency mode.",
            "sistemo-guest: cannot go on: no root",
            "sistemo-guest: the command failed: exit status 3",
            "ERROR: no such table",
            "nginx: [emerg] bind() to 0.0.0.0:80",
            "Traceback (most recent call last):",
            "sh: write: No space left on device",
        ] {
            assert!(pattern.is_in(line.as_bytes()), "{line}");
        }
        for line in [
            "EXT4-fs (vda1): mounted, Opts: errors=remount-ro",
            "[    0.1] BERT: Error Record Support, no errors",
            "[    0.1] EDAC: Error correction is on",
            "checked, 0 errors",
            "bonding: failover to eth1",
            "kernel.panic_on_oops is 1",
            "[  OK  ] Started Web.",
            "<6>[    1.2] something",
            "terror",
        ] {
            assert!(!pattern.is_in(line.as_bytes()), "{line}");
        }
    }
}
