//! How the end of a process is told to the client: RFC 4254 §6.10, and signal names for the way in, §6.9.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use russh::Sig;

/// What is sent before the channel closes.
#[derive(Debug)]
pub enum End {
    /// `exit-status`.
    Status(u32),
    /// `exit-signal`, with whether a core was dumped.
    Signal { name: Sig, core_dumped: bool },
}

/// The end that `status` stands for.
pub fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Status(code.unsigned_abs()),
        (None, Some(number)) => End::Signal {
            name: name_of(number),
            core_dumped: status.core_dumped(),
        },
        // Neither exited nor killed: wait(2) reports nothing else to a parent that does not trace.
        (None, None) => End::Status(255),
    }
}

/// The signal's name on the wire: RFC 4254 names thirteen, any other goes as `NAME@sistemo` (local extension syntax).
fn name_of(number: i32) -> Sig {
    let Ok(signal) = Signal::try_from(number) else {
        return Sig::Custom(format!("{number}@sistemo"));
    };
    match signal {
        Signal::SIGABRT => Sig::ABRT,
        Signal::SIGALRM => Sig::ALRM,
        Signal::SIGFPE => Sig::FPE,
        Signal::SIGHUP => Sig::HUP,
        Signal::SIGILL => Sig::ILL,
        Signal::SIGINT => Sig::INT,
        Signal::SIGKILL => Sig::KILL,
        Signal::SIGPIPE => Sig::PIPE,
        Signal::SIGQUIT => Sig::QUIT,
        Signal::SIGSEGV => Sig::SEGV,
        Signal::SIGTERM => Sig::TERM,
        Signal::SIGUSR1 => Sig::USR1,
        other => {
            let name = other.as_str();
            let short = name.strip_prefix("SIG").unwrap_or(name);
            // USR2 is in the RFC's list, but not in russh's.
            let suffix = if other == Signal::SIGUSR2 {
                ""
            } else {
                "@sistemo"
            };
            Sig::Custom(format!("{short}{suffix}"))
        }
    }
}

/// The signal that a client's `signal` request asks for; `None` for a name that Linux does not know.
pub fn requested(signal: &Sig) -> Option<Signal> {
    Some(match signal {
        Sig::ABRT => Signal::SIGABRT,
        Sig::ALRM => Signal::SIGALRM,
        Sig::FPE => Signal::SIGFPE,
        Sig::HUP => Signal::SIGHUP,
        Sig::ILL => Signal::SIGILL,
        Sig::INT => Signal::SIGINT,
        Sig::KILL => Signal::SIGKILL,
        Sig::PIPE => Signal::SIGPIPE,
        Sig::QUIT => Signal::SIGQUIT,
        Sig::SEGV => Signal::SIGSEGV,
        Sig::TERM => Signal::SIGTERM,
        Sig::USR1 => Signal::SIGUSR1,
        Sig::Custom(name) => {
            let bare = name.split('@').next().unwrap_or_default();
            format!("SIG{bare}").parse().ok()?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_a_status() {
        assert!(matches!(
            end_of(ExitStatus::from_raw(3 << 8)),
            End::Status(3)
        ));
        assert!(matches!(end_of(ExitStatus::from_raw(0)), End::Status(0)));
    }

    #[test]
    fn a_death_by_signal_is_named_and_says_whether_a_core_was_dumped() {
        let term = end_of(ExitStatus::from_raw(15));
        assert!(matches!(
            term,
            End::Signal {
                name: Sig::TERM,
                core_dumped: false
            }
        ));
        let segv = end_of(ExitStatus::from_raw(11 | 0x80));
        assert!(matches!(
            segv,
            End::Signal {
                name: Sig::SEGV,
                core_dumped: true
            }
        ));
    }

    #[test]
    fn signals_beyond_the_standard_keep_a_name() {
        let text = |number| match name_of(number) {
            Sig::Custom(name) => name,
            other => format!("{other:?}"),
        };
        assert_eq!(text(12), "USR2");
        assert_eq!(text(31), "SYS@sistemo");
        assert_eq!(text(40), "40@sistemo");
    }

    #[test]
    fn a_requested_signal_is_understood_by_name() {
        assert_eq!(requested(&Sig::INT), Some(Signal::SIGINT));
        assert_eq!(
            requested(&Sig::Custom("WINCH@sistemo".into())),
            Some(Signal::SIGWINCH)
        );
        assert_eq!(requested(&Sig::Custom("NONSENSE".into())), None);
    }
}
