//! The terminal is given back: a program on a real terminal, which is this test program again in another role.

mod bursts;
pub(super) mod console;
mod roles;

use std::os::unix::process::ExitStatusExt;

use console::Console;
use nix::sys::signal::Signal;

/// What takes the terminal, in order.
const ENTER: [&str; 8] = [
    "\x1b[22;0t",
    "\x1b[?1049h",
    "\x1b[>1u",
    "\x1b[?2004h",
    "\x1b[?1004h",
    "\x1b[?25l",
    "\x1b[?1000h\x1b[?1002h",
    "\x1b[?1006h",
];
/// What gives it back, in order.
const LEAVE: [&str; 11] = [
    "\x1b[?2026l",
    "\x1b[0m",
    "\x1b[?1006l\x1b[?1002l",
    "\x1b[?1000l",
    "\x1b[?1004l",
    "\x1b[?2004l",
    "\x1b[<1u",
    "\x1b[0 q",
    "\x1b[?1049l",
    "\x1b[?25h",
    "\x1b[23;0t",
];

/// Reads what gives the terminal back, and sees that it is as it was.
#[track_caller]
fn is_given_back(console: &mut Console) {
    for sequence in LEAVE {
        console.reads(sequence);
    }
}

#[test]
fn at_the_end_everything_is_as_it_was() {
    let mut console = Console::start("watch");
    for sequence in ENTER {
        console.reads(sequence);
    }
    console.reads("READY");
    assert!(!console.is_as_before(), "no raw mode");
    console.types("q");
    is_given_back(&mut console);
    let (rest, status) = console.ends();
    assert!(status.success(), "{rest:?}");
    assert!(rest.contains("end of role"), "{rest:?}");
    assert!(!rest.contains("\x1b[?1049l"), "given back twice: {rest:?}");
    assert!(console.is_as_before());
}

#[test]
fn a_panic_is_told_on_the_terminal_that_was_given_back() {
    let mut console = Console::start("panic");
    console.reads("READY");
    is_given_back(&mut console);
    console.reads("on purpose");
    let (rest, status) = console.ends();
    assert!(!status.success());
    assert!(!rest.contains("\x1b[?1049l"), "given back twice: {rest:?}");
    assert!(console.is_as_before());
}

#[test]
fn a_panic_in_a_thread_gives_it_back_and_ends_the_events() {
    let mut console = Console::start("panic in a thread");
    console.reads("READY");
    is_given_back(&mut console);
    console.reads("on purpose");
    let (rest, status) = console.ends();
    assert!(status.success(), "{rest:?}");
    assert!(!rest.contains("ghost"), "{rest:?}");
    assert!(console.is_as_before());
}

#[test]
fn every_signal_that_ends_it_gives_it_back() {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
    ] {
        let mut console = Console::start("watch");
        console.reads("READY");
        console.signals(signal);
        is_given_back(&mut console);
        let (rest, status) = console.ends();
        assert_eq!(status.signal(), Some(signal as i32), "{rest:?}");
        assert!(!rest.contains("\x1b[?1049l"), "given back twice: {rest:?}");
        assert!(console.is_as_before(), "{signal}");
    }
}

#[test]
fn who_listens_to_a_signal_ends_in_good_order() {
    let mut console = Console::start("listen");
    console.reads("READY");
    console.signals(Signal::SIGTERM);
    is_given_back(&mut console);
    console.reads("goodbye");
    let (rest, status) = console.ends();
    assert!(status.success(), "{rest:?}");
    assert!(
        !rest.contains("ghost"),
        "what was drawn afterwards is seen: {rest:?}"
    );
    assert!(console.is_as_before());
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    let console = Console::start("watch, deaf to hang-ups");
    let status = console.hangs_up();
    assert_eq!(status.code(), Some(roles::SEEN_OFF));
}

#[test]
fn a_terminal_that_takes_nothing_does_not_keep_it_alive() {
    let mut console = Console::start("flood");
    console.reads("READY");
    console.fills_up();
    console.signals(Signal::SIGTERM);
    assert_eq!(console.ends_unseen().code(), Some(roles::SEEN_OFF));
}

#[test]
fn stopped_it_gives_the_terminal_to_the_shell_and_takes_it_again() {
    let mut console = Console::start("shell");
    console.reads("READY");
    console.types("s");
    is_given_back(&mut console);
    console.reads("shell: stopped by SIGTSTP, the terminal is mine");
    for sequence in ENTER {
        console.reads(sequence);
    }
    console.reads("[resumed]");
    assert!(!console.is_as_before(), "no raw mode");
    console.types("x");
    console.reads("[x]");
    console.types("q");
    is_given_back(&mut console);
    let (rest, _) = console.ends();
    assert!(
        rest.contains("shell: ended, the terminal is mine"),
        "{rest:?}"
    );
}

#[test]
fn a_stop_from_outside_gives_the_terminal_back_too() {
    let mut console = Console::start("shell");
    let pid = console.reads_pid();
    console.reads("READY");
    nix::sys::signal::kill(pid, Signal::SIGTSTP).unwrap();
    is_given_back(&mut console);
    console.reads("shell: stopped by SIGTSTP, the terminal is mine");
    console.reads("[resumed]");
    console.types("q");
    is_given_back(&mut console);
    console.ends();
}

#[test]
fn after_a_stop_that_nobody_can_catch_the_terminal_is_taken_again() {
    let mut console = Console::start("shell");
    let pid = console.reads_pid();
    console.reads("READY");
    nix::sys::signal::kill(pid, Signal::SIGSTOP).unwrap();
    console.reads("shell: stopped by SIGSTOP, the terminal is changed");
    // Given back first, so that what is pushed is popped as often.
    is_given_back(&mut console);
    for sequence in ENTER {
        console.reads(sequence);
    }
    console.reads("[resumed]");
    console.types("x");
    console.reads("[x]");
    console.types("q");
    is_given_back(&mut console);
    let (rest, _) = console.ends();
    assert!(
        rest.contains("shell: ended, the terminal is mine"),
        "{rest:?}"
    );
}

#[test]
fn the_mouse_is_switched_while_it_runs() {
    let mut console = Console::start("watch");
    console.reads("\x1b[?1006h");
    console.reads("READY");
    console.types("m");
    console.reads("\x1b[?1006l\x1b[?1002l\x1b[?1000l[mouse off]");
    console.types("m");
    console.reads("\x1b[?1000h\x1b[?1002h\x1b[?1006h[mouse on]");
    console.types("\x1b[<0;3;4M");
    console.reads("[mouse Down(Left) 2,3]");
    console.types("q");
    is_given_back(&mut console);
    console.ends();
}

#[test]
fn a_title_cannot_say_more_than_a_title() {
    let mut console = Console::start("watch");
    console.reads("READY");
    console.types("t");
    console.reads("\x1b]2;web[2J\x07[title]");
    console.types("q");
    console.ends();
}

#[test]
fn keys_sizes_and_pastes_come_as_they_are() {
    let mut console = Console::start("watch");
    console.reads("READY");
    // Of a terminal that knows kitty's keys, and of one that does not.
    console.types("\x1b[93;5u");
    console.reads("[ctrl-]]");
    console.types("\x1d");
    console.reads("[ctrl-]]");
    console.types("\x1b[200~two\nlines\x1b[201~");
    console.reads("[paste \"two\\nlines\"]");
    console.types("\x1b[I");
    console.reads("[FocusGained]");
    console.resize(61, 17);
    console.reads("[61x17]");
    console.types("q");
    console.ends();
}

#[test]
fn a_terminal_tells_its_background_before_it_is_taken() {
    let mut console = Console::start("ask first");
    console.reads("\x1b]11;?\x07\x1b[c");
    console.types("\x1b]11;rgb:fdfd/f6f6/e3e3\x07\x1b[?62;22c");
    console.reads("Known(Light)");
    console.reads("READY");
    console.types("q");
    console.ends();
}

#[test]
fn a_terminal_that_takes_its_time_is_heard_later() {
    let mut console = Console::start("ask first, in a hurry");
    console.reads("Late");
    console.reads("READY");
    console.types("\x1b]11;rgb:0000/0000/0000\x07\x1b[?62;22cx");
    console.reads("[background 00 00 00]");
    console.reads("[x]");
    console.types("q");
    console.ends();
}

#[test]
fn a_late_answer_is_never_taken_for_keys() {
    let mut console = Console::start("watch");
    console.reads("READY");
    console.types("b");
    console.reads("\x1b]11;?\x07");
    console.types("a\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\z");
    console.reads("[a]");
    console.reads("[background fd f6 e3]");
    console.reads("[z]");
    // Not asked for, and what only begins like one: keys.
    console.types("b");
    console.reads("\x1b]11;?\x07");
    console.types("\x1b]");
    console.reads("[alt-]]");
    console.types("q");
    console.ends();
}
