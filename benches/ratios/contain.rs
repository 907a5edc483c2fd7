//! What containment costs: the launch of one hypervisor, from nothing to running processors, with it and without.

use std::path::Path;
use std::time::Duration;

use sistemo::guest::kernel::Kernels;
use sistemo::value::{ByteSize, MachineId};
use sistemo::vmm::contain::{Owner, release};
use sistemo::vmm::qemu::Qemu;
use sistemo::vmm::{Accelerator, Disk, HugePages, LaunchSpec, Vmm};

use crate::Outcome;
use crate::lab::Lab;
use crate::measure::alternate;
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 25;
/// What it may add to a launch, in milliseconds.
const MOST: f64 = 15.0;

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let kernel = Kernels::new(&lab.data()).current();
    let kernel = kernel.ok_or("no kernel is installed")?.bzimage();
    let folder = lab.scratch().join("contained");
    std::fs::create_dir(&folder)?;
    // The processors are stopped before they come far.
    std::fs::write(folder.join("initramfs"), "")?;
    std::fs::File::create(folder.join("disk"))?.set_len(64 << 20)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let launch = |owner: Option<Owner>| runtime.block_on(launched(&kernel, &folder, owner));
    let owner = Owner::new(Owner::FIRST);
    let (contained, free) = alternate(ROUNDS, |_| launch(Some(owner)), |_| launch(None))?;
    Ok(vec![Line {
        name: "launch, contained".into(),
        unit: Unit::Milliseconds,
        ours: contained,
        plain: Some(("not contained".into(), free)),
        bound: Bound::TimesPlus(1.0, MOST),
    }])
}

async fn launched(kernel: &Path, folder: &Path, owner: Option<Owner>) -> Outcome<Duration> {
    let machine = MachineId::new().to_string();
    let spec = LaunchSpec {
        machine: machine.clone(),
        kernel: kernel.into(),
        initramfs: folder.join("initramfs"),
        command_line: "console=ttyS0".into(),
        disks: vec![Disk {
            path: folder.join("disk"),
            read_only: false,
            serial: "root".into(),
        }],
        taps: Vec::new(),
        namespace: None,
        vcpus: 1,
        restore: None,
        huge_pages: HugePages::None,
        iops: None,
        memory: ByteSize::mib(192),
        console: folder.join("console.log"),
        run_dir: folder.join("run"),
        accelerator: Accelerator::Tcg,
        owner,
    };
    let qemu = Qemu::find()?;
    let began = std::time::Instant::now();
    let process = qemu.launch(&spec, &|_| Ok(())).await?;
    let took = began.elapsed();
    process.kill().await?;
    release(&machine, folder, &[])?;
    Ok(took)
}
