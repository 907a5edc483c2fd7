//! Ports forwarded over SSH, the user's agent, and sessions on a terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Image, Lab, Terminal};

/// A command that runs on, with the lines that it says on stderr.
struct Background {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
}

impl Background {
    fn start(lab: &Lab, line: &str, variables: &[(&str, &str)]) -> Background {
        let mut command = lab.command(line, variables);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Background { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    /// The number in a line such as `port 4711 leads to …`.
    fn port(&mut self) -> u16 {
        let line = self.line();
        let port = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {line:?}"))
    }

    fn interrupt(mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(port: u16, line: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const GET: &str = "GET /hello HTTP/1.0\r\n\r\n";

#[test]
fn ports_lead_in_and_out_and_through() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    lab.run("machine exec a 'mkdir -p /srv && echo hello > /srv/hello && httpd -p 127.0.0.1:80 -h /srv'").ok();

    // What answers here is on this computer, where the user is.
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = here.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in here.incoming() {
            stream.unwrap().write_all(b"from the host\n").unwrap();
        }
    });
    let socket = lab.data_dir().join("forwarded.sock");
    let line = format!(
        "machine ssh a -N -L 0:localhost:80 -D 0 -R 9000:localhost:{port} -L {}:127.0.0.1:80",
        socket.display()
    );
    let mut forwarding = Background::start(&lab, &line, &[]);
    let (local, proxy) = (forwarding.port(), forwarding.port());
    assert_eq!(
        forwarding.line(),
        format!("port 9000 of a leads to localhost:{port}\n")
    );
    for _ in 0..2 {
        assert!(ask(local, GET).ends_with("hello\n"));
    }
    let curl = Command::new("curl")
        .args([
            "-s",
            "-m",
            "20",
            "--socks5-hostname",
            &format!("127.0.0.1:{proxy}"),
            "http://localhost/hello",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "hello\n", "{curl:?}");
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(GET.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello\n"), "{answer}");
    assert_eq!(
        lab.run("machine exec a 'nc 127.0.0.1 9000 < /dev/null'")
            .ok(),
        "from the host\n"
    );
    // In the guest it is reached from the guest alone.
    assert!(
        lab.run("machine exec a 'netstat -ltn'")
            .ok()
            .contains("127.0.0.1:9000")
    );

    // Ports that are taken, here and there; nothing is run.
    let taken = format!("machine ssh a -L {local}:localhost:80 touch /root/ran");
    let said = lab.run(&taken).fails(4);
    assert!(
        said.contains(&format!("cannot listen on localhost:{local}")),
        "{said}"
    );
    let said = lab
        .run("machine ssh a -R 9000:localhost:80 touch /root/ran")
        .fails(4);
    assert!(
        said.contains("machine a cannot listen on localhost:9000"),
        "{said}"
    );
    lab.run("machine exec a test -e /root/ran").fails(1);
    for bad in ["-L 80", "-L 1:2", "-D a", "-R 1:a:b", "-L [::1:1:a:2"] {
        lab.run(&format!("machine ssh a {bad}")).fails(2);
    }

    assert_eq!(forwarding.interrupt(), Some(130));
    assert!(!socket.exists());
    // Beside a command.
    let done = lab.run(&format!(
        "machine ssh a -R 9000:localhost:{port} nc 127.0.0.1 9000"
    ));
    assert_eq!(done.ok(), "from the host\n");

    // A machine that stops is said to have.
    let mut forwarding = Background::start(&lab, "machine ssh a -N -L 0:localhost:80", &[]);
    forwarding.port();
    lab.run("machine stop a").ok();
    let said = forwarding.line() + &forwarding.line();
    assert!(said.contains("connection to the guest was lost"), "{said}");
    assert!(said.contains("hint: "), "{said}");
    assert_eq!(forwarding.child.wait().unwrap().code(), Some(255));
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn the_agent_is_there_when_it_is_asked_for() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let socket = lab.data_dir().join("agent.sock").display().to_string();
    let agent = Command::new("ssh-agent")
        .args(["-D", "-a", &socket])
        .stdout(Stdio::null())
        .spawn();
    let mut agent = agent.unwrap();
    let variables = [("SSH_AUTH_SOCK", socket.as_str())];
    let socket_there = "test -S \"$SSH_AUTH_SOCK\" && echo there";
    while !std::path::Path::new(&socket).exists() {
        std::thread::yield_now();
    }
    let line = format!("machine ssh a -A '{socket_there}'");
    assert_eq!(lab.run_with(&line, &variables).ok(), "there\n");
    let line = format!("machine ssh a '{socket_there}'");
    lab.run_with(&line, &variables).fails(1);
    let said = lab
        .run_with("machine ssh a -A true", &[("SSH_AUTH_SOCK", "")])
        .fails(4);
    assert!(said.contains("SSH_AUTH_SOCK is not set"), "{said}");
    agent.kill().unwrap();
    agent.wait().unwrap();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_terminal_is_the_guests_until_the_user_leaves() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();

    // docker's letters; the size is the user's, and changes with it.
    let line = "machine exec -it a -- sh -c 'stty size; trap \"stty size\" WINCH; echo ready; while :; do read x; done'";
    let mut terminal = Terminal::start(&lab, line, 90, 33);
    terminal.reads("33 90");
    terminal.reads("ready");
    terminal.resize(120, 40);
    terminal.types("\r");
    terminal.reads("40 120");
    terminal.types("\x03");
    assert_eq!(terminal.status(), Some(130));

    // Typing exit leaves with the shell's status, and ~. with 255 whatever the guest does.
    let mut terminal = Terminal::start(&lab, "machine ssh a", 80, 24);
    terminal.types("echo $((40+2)); exit 7\r");
    terminal.reads("42");
    assert_eq!(terminal.status(), Some(7));
    let mut terminal = Terminal::start(&lab, "machine ssh a", 80, 24);
    terminal.types("echo $((40+2)); exec sleep 1000\r");
    terminal.reads("42");
    terminal.types("\r~.");
    terminal.reads("left a");
    assert_eq!(terminal.status(), Some(255));

    // The machine goes away under it.
    let mut terminal = Terminal::start(&lab, "machine ssh a", 80, 24);
    terminal.types("echo $((40+2))\r");
    terminal.reads("42");
    lab.run("machine stop a").ok();
    terminal.reads("error: ");
    assert_eq!(terminal.status(), Some(255));
    let said = lab.run("machine ssh a").fails(4);
    assert!(said.contains("machine a is stopped"), "{said}");

    // The address of its page is known whatever runs, and what is missing is said.
    let id = lab.field("a", "id");
    let done = lab.run("machine terminal a");
    assert!(
        done.stderr.contains("machine a is stopped"),
        "{}",
        done.stderr
    );
    assert_eq!(
        done.ok(),
        format!("http://localhost:7777/terminals/vm/{id}\n")
    );
    let port = {
        let unused = TcpListener::bind("127.0.0.1:0").unwrap();
        unused.local_addr().unwrap().port()
    };
    let listen = format!("127.0.0.1:{port}");
    let listen = [("SISTEMO_LISTEN", listen.as_str())];
    let done = lab.run_with("machine terminal a", &listen);
    assert!(
        done.stderr
            .contains("hint: start the daemon: sistemo up --detach"),
        "{}",
        done.stderr
    );
    let shown = lab.run_with("vm terminal a -o json", &listen).json();
    assert_eq!(
        shown["url"],
        format!("http://127.0.0.1:{port}/terminals/vm/{id}")
    );
    assert_eq!(shown["answers"], false);
    assert_eq!(shown["opened"], false);
    lab.run_with("machine terminal a", &[("SISTEMO_LISTEN", "7777")])
        .fails(2);
    lab.run("machine terminal nosuch").fails(3);
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
