//! Running a builder: what it prints is passed on line by line; it ends when it is to, and when the disk gets full.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::Error;
use crate::event::Progress;
use crate::host::space;
use crate::value::ByteSize;

/// How many of its last lines a failure shows.
const SHOWN: usize = 8;
/// The longest line that is passed on, in bytes.
const LINE_MAX: usize = 4096;
/// How often the free space is looked at.
const WATCH: Duration = Duration::from_millis(500);
/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a builder to its end. `keep_free` stays free on the disk of `folder`.
pub(super) async fn run(
    mut command: Command,
    folder: &Path,
    keep_free: ByteSize,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let program = command.as_std().get_program();
    let program = Path::new(program).file_name().unwrap_or_default();
    let program = program.to_string_lossy().into_owned();
    let failed = |said: String, last: Vec<String>| Error::Builder {
        program: program.clone(),
        said,
        last,
    };
    let mut child = command
        .spawn()
        .map_err(|error| failed(error.to_string(), Vec::new()))?;
    let (sender, mut lines) = mpsc::channel(64);
    let streams: [Option<Box<dyn AsyncRead + Send + Unpin>>; 2] = [
        child.stdout.take().map(|out| Box::new(out) as _),
        child.stderr.take().map(|err| Box::new(err) as _),
    ];
    for stream in streams.into_iter().flatten() {
        tokio::spawn(pass_on(stream, sender.clone()));
    }
    drop(sender);
    let mut last: Vec<String> = Vec::new();
    let mut watch = tokio::time::interval(WATCH);
    let status = loop {
        tokio::select! {
            // Both streams end with the builder, or with the last of what it started.
            line = lines.recv() => match line {
                Some(line) => {
                    show(&line, progress);
                    last.push(line);
                    if last.len() > SHOWN {
                        last.remove(0);
                    }
                }
                None => break child.wait().await,
            },
            _ = watch.tick() => {
                if let Err(error) = space::check(folder, ByteSize::bytes(0), keep_free) {
                    end(&mut child).await;
                    return Err(error.into());
                }
            }
            () = cancel.cancelled() => {
                end(&mut child).await;
                return Err(Error::Cancelled);
            }
        }
    };
    let status = status.map_err(|error| failed(error.to_string(), Vec::new()))?;
    if status.success() {
        return Ok(());
    }
    if last
        .iter()
        .any(|line| line.contains("no space left on device"))
    {
        return Err(Error::File {
            what: "build an image in",
            path: folder.into(),
            source: nix::errno::Errno::ENOSPC.into(),
        });
    }
    let said = match last.pop() {
        Some(line) => line.trim_start_matches("Error: ").into(),
        None => status.to_string(),
    };
    Err(failed(said, last))
}

/// Sends a stream's lines on, without what would move a terminal's cursor.
async fn pass_on(stream: impl AsyncRead + Unpin, sender: mpsc::Sender<String>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end is not to fill the memory.
        let mut part = tokio::io::AsyncReadExt::take(&mut stream, LINE_MAX as u64);
        match part.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        // Of a line that is written over, the last state.
        let text = text.trim_end().rsplit('\r').next().unwrap_or_default();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        if !text.trim().is_empty() && sender.send(text).await.is_err() {
            return;
        }
    }
}

fn show(line: &str, progress: &Progress) {
    if line.starts_with("STEP ") || line.starts_with("Step ") {
        progress.step(line);
    } else {
        progress.note(line);
    }
}

/// Ends a builder and all that it has started.
async fn end(child: &mut Child) {
    let Some(pid) = child.id() else { return };
    let group = Pid::from_raw(pid.cast_signed());
    let _ = killpg(group, Signal::SIGTERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait().await;
    }
    // What it had started and left.
    let _ = killpg(group, Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    async fn run_in_tmp(script: &str, cancel: &CancellationToken) -> (Result<(), Error>, String) {
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let all = said.clone();
        let token = cancel.clone();
        let progress = Progress::new(move |event| {
            let line = format!("{event:?}\n");
            if line.contains("now") {
                token.cancel();
            }
            all.lock().unwrap().push_str(&line);
        });
        let keep = ByteSize::bytes(0);
        let outcome = run(shell(script), Path::new("/"), keep, &progress, cancel).await;
        let said = said.lock().unwrap().clone();
        (outcome, said)
    }

    #[tokio::test]
    async fn lines_are_passed_on_and_the_last_say_why() {
        let cancel = CancellationToken::new();
        let script =
            "echo STEP 1/1: FROM x; printf 'a\\033[2Jb\\rc\\n'; echo Error: no such stage; exit 3";
        let (outcome, said) = run_in_tmp(script, &cancel).await;
        assert!(
            said.contains("Step { step: \"STEP 1/1: FROM x\" }"),
            "{said}"
        );
        assert!(said.contains("Note { text: \"c\" }"), "{said}");
        let error = outcome.unwrap_err().to_string();
        assert_eq!(error, "sh failed: no such stage");
        let (outcome, _) =
            run_in_tmp("echo write /x: no space left on device; exit 1", &cancel).await;
        assert!(matches!(outcome, Err(Error::File { .. })));
    }

    #[tokio::test]
    async fn what_is_cancelled_ends_with_all_that_it_started() {
        let cancel = CancellationToken::new();
        let (outcome, said) = run_in_tmp("sleep 1000 & echo $!; echo now; wait", &cancel).await;
        assert!(matches!(outcome, Err(Error::Cancelled)));
        let pid: String = said.chars().filter(char::is_ascii_digit).collect();
        let pid = Pid::from_raw(pid.parse().unwrap());
        // A zombie is no child of this process: whoever took it over reaps it.
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z ") {
            tokio::task::yield_now().await;
        }
    }
}
