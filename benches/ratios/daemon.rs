//! The daemon: how long a walk takes, how soon a crash is known, and what it costs while nothing happens.
//!
//! A thousand hypervisors want a larger computer than this. Each machine's is a process that sleeps, which is all that a
//! daemon sees of one. Its namespace, links and firewall elements are real for a hundred, and the daemon makes them when
//! it comes up; of a thousand only the elements are there, which is all that a walk looks at.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::{Connection, params};
use sistemo::network::{Home, mac_for, namespace_name, plan_machine, plan_network};
use sistemo::store::Store;
use sistemo::value::MachineId;
use sistemo::vmm::Process;

use crate::Outcome;
use crate::lab::{Lab, enter, run};
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

const WALKS: usize = 9;
const CRASHES: usize = 15;
/// How long the daemon is watched doing nothing: three walks at their usual interval.
const IDLE: Duration = Duration::from_secs(91);
/// The address of the first machine.
const FIRST: u32 = u32::from_be_bytes([10, 200, 1, 1]);
/// How long the daemon may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a look at a thousand machines takes.
pub(crate) fn walk(lab: &Lab) -> Outcome<Vec<Line>> {
    let fleet = Fleet::new(lab, 1000)?;
    fleet.add_rules()?;
    let daemon = fleet.daemon("1")?;
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < WALKS {
        patience(began, "no walks in the daemon's log")?;
        let log = fs::read_to_string(fleet.data.join("daemon.log"))?;
        times = log.lines().filter_map(walked).collect();
    }
    drop(daemon);
    Ok(vec![Line {
        name: "supervisor walk: 1,000 machines (sleeping stand-ins, real firewall elements)".into(),
        unit: Unit::Milliseconds,
        ours: Samples::new(times)?,
        plain: None,
        bound: Bound::AtMost(250.0),
    }])
}

/// The time in a line such as `… walked machines=1000 took_ms=81.2`.
fn walked(line: &str) -> Option<f64> {
    let rest = line.split("walked machines=1000 took_ms=").nth(1)?;
    rest.trim().parse().ok()
}

/// What it costs, and how soon it knows of a crash.
pub(crate) fn rest(lab: &Lab) -> Outcome<Vec<Line>> {
    let fleet = Fleet::new(lab, 100)?;
    let daemon = fleet.daemon("30")?;
    let before = cpu_seconds(daemon.pid)?;
    let began = Instant::now();
    std::thread::sleep(IDLE);
    let spent = cpu_seconds(daemon.pid)? - before;
    let share = 100.0 * spent / began.elapsed().as_secs_f64();
    let line = |name: &str, unit, ours, most| Line {
        name: format!("daemon, 100 machines (sleeping stand-ins): {name}"),
        unit,
        ours,
        plain: None,
        bound: Bound::AtMost(most),
    };
    let resident = resident_mib(daemon.pid)?;
    let helpers = fleet.processes()? - 1;
    let mut lines = vec![
        line(
            "CPU when idle",
            Unit::Percent,
            Samples::new(vec![share])?,
            0.1,
        ),
        line(
            "resident",
            Unit::Mebibytes,
            Samples::new(vec![resident])?,
            30.0,
        ),
        line(
            "other processes of ours (the attendant)",
            Unit::Count,
            Samples::new(vec![helpers as f64])?,
            1.0,
        ),
    ];
    let database = Connection::open(fleet.data.join("sistemo.db"))?;
    let mut times = Vec::new();
    for machine in fleet.machines.iter().take(CRASHES) {
        times.push(crash(&database, machine)?);
        // So that each is noticed while nothing else happens.
        let gone = || row(&database, machine, "pid IS NULL");
        let began = Instant::now();
        while !gone()? {
            patience(began, "a machine that crashed was not cleaned up")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let name = "crash noticed, until it is `failed` in the store";
    lines.push(line(
        name,
        Unit::Milliseconds,
        Samples::times(&times)?,
        50.0,
    ));
    Ok(lines)
}

/// Ends a hypervisor and waits until the store says so.
fn crash(database: &Connection, machine: &StandIn) -> Outcome<Duration> {
    let began = Instant::now();
    kill(
        Pid::from_raw(machine.child.id().cast_signed()),
        Signal::SIGKILL,
    )?;
    while !row(database, machine, "status = 'failed'")? {
        patience(began, "a crash was not noticed")?;
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(began.elapsed())
}

fn row(database: &Connection, machine: &StandIn, is: &str) -> Outcome<bool> {
    let query = format!("SELECT {is} FROM machines WHERE id = ?1");
    let mut query = database.prepare_cached(&query)?;
    Ok(query.query_row([machine.id.to_string()], |row| row.get(0))?)
}

fn patience(began: Instant, what: &str) -> Outcome<()> {
    match began.elapsed() < PATIENCE {
        true => Ok(()),
        false => Err(what.into()),
    }
}

/// A data directory whose machines seem to run.
pub(crate) struct Fleet<'a> {
    lab: &'a Lab,
    data: PathBuf,
    machines: Vec<StandIn>,
}

/// A process that is taken for a machine's hypervisor.
struct StandIn {
    id: MachineId,
    ip: Ipv4Addr,
    child: Child,
}

/// A daemon that is up.
struct Daemon<'a> {
    fleet: &'a Fleet<'a>,
    pid: u32,
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(lab: &'a Lab, size: usize) -> Outcome<Fleet<'a>> {
        let data = lab.scratch().join(format!("fleet-{size}"));
        // Which makes the database and the default network.
        run(lab.sistemo_in(&data).args(["network", "list"]))?;
        let mut fleet = Fleet {
            lab,
            data,
            machines: Vec::new(),
        };
        let mut database = Connection::open(fleet.data.join("sistemo.db"))?;
        let rows = database.transaction()?;
        for number in 0..size {
            let child = Command::new("sleep")
                .arg("infinity")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()?;
            let (id, process) = (MachineId::new(), Process::with_pid(child.id()));
            let ip = Ipv4Addr::from(FIRST + u32::try_from(number)?);
            fleet.machines.push(StandIn { id, ip, child });
            let (id, ip, process) = (id.to_string(), ip.to_string(), process?);
            rows.execute(
                "INSERT INTO machines (id, name, status, spec, network, ip, pid, pid_started, boot_id, created_at)
                 VALUES (?1, ?2, 'running', ?3, 'default', ?4, ?5, ?6, ?7, '2026-01-01T00:00:00.000Z')",
                params![
                    id,
                    format!("machine-{number}"),
                    r#"{"vcpus":2,"memory":536870912,"command":null}"#,
                    ip,
                    process.pid,
                    process.started.cast_signed(),
                    process.boot_id,
                ],
            )?;
            rows.execute(
                "INSERT INTO addresses VALUES ('default', ?1, ?2)",
                [&ip, &id],
            )?;
        }
        rows.commit()?;
        Ok(fleet)
    }

    /// Where it is.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Adds the firewall elements of all machines, as their start would have.
    fn add_rules(&self) -> Outcome<()> {
        let store = Store::open(&self.data.join("sistemo.db"))?;
        let row = store.ensure_network(&"default".parse()?, "10.200.0.0/16".parse()?)?;
        let network = plan_network(&row, 1500, None);
        let home = Home::open(&self.lab.namespace().display().to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(home.up(&network))?;
        let mut script = String::new();
        for StandIn { id, ip, .. } in &self.machines {
            let plan = plan_machine(id, &network, *ip, mac_for(*ip), Vec::new());
            let (port, mac) = (plan.port, plan.mac);
            writeln!(
                script,
                "add element bridge sistemo owners {{ {ip} : \"{port}\" }}"
            )?;
            writeln!(
                script,
                "add element bridge sistemo guests {{ \"{port}\" . {mac} . {ip} }}"
            )?;
            writeln!(script, "add element bridge sistemo ports {{ \"{port}\" }}")?;
        }
        let path = self.data.join("elements.nft");
        fs::write(&path, script)?;
        let mut nft = Command::new("nft");
        nft.arg("-f").arg(&path);
        enter(&mut nft, &self.lab.namespace())?;
        run(&mut nft).map(drop)
    }

    /// Has the daemon come up, which makes the machines' networks.
    fn daemon(&'a self, interval: &str) -> Outcome<Daemon<'a>> {
        let mut up = self.lab.sistemo_in(&self.data);
        up.args(["up", "--detach", "--log-level", "debug", "-o", "json"])
            .env("SISTEMO_RECONCILE_INTERVAL", interval);
        let output = run(&mut up)?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let pid = said["pid"].as_u64().ok_or("the daemon has no pid")?;
        Ok(Daemon {
            fleet: self,
            pid: u32::try_from(pid)?,
        })
    }

    /// Takes away what there is of the machines, whose processes have ended. Without rows nobody attends to them any more.
    fn clear(&self) -> Outcome<()> {
        let networks = Path::new("/run/netns");
        for machine in &self.machines {
            let name = namespace_name(&machine.id);
            if networks.join(&name).exists() {
                run(Command::new("ip").args(["netns", "del", &name]))?;
            }
        }
        let database = Connection::open(self.data.join("sistemo.db"))?;
        database.busy_timeout(Duration::from_secs(10))?;
        database.execute_batch("DELETE FROM addresses; DELETE FROM machines;")?;
        Ok(())
    }

    /// How many processes have this data directory on their command line.
    fn processes(&self) -> Outcome<usize> {
        let data = self.data.display().to_string();
        let mut count = 0;
        for entry in fs::read_dir("/proc")? {
            let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
            count += usize::from(String::from_utf8_lossy(&line).contains(&data));
        }
        Ok(count)
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let fleet = self.fleet;
        if let Err(error) = run(fleet.lab.sistemo_in(&fleet.data).arg("down")) {
            eprintln!("warning: {error}");
        }
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for machine in &mut self.machines {
            let _ = machine.child.kill();
            let _ = machine.child.wait();
        }
        if let Err(error) = self.clear() {
            eprintln!("warning: {error}");
        }
    }
}

/// Processor time of a process and of those it has waited for (proc_pid_stat(5), fields 14 to 17).
pub(crate) fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(')').ok_or("no such process")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // USER_HZ is 100 on every architecture that we build for.
    Ok(ticks as f64 / 100.0)
}

/// What a process has in memory.
pub(crate) fn resident_mib(pid: u32) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    Ok(kib.ok_or("no such process")?.parse::<f64>()? / 1024.0)
}
