//! From the launch of Firecracker until it has started its guest, beside the same calls by `curl` in one script. Both
//! speak to the stand-in of the driver's tests, since what is measured is the driver and not Firecracker: this program
//! again, begun by a script.

#[path = "../../src/vmm/firecracker/tests/server.rs"]
mod server;
#[path = "../../src/vmm/firecracker/tests/table.rs"]
mod table;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sistemo::value::ByteSize;
use sistemo::vmm::firecracker::Firecracker;
use sistemo::vmm::{
    Accelerator, Disk, HugePages, Hypervisor, LaunchSpec, Process, Tap, Vmm, command_line,
};

use crate::Outcome;
use crate::lab::{Lab, run};
use crate::measure::alternate;
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 15;
/// Tells this program that it is to stand in, and where.
const STAND_IN: &str = "SISTEMO_BENCH_STAND_IN";

/// Stands in for Firecracker if that is what this process is for; then it does not come back.
pub(crate) fn stand_in() {
    if let Some(dir) = std::env::var_os(STAND_IN) {
        let arguments: Vec<String> = std::env::args().collect();
        server::run(&arguments, Path::new(&dir), table::check);
    }
}

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let bench = Bench::new(lab)?;
    // The first tells which calls there are.
    bench.ours()?;
    let script = bench.script()?;
    let (ours, plain) = alternate(ROUNDS, |_| bench.ours(), |_| bench.plain(&script))?;
    Ok(vec![Line {
        name: "Firecracker, launch to started".into(),
        unit: Unit::Milliseconds,
        ours,
        plain: Some(("curl in a script".into(), plain)),
        bound: Bound::Times(0.5),
    }])
}

struct Bench {
    dir: PathBuf,
    program: PathBuf,
    spec: LaunchSpec,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(lab: &Lab) -> Outcome<Bench> {
        let dir = lab.scratch().join("firecracker");
        fs::create_dir_all(&dir)?;
        let program = dir.join("firecracker");
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Firecracker v1.17.0'; exit; fi\n\
             {STAND_IN}='{}' exec '{}' \"$@\"\n",
            dir.display(),
            std::env::current_exe()?.display(),
        );
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let disks: Vec<Disk> = (["root", "modules"].into_iter())
            .map(|name| Disk {
                path: dir.join(name),
                read_only: name == "modules",
                serial: name.into(),
            })
            .collect();
        for disk in &disks {
            fs::write(&disk.path, "")?;
        }
        let accelerator = Accelerator::Kvm;
        let spec = LaunchSpec {
            machine: "7b2e7c0e-1111-4222-8333-444455556666".into(),
            kernel: dir.join("vmlinux"),
            initramfs: dir.join("initramfs"),
            command_line: command_line::command_line(Hypervisor::Firecracker, accelerator, None),
            disks,
            taps: vec![Tap {
                name: "tap0".into(),
                mac: "02:00:0a:c8:00:02".into(),
                mtu: Some(1500),
            }],
            namespace: None,
            vcpus: 2,
            restore: None,
            owner: None,
            iops: None,
            memory: ByteSize::mib(512),
            huge_pages: HugePages::None,
            console: dir.join("console.log"),
            run_dir: dir.join("run"),
            accelerator,
        };
        Ok(Bench {
            dir,
            program,
            spec,
            runtime: tokio::runtime::Runtime::new()?,
        })
    }

    /// Once by our driver, whose version of Firecracker is asked each time.
    fn ours(&self) -> Outcome<Duration> {
        let _ = fs::remove_file(self.dir.join("calls"));
        self.runtime.block_on(async {
            let driver = Firecracker::new(&self.program);
            let began = Instant::now();
            let process = driver.launch(&self.spec, &|_| Ok(())).await?;
            let took = began.elapsed();
            process.kill().await?;
            Ok(took)
        })
    }

    /// The script: what prepares, what starts, and a `curl` for each call.
    fn script(&self) -> Outcome<PathBuf> {
        let calls = fs::read_to_string(self.dir.join("calls"))?;
        let mut script = format!(
            "set -e\ncd '{}'\nmkdir -p plain\nrm -f plain/*\n: > plain/log\n\
             mkfifo run/firecracker.metrics 2>/dev/null || :\n\
             ./firecracker --id plain --api-sock plain/sock --log-path plain/log --level Info \
             > plain/console 2> plain/err < /dev/null &\necho $! > plain/pid\n\
             until [ -S plain/sock ]; do :; done\n",
            self.dir.display()
        );
        for call in calls.lines() {
            let mut parts = call.splitn(3, ' ');
            let (Some(method), Some(path), Some(body)) = (parts.next(), parts.next(), parts.next())
            else {
                return Err(format!("a call is not understood: {call}").into());
            };
            writeln!(
                script,
                "curl -sf --retry-connrefused --retry 3 --unix-socket plain/sock -X {method} \
                 -H 'Content-Type: application/json' -d '{body}' http://localhost{path}"
            )?;
        }
        let path = self.dir.join("plain.sh");
        fs::write(&path, script)?;
        Ok(path)
    }

    fn plain(&self, script: &Path) -> Outcome<Duration> {
        let began = Instant::now();
        run(Command::new("sh").arg(script))?;
        let took = began.elapsed();
        let pid = fs::read_to_string(self.dir.join("plain/pid"))?;
        let process = Process::with_pid(pid.trim().parse()?)?;
        self.runtime.block_on(process.kill())?;
        Ok(took)
    }
}
