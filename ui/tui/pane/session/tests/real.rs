//! Panes with real shells behind OpenSSH's server, one for each connection, at the other end of a socket pair.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use sistemo::guest::client::{Client, Target};
use sistemo::guest::keys::{ensure_key_pair, new_host_key};
use tokio::net::UnixStream;

use super::fake::{broken, machine, notices, until};
use super::*;
use crate::shell::{Broken, Ends, Transport, run_over};

/// Starts a server for each shell.
struct Server {
    folder: tempfile::TempDir,
    target: Target,
}

/// A server that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn new() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let keys = ensure_key_pair(folder.path()).unwrap();
        let (private, host_key) = new_host_key().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("authorized"), &keys.public_line).unwrap();
        std::fs::write(path("host"), private).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path("host"), mode).unwrap();
        // sshd(8): an empty directory that it changes root to.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let target = Target::new("root", &keys, &host_key).unwrap();
        Server { folder, target }
    }

    fn start(&self) -> (Running, UnixStream) {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let end = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
        let options = [
            format!("HostKey={}", path("host")),
            format!("AuthorizedKeysFile={}", path("authorized")),
            "StrictModes=no".into(),
            "UsePAM=no".into(),
            "PermitRootLogin=yes".into(),
            "AcceptEnv=*".into(),
            "PrintMotd=no".into(),
            "PrintLastLog=no".into(),
            "ForceCommand=exec /bin/bash --norc --noprofile".into(),
            // What the user of this computer has in start-up files may say anything.
            format!("SetEnv=HOME={}", path("home")),
        ];
        let child = Command::new("/usr/sbin/sshd")
            .args(["-i", "-e", "-f", "/dev/null"])
            .args(options.iter().flat_map(|option| ["-o", option]))
            .stdin(end())
            .stdout(end())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        ours.set_nonblocking(true).unwrap();
        (Running(child), UnixStream::from_std(ours).unwrap())
    }
}

#[async_trait]
impl Transport for Server {
    async fn shell(&self, _machine: &str, ends: Ends) -> Result<Exit, Broken> {
        let (_running, stream) = self.start();
        let session = Client::connect(stream, &self.target).await;
        let session = session.map_err(|error| broken(&error.to_string(), true))?;
        run_over(&session, ends).await
    }
}

struct Real {
    session: Session,
    notices: watch::Receiver<u64>,
}

impl Real {
    async fn new(server: &Arc<Server>) -> Real {
        let (notify, notices) = notices();
        let running = machine("web", MachineState::Running);
        let session = Session::open(running, (80, 24), 1000, server.clone(), notify);
        session.set_seen(true);
        let mut real = Real { session, notices };
        real.session.send(b"PS1=; stty -echo; echo ready\r");
        real.shows("ready").await;
        real
    }

    /// Waits until a line of the screen begins with this, and gives that line.
    async fn shows(&mut self, text: &str) -> String {
        let session = &self.session;
        let mut found = None;
        let shown = until(&mut self.notices, || {
            found = lines(session)
                .into_iter()
                .find(|line| line.starts_with(text));
            found.is_some()
        });
        let seen = timeout(LONG / 2, shown).await;
        assert!(
            seen.is_ok(),
            "{:#?} while {:?}",
            lines(session),
            session.state()
        );
        found.unwrap()
    }
}

/// What the screen shows.
fn lines(session: &Session) -> Vec<String> {
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 80, 24));
    let look = crate::tui::pane::PaneLook::default().terminal(true);
    crate::tui::pane::emulator::paint(&mut session.emulator(), &look, buffer.area, &mut buffer);
    let text = crate::tui::pane::workspace::tests::text(&buffer);
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_knows_its_terminal_and_its_size() {
    let server = Arc::new(Server::new());
    let mut real = Real::new(&server).await;
    real.session
        .send(b"echo is $TERM $COLORTERM $LC_CTYPE $(stty size)\r");
    let line = real.shows("is ").await;
    assert_eq!(line, "is xterm-256color truecolor C.UTF-8 24 80");
    for columns in 60..=70 {
        real.session.resize((columns, 20));
    }
    let waits = "until [ \"$(stty size)\" = '20 70' ]; do :; done; echo now $(stty size)\r";
    real.session.send(waits.as_bytes());
    assert_eq!(real.shows("now ").await, "now 20 70");
    real.session.send(b"exit 7\r");
    let session = &real.session;
    let ended = State::Ended(Exit::Status(7));
    until(&mut real.notices, || session.state() == ended).await;
}

/// `yes` in one pane: the other's echo comes, and Ctrl-C ends it at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_flood_can_be_interrupted_and_delays_nobody() {
    let server = Arc::new(Server::new());
    let mut flooded = Real::new(&server).await;
    let mut quiet = Real::new(&server).await;
    flooded.session.send(b"yes\r");
    flooded.shows("y").await;
    let asked = std::time::Instant::now();
    for round in 0..20 {
        quiet
            .session
            .send(format!("echo round {round}\r").as_bytes());
        quiet.shows(&format!("round {round}")).await;
    }
    let each = asked.elapsed() / 20;
    assert!(each < Duration::from_secs(1), "an echo takes {each:?}");
    flooded.session.send(&[3]);
    flooded.session.send(b"echo; echo over\r");
    flooded.shows("over").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_paste_arrives_whole() {
    let server = Arc::new(Server::new());
    let mut real = Real::new(&server).await;
    let takes = "stty raw; echo raw; sum=$(head -c 1000000 | cksum); stty -raw; echo; echo $sum\r";
    real.session.send(takes.as_bytes());
    real.shows("raw").await;
    let session = &real.session;
    let text = "0123456789".repeat(100_000);
    session.paste(text.clone().into_bytes()).unwrap();
    let sum = Command::new("cksum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut sum = sum.unwrap();
    std::io::Write::write_all(&mut sum.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let expected = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    real.shows(expected.trim()).await;
}
