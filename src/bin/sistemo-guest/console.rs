//! What the program says: lines on the machine's console, which is its boot log, or on standard error elsewhere.

use std::error::Error;
use std::fs::File;
use std::io::Write;

/// Prints one line. Nobody can be told when that fails.
pub fn say(line: &str) {
    // One write, so that the kernel's own messages do not cut it.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Makes `/dev/console` the standard streams of PID 1; the kernel could not, if the initramfs holds no such node.
pub fn attach() {
    if let Ok(console) = File::options().read(true).write(true).open("/dev/console") {
        let streams = [
            nix::unistd::dup2_stdin(&console),
            nix::unistd::dup2_stdout(&console),
        ];
        let _ = streams
            .into_iter()
            .chain([nix::unistd::dup2_stderr(&console)])
            .collect::<Result<(), _>>();
    }
}

/// The error and its causes in one line, outermost first; a cause that the text above already ends with is left out.
pub fn report(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
