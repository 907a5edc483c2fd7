//! The probe's virtual machine: one virtual CPU that begins in long mode, two megabytes of memory, no devices.
//!
//! Layout, all identity-mapped by one 2 MiB page (Intel SDM volume 3, chapters 3 to 6):
//!
//! ```text
//! 0x1000 PML4   0x2000 PDPT   0x3000 page directory   0x4000 second PML4
//! 0x5000 GDT    0x6000 IDT    0x8000 scratch          0x10000 code          0x20000 top of the stack
//! ```

use std::time::Duration;

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_regs, kvm_segment, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use nix::time::{ClockId, clock_gettime};

use super::code::{self, PORT_PASSED, PORT_WRONG, Part};
use super::memory::Memory;

const SIZE: usize = 2 << 20;
const PML4: u64 = 0x1000;
const PDPT: u64 = 0x2000;
const DIRECTORY: u64 = 0x3000;
const SECOND_PML4: u64 = 0x4000;
const GDT: u64 = 0x5000;
const TSS: u64 = 0x5800;
const IDT: u64 = 0x6000;
const SCRATCH: u64 = 0x8000;
const CODE: u64 = 0x10000;
const STACK: u64 = 0x20000;

const CODE_SELECTOR: u16 = 0x08;
const DATA_SELECTOR: u16 = 0x10;
const TSS_SELECTOR: u16 = 0x18;

/// How the guest code ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// Every part was passed; the processor time that the counting loop took.
    Passed { counting: Duration },
    /// The part after the last one passed gave a wrong result or an exception, or KVM could not go on.
    Failed { how: String },
    /// The watchdog interrupted it.
    Interrupted,
}

/// A virtual machine that is ready to run the probe's code.
pub(super) struct Machine {
    vcpu: VcpuFd,
    _vm: VmFd,
    // Last, so that it is unmapped after the machine that uses it is closed.
    _memory: Memory,
}

/// A step of making the machine that KVM refused.
pub(super) type Refused = (&'static str, std::io::Error);

impl Machine {
    /// Makes the machine, or says which step KVM refused. It will run those of `parts` that the processor has, and
    /// `rounds` of the counting loop.
    pub(super) fn new(parts: &[Part], rounds: u64) -> Result<Self, Refused> {
        let step = |what| move |e: kvm_ioctls::Error| (what, std::io::Error::from(e));
        let kvm = Kvm::new().map_err(step("opening /dev/kvm"))?;
        let vm = kvm
            .create_vm()
            .map_err(step("creating a virtual machine"))?;
        // Intel processors without "unrestricted guest" need it; others ignore it.
        let _ = vm.set_tss_address(0xfffb_d000);
        let mut memory = Memory::new(SIZE).map_err(|e| ("reserving memory", e))?;
        fill(&mut memory);
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: SIZE as u64,
            userspace_addr: memory.address(),
        };
        // SAFETY: the region is this value's own mapping, which outlives the machine (see the order of the fields).
        unsafe { vm.set_user_memory_region(region) }.map_err(step("giving it memory"))?;
        let vcpu = vm.create_vcpu(0).map_err(step("creating a virtual CPU"))?;
        let cpuid = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(step("asking what the virtual CPU can do"))?;
        vcpu.set_cpuid2(&cpuid)
            .map_err(step("describing the virtual CPU"))?;
        // CPUID leaf 1, ECX: bit 13 cmpxchg16b, bit 26 xsave.
        let ecx = (cpuid.as_slice().iter())
            .find(|e| e.function == 1)
            .map_or(0, |e| e.ecx);
        let has = |part: &Part| match part {
            Part::Cmpxchg16b => ecx & 1 << 13 != 0,
            Part::Xsave => ecx & 1 << 26 != 0,
            _ => true,
        };
        let parts = (parts.iter().filter(|part| has(part))).fold(0, |set, part| set | part.bit());
        set_registers(&vcpu, parts, rounds).map_err(step("setting the virtual CPU's registers"))?;
        Ok(Machine {
            vcpu,
            _vm: vm,
            _memory: memory,
        })
    }

    /// The virtual CPU, for the watchdog's signal mask.
    pub(super) fn vcpu(&self) -> &VcpuFd {
        &self.vcpu
    }

    /// Runs the guest code on this thread; `passed` is told of each part.
    pub(super) fn run(&mut self, passed: impl Fn(Part)) -> Ending {
        let failed = |how: String| Ending::Failed { how };
        let mut begun = processor_time();
        loop {
            match self.vcpu.run() {
                Ok(VcpuExit::IoOut(PORT_PASSED, data)) => {
                    let number = data.first().copied().unwrap_or_default();
                    let Some(part) = Part::ALL.into_iter().find(|p| *p as u8 == number) else {
                        return failed(format!("it reported a part {number} that does not exist"));
                    };
                    passed(part);
                    let now = processor_time();
                    if part == Part::Loop {
                        return Ending::Passed {
                            counting: now.saturating_sub(begun),
                        };
                    }
                    begun = now;
                }
                Ok(VcpuExit::IoOut(PORT_WRONG, [0xff])) => {
                    return failed("an unexpected exception".into());
                }
                Ok(VcpuExit::IoOut(PORT_WRONG, _)) => return failed("a wrong result".into()),
                Ok(VcpuExit::InternalError) => return failed("KVM could not emulate it".into()),
                Ok(VcpuExit::Shutdown) => return failed("a triple fault".into()),
                Ok(VcpuExit::Intr) => return Ending::Interrupted,
                Ok(exit) => return failed(format!("an unexpected exit ({exit:?})")),
                Err(e) if e.errno() == nix::libc::EINTR => return Ending::Interrupted,
                Err(e) => return failed(format!("KVM_RUN failed: {e}")),
            }
        }
    }
}

/// Processor time of the calling thread, guest time included; unlike the clock on the wall it is fair on a busy host.
pub(super) fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Writes page tables, descriptor tables and code.
fn fill(memory: &mut Memory) {
    const PRESENT_WRITABLE: u64 = 0b11;
    const LARGE: u64 = 1 << 7;
    for root in [PML4, SECOND_PML4] {
        memory.write_u64(root, PDPT | PRESENT_WRITABLE);
    }
    memory.write_u64(PDPT, DIRECTORY | PRESENT_WRITABLE);
    memory.write_u64(DIRECTORY, PRESENT_WRITABLE | LARGE);
    memory.write_u64(GDT + u64::from(CODE_SELECTOR), 0x00af_9b00_0000_ffff);
    memory.write_u64(GDT + u64::from(DATA_SELECTOR), 0x00cf_9300_0000_ffff);
    let code = code::code();
    memory.write(CODE, code.bytes);
    for vector in 0..32 {
        let handler = CODE
            + match vector {
                3 => code.int3,
                6 => code.ud2,
                _ => code.unexpected,
            };
        // A 64-bit interrupt gate, present, privilege level 0 (SDM 3A figure 6-8).
        let low = (handler & 0xffff)
            | u64::from(CODE_SELECTOR) << 16
            | 0x8e00 << 32
            | (handler >> 16 & 0xffff) << 48;
        memory.write_u64(IDT + vector * 16, low);
        memory.write_u64(IDT + vector * 16 + 8, handler >> 32);
    }
}

/// Long mode, privilege level 0, at the first instruction of the code.
fn set_registers(vcpu: &VcpuFd, parts: u64, rounds: u64) -> Result<(), kvm_ioctls::Error> {
    let mut special = vcpu.get_sregs()?;
    let data = kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        selector: DATA_SELECTOR,
        type_: 3,
        present: 1,
        dpl: 0,
        db: 1,
        s: 1,
        l: 0,
        g: 1,
        ..kvm_segment::default()
    };
    special.cs = kvm_segment {
        selector: CODE_SELECTOR,
        type_: 11,
        db: 0,
        l: 1,
        ..data
    };
    (special.ds, special.es, special.ss) = (data, data, data);
    (special.fs, special.gs) = (data, data);
    special.tr = kvm_segment {
        base: TSS,
        limit: 0x67,
        selector: TSS_SELECTOR,
        type_: 11, // busy 64-bit TSS, which entry to long mode demands
        present: 1,
        ..kvm_segment::default()
    };
    (special.gdt.base, special.gdt.limit) = (GDT, 0x17);
    (special.idt.base, special.idt.limit) = (IDT, 32 * 16 - 1);
    special.cr3 = PML4;
    special.cr0 = 0x8001_0033; // PG WP NE ET MP PE
    special.cr4 = 0x620; // OSXMMEXCPT OSFXSR PAE
    if parts & Part::Xsave.bit() != 0 {
        special.cr4 |= 1 << 18; // OSXSAVE
    }
    special.efer = 0x500; // LMA LME
    vcpu.set_sregs(&special)?;
    vcpu.set_regs(&kvm_regs {
        rip: CODE,
        rsp: STACK,
        rflags: 2,
        rdi: SCRATCH,
        rsi: rounds,
        rdx: parts,
        rcx: SECOND_PML4,
        ..kvm_regs::default()
    })
}
