//! The daemon under systemd: inside a machine whose init it is, since nobody's own services are there to be tried.
//!
//! There is no hypervisor in there. What the store takes for a machine's is a process that sleeps; its namespace, links
//! and rules are real, made by the daemon within what its unit allows.

use std::process::Command;

use crate::support::{Image, Lab};

/// Where the program lies in the machine.
const PROGRAM: &str = "/usr/local/bin/sistemo";
const ID: &str = "5e5e5e5e-0000-4000-8000-000000000000";

/// A Debian that has the program.
struct Host {
    lab: Lab,
}

impl Host {
    fn new() -> Host {
        let mut lab = Lab::new();
        lab.set("SISTEMO_DEFAULT_MEMORY", "512M");
        lab.set("SISTEMO_DEFAULT_STORAGE", "2G");
        let debian = lab.image(Image::Debian);
        lab.run(&format!("machine deploy {debian} --name host"))
            .ok();
        let host = Host { lab };
        let folder = tempfile::tempdir().unwrap();
        // Less to send.
        let program = folder.path().join("sistemo");
        let stripped = Command::new("strip")
            .arg("-o")
            .arg(&program)
            .arg(env!("CARGO_BIN_EXE_sistemo"))
            .status();
        assert!(stripped.unwrap().success());
        host.put(PROGRAM, std::fs::read(program).unwrap(), 0o755);
        host
    }

    /// Runs a shell line in the machine; it must succeed.
    #[track_caller]
    fn sh(&self, line: &str) -> String {
        let quoted = shlex::try_quote(line).unwrap();
        let said = self.lab.run(&format!("machine exec host {quoted}")).ok();
        said.trim_end().to_owned()
    }

    /// The same with a line that is to fail so; comes back with what it says.
    #[track_caller]
    fn fails(&self, line: &str, status: i32) -> String {
        let quoted = shlex::try_quote(line).unwrap();
        self.lab
            .run(&format!("machine exec host {quoted}"))
            .fails(status)
    }

    /// Waits in the machine until a line succeeds.
    #[track_caller]
    fn until(&self, line: &str) {
        let quoted = shlex::try_quote(line).unwrap();
        let wait = format!("timeout 120 sh -c 'until sh -c \"$1\"; do sleep 0.2; done' - {quoted}");
        let quoted = shlex::try_quote(&wait).unwrap();
        let done = self.lab.run(&format!("machine exec host {quoted}"));
        if !done.status.success() {
            panic!(
                "not in time: {line}\n{done}\n{}",
                self.sh("journalctl -u sistemo -n 40 --no-pager")
            );
        }
    }

    /// Checks that a line's output has `text` in it.
    #[track_caller]
    fn sees(&self, line: &str, text: &str) {
        let said = self.sh(line);
        let journal = || self.sh("journalctl -u sistemo -n 40 --no-pager");
        assert!(said.contains(text), "{line}: {said}\n{}", journal());
    }

    #[track_caller]
    fn put(&self, path: &str, bytes: Vec<u8>, mode: u32) {
        let line = format!("machine exec host 'cat > {path} && chmod {mode:o} {path}'");
        self.lab.feed(&line, bytes).ok();
    }

    #[track_caller]
    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.sh("sistemo service status -o json")).unwrap()
    }

    #[track_caller]
    fn pid(&self) -> i64 {
        let status = self.status();
        status["pid"].as_i64().unwrap_or_else(|| panic!("{status}"))
    }

    /// Gives the machine this computer's nft with all that it needs, and modules for it.
    fn bring_nft(&self) {
        let nft = "/usr/sbin/nft";
        let needs = Command::new("ldd").arg(nft).output().unwrap();
        let needs = String::from_utf8(needs.stdout).unwrap();
        let paths = needs
            .split_whitespace()
            .filter(|word| word.starts_with('/'));
        let packed = Command::new("tar")
            .args(["-C", "/", "-ch", "--transform", "s,.*/,,", "-P", nft])
            .args(paths)
            .output()
            .unwrap();
        assert!(packed.status.success());
        self.lab
            .feed(
                "machine exec host 'mkdir /opt/nft && tar -x -C /opt/nft'",
                packed.stdout,
            )
            .ok();
        let wrapper = "#!/bin/sh\nexec /opt/nft/ld-linux-x86-64.so.2 --library-path /opt/nft /opt/nft/nft \"$@\"\n";
        self.put("/usr/local/sbin/nft", wrapper.into(), 0o755);
    }

    /// Writes a machine into the store that runs, as far as anybody knows.
    fn pretend_a_machine(&self) {
        self.sh("systemd-run --quiet --unit=stand-in sleep infinity");
        let pid = self.sh("systemctl show --property=MainPID --value stand-in");
        let started = self.sh(&format!("cut -d' ' -f22 /proc/{pid}/stat"));
        let boot = self.sh("cat /proc/sys/kernel/random/boot_id");
        let mut other = Lab::bare();
        // This machine's own network has the usual addresses.
        other.set("SISTEMO_BRIDGE_SUBNET", "10.77.0.0/16");
        other.run("network list").ok();
        other.store(&format!(
            "INSERT INTO machines (id, name, status, spec, network, ip, pid, pid_started, boot_id, created_at) \
             VALUES ('{ID}', 'web', 'running', '{{\"vcpus\":1,\"memory\":134217728,\"command\":null}}', 'default', \
             '10.77.0.2', {pid}, {started}, '{boot}', '2026-01-01T00:00:00.000Z')"
        ));
        other.store(&format!(
            "INSERT INTO addresses VALUES ('default', '10.77.0.2', '{ID}')"
        ));
        let database = std::fs::read(other.data_dir().join("sistemo.db")).unwrap();
        self.sh("mkdir -p -m 700 /var/lib/sistemo");
        self.put("/var/lib/sistemo/sistemo.db", database, 0o600);
    }
}

#[test]
fn systemd_runs_the_daemon_and_machines_outlive_it() {
    let host = Host::new();
    host.sees("sistemo service status", "not installed");
    assert_eq!(
        host.sh("sistemo service remove"),
        "the service is not installed"
    );

    // A daemon that somebody started by hand is that one's to end.
    host.sh("sistemo up --detach");
    let said = host.fails("sistemo service install", 4);
    assert!(said.contains("started by hand"), "{said}");
    assert!(said.contains("hint: end it first, machines go on running: sistemo down"));
    host.sh("sistemo down");
    assert!(!host.sh("ls /etc/systemd/system").contains("sistemo"));

    // One that does not come up is taken out again.
    host.sh("mkdir /etc/systemd/system/sistemo.service.d");
    let dropin = "/etc/systemd/system/sistemo.service.d/try.conf";
    host.put(
        dropin,
        "[Service]\nExecStartPre=false\nRestart=no\n".into(),
        0o644,
    );
    let said = host.fails("sistemo service install", 1);
    assert!(said.contains("the service did not start"), "{said}");
    assert_eq!(host.status()["installed"], false);
    host.fails(
        "ls /etc/systemd/system/sistemo.service /etc/systemd/system/*/sistemo.service",
        2,
    );
    host.sh(&format!("rm {dropin}"));

    host.bring_nft();
    host.pretend_a_machine();
    let shown = host.sh(
        "SISTEMO_STOP_TIMEOUT=7 SISTEMO_BRIDGE_SUBNET=10.77.0.0/16 sistemo service install -o json",
    );
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["active"], true, "{shown}");
    assert_eq!(shown["enabled"], true, "{shown}");
    assert_eq!(shown["data_dir"], "/var/lib/sistemo");
    assert!(shown["since"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert_eq!(host.sh("systemctl is-active sistemo"), "active");
    assert_eq!(host.sh("systemctl is-enabled sistemo"), "enabled");
    let pid = host.pid();

    // The settings went along, and nobody else reads them.
    assert_eq!(host.sh("stat -c %a /etc/sistemo/service.env"), "600");
    let environment = host.sh(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
    assert!(
        environment.contains("SISTEMO_STOP_TIMEOUT=7"),
        "{environment}"
    );

    // It has little power, and the mounts that everybody has.
    let proc_status = host.sh(&format!("cat /proc/{pid}/status"));
    assert!(proc_status.contains("NoNewPrivs:\t1"), "{proc_status}");
    assert!(proc_status.contains("Seccomp:\t2"), "{proc_status}");
    host.sh(&format!(
        "test $(readlink /proc/{pid}/ns/mnt) = $(readlink /proc/1/ns/mnt)"
    ));
    // So what it made of the machine's network is everybody's.
    host.sees("ip netns", "sistemo-5e5e5e5e");
    host.sees("nft list ruleset", "veth-5e5e5e5e");
    host.sh("ip -n sistemo-5e5e5e5e link show tap0");

    // The journal knows what is worth how much.
    let lines = host.sh("journalctl -u sistemo -o json --no-pager");
    let line = lines
        .lines()
        .find(|line| line.contains("watching over machines machines=1"));
    let line: serde_json::Value = serde_json::from_str(line.expect(&lines)).unwrap();
    assert_eq!(line["PRIORITY"], "6", "{line}");
    assert_eq!(line["SYSLOG_IDENTIFIER"], "sistemo", "{line}");
    let message = line["MESSAGE"].as_str().unwrap();
    assert_eq!(message, "watching over machines machines=1");

    // Reload: right settings, then wrong ones, which change nothing.
    host.sh("echo 'stop_timeut = 9' > /var/lib/sistemo/config.toml && systemctl reload sistemo");
    host.until(
        "journalctl -u sistemo -p err -o cat --no-pager | grep -q 'did you mean stop_timeout'",
    );
    host.sh("printf 'ssh_timeout = 9\\nbridge_subnet = \"10.77.0.0/16\"\\n' > /var/lib/sistemo/config.toml && systemctl reload sistemo");
    host.until(
        "journalctl -u sistemo -o cat --no-pager | grep -q 'ssh_timeout was 180 and is 9 now'",
    );
    assert_eq!(host.pid(), pid);
    let systemd = host.sh("systemctl show --property=ActiveState,StatusText sistemo");
    assert!(systemd.contains("ActiveState=active"), "{systemd}");
    assert!(
        systemd.contains("StatusText=watching over 1 machine"),
        "{systemd}"
    );

    // Killed, it comes again; the process that serves names, which it started, stays.
    let attendant = host.sh("cat /var/lib/sistemo/locks/attend");
    host.sh(&format!("kill -9 {pid}"));
    let back = "[ \"$(systemctl show --property=MainPID --value sistemo)\" != WAS ] && systemctl is-active -q sistemo";
    host.until(&back.replace("WAS", &pid.to_string()));
    host.sh(&format!("kill -0 {attendant}"));
    assert_eq!(host.status()["restarts"], 1);

    // Stuck, it is ended and comes again.
    host.put(dropin, "[Service]\nWatchdogSec=6\n".into(), 0o644);
    host.sh("systemctl daemon-reload && systemctl restart sistemo");
    let pid = host.pid();
    host.sh(&format!("kill -STOP {pid}"));
    host.until(&back.replace("WAS", &pid.to_string()));
    host.until("journalctl -u sistemo --no-pager | grep -q 'Watchdog timeout'");
    host.sh(&format!("rm {dropin}"));

    // Stopped, it leaves everything as it is.
    host.sh("systemctl stop sistemo");
    host.sh(&format!("kill -0 {attendant}"));
    host.sees("ip netns", "sistemo-5e5e5e5e");
    assert_eq!(host.status()["active"], false);
    host.sh("systemctl start sistemo");

    // Brought up to date to what does not come up, it goes on as it was.
    let grep = "grep -q SISTEMO_STOP_TIMEOUT=.8 /etc/sistemo/service.env";
    let refuse = format!("[Service]\nExecStartPre=sh -c '! {grep}'\nRestart=no\n");
    host.put(dropin, refuse.into(), 0o644);
    let said = host.fails("SISTEMO_STOP_TIMEOUT=8 sistemo service install", 1);
    assert!(said.contains("the service did not start"), "{said}");
    assert_eq!(host.status()["active"], true);
    assert_eq!(host.status()["enabled"], true);
    let environment = host.sh(&format!("tr '\\0' '\\n' < /proc/{}/environ", host.pid()));
    assert!(
        environment.contains("SISTEMO_STOP_TIMEOUT=7"),
        "{environment}"
    );
    host.sh(&format!("rm {dropin}"));

    // Another data directory is refused; the same again is brought up to date.
    let said = host.fails("sistemo --data-dir /srv/other service install", 4);
    assert!(
        said.contains("for the data directory /var/lib/sistemo"),
        "{said}"
    );
    host.sh("sistemo service install");
    host.fails("test -e /etc/sistemo/service.env", 1);

    // The machine crashes: that is said, and its network goes, for everybody.
    host.sh("systemctl kill --signal=KILL stand-in");
    host.until("! ip netns | grep -q sistemo-5e5e5e5e");
    assert!(
        host.sh("sistemo machine status web -o json")
            .contains("\"failed\"")
    );
    host.until("! nft list ruleset | grep -q veth-5e5e5e5e");

    let pid = host.pid();
    let said = host.sh("sistemo service remove");
    assert_eq!(said, "the service is out; machines go on running");
    host.fails(&format!("kill -0 {pid}"), 1);
    assert_eq!(host.status()["installed"], false);
    host.fails("systemctl cat sistemo", 1);
    let history = host.sh("sistemo history");
    assert!(
        history.contains("service install") && history.contains("service remove"),
        "{history}"
    );
}
