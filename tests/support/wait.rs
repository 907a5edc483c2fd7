//! Waiting for what happens in a machine.

use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};

use super::Lab;

const PATIENCE: Duration = Duration::from_secs(90);

/// Comes back when a process has ended.
pub fn gone(pid: i32) {
    // SAFETY: pidfd_open takes two integers and gives a new descriptor or -1.
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return;
    }
    // SAFETY: the descriptor is new and nobody else's.
    let fd: OwnedFd = unsafe { FromRawFd::from_raw_fd(i32::try_from(fd).unwrap()) };
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let patience = u16::try_from(PATIENCE.as_millis()).unwrap_or(u16::MAX);
    let ready = poll(&mut fds, patience).unwrap();
    assert_eq!(ready, 1, "process {pid} has not ended");
}

/// Waits until something holds that nobody tells of.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < 2 * PATIENCE, "not yet: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Lab {
    /// Follows a machine's boot log until it says `text`; all that it said by then.
    #[track_caller]
    pub fn logs_until(&self, machine: &str, text: &str) -> String {
        let mut command = self.command(&format!("machine logs {machine} --follow"), &[]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (sender, receiver) = mpsc::channel();
        let reading = std::thread::spawn(move || {
            let mut line = Vec::new();
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|count| count > 0)
            {
                let said = String::from_utf8_lossy(&line).replace('\r', "");
                if sender.send(said).is_err() {
                    return;
                }
                line.clear();
            }
        });
        let (mut said, end) = (String::new(), Instant::now() + PATIENCE);
        while !said.contains(text) {
            match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => said += &line,
                Err(_) => break,
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        drop(receiver);
        reading.join().unwrap();
        assert!(said.contains(text), "{text} was not said:\n{said}");
        said
    }

    /// Waits until a machine's hypervisor has ended by itself.
    #[track_caller]
    pub fn ends(&self, machine: &str) {
        // As the database has it: a command that looks finds out by itself.
        if let Ok(pid) = self.stored(machine, "pid").parse() {
            gone(pid);
        }
    }
}
