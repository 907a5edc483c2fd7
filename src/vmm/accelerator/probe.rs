//! The probe itself: one virtual processor, 2 MiB of memory, one run.
//!
//! The guest begins in 64-bit mode with an identity map of 2 MiB, a descriptor table for the breakpoint's gate, and
//! runs [`CODE`]: a 16-byte compare-and-exchange, a save and restore of the extended state, a breakpoint through a
//! gate, reloads of the page tables, and the counting loop; then it halts.

use std::sync::mpsc;
use std::time::Instant;

use kvm_bindings::{
    KVM_MAX_CPUID_ENTRIES, kvm_regs, kvm_segment, kvm_sregs, kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::LIMIT;

/// Iterations of the counting loop: about two milliseconds on an ordinary processor.
const COUNT: u64 = 4_000_000;
/// How many times as long the guest may take as the host. Ordinary nested virtualisation stays under two; what this
/// is to catch is hundreds.
const SLOWER: u32 = 10;
/// Added to what the guest may take: the exits and first page faults of a busy host, in microseconds.
const SLACK_US: u128 = 100_000;

const MEMORY: usize = 2 << 20;
const CODE_AT: u64 = 0x1000;
const PML4_AT: u64 = 0x2000;
const PDPT_AT: u64 = 0x3000;
const PD_AT: u64 = 0x4000;
const GDT_AT: u64 = 0x5000;
const IDT_AT: u64 = 0x6000;
const DATA_AT: u64 = 0x8000;
const STACK_AT: u64 = 0x1_0000;

// The guest's code; it is copied, so it refers to nothing outside itself but the fixed addresses above.
// In: rdi = DATA_AT, rcx = COUNT. Out: rbx = breakpoints taken, rax = result of the loop.
std::arch::global_asm!(
    ".pushsection .rodata",
    ".balign 16",
    ".globl sistemo_probe_code",
    "sistemo_probe_code:",
    "mov r8, rcx",
    // lock cmpxchg16b on zeroed memory: succeeds and stores rcx:rbx = 2:1.
    "xor eax, eax",
    "xor edx, edx",
    "mov ebx, 1",
    "mov ecx, 2",
    "lock cmpxchg16b [rdi]",
    "jnz 9f",
    // The x87 and SSE parts of the extended state, out and in again.
    "mov eax, 3",
    "xor edx, edx",
    "xsave [rdi + 0x1000]",
    "xrstor [rdi + 0x1000]",
    // A breakpoint, as the kernel patches them into itself.
    "xor ebx, ebx",
    "int3",
    "cmp rbx, 1",
    "jne 9f",
    // New page tables a few times, as at every switch of a process.
    "mov r9d, 16",
    "2: mov rax, cr3",
    "mov cr3, rax",
    "invlpg [rdi]",
    "dec r9d",
    "jnz 2b",
    // The counting loop.
    "mov rcx, r8",
    "xor eax, eax",
    "3: add rax, rcx",
    "mov [rdi + 64], rax",
    "dec rcx",
    "jnz 3b",
    "hlt",
    // Something came out wrong.
    "9: xor ebx, ebx",
    "hlt",
    ".globl sistemo_probe_handler",
    "sistemo_probe_handler:",
    "inc rbx",
    "iretq",
    ".globl sistemo_probe_end",
    "sistemo_probe_end:",
    ".popsection",
);

unsafe extern "C" {
    static sistemo_probe_code: u8;
    static sistemo_probe_handler: u8;
    static sistemo_probe_end: u8;
}

/// How long the same work took.
pub(super) struct Times {
    pub(super) guest_us: u128,
    pub(super) native_us: u128,
}

/// Runs the probe; the error says what is wrong with KVM here, as the end of a sentence.
pub(super) fn run() -> Result<Times, String> {
    if let Err(error) = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
    {
        return Err(format!("/dev/kvm does not open: {error}"));
    }
    let native_us = native();
    let (answer, answered) = mpsc::channel();
    let (thread, started) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = thread.send(pthread_self());
        let _ = answer.send(guest());
    });
    let thread = started
        .recv()
        .map_err(|_| "the probe did not start".to_string())?;
    match answered.recv_timeout(LIMIT) {
        Ok(Ok(guest_us)) if guest_us > native_us * u128::from(SLOWER) + SLACK_US => Err(format!(
            "KVM emulates the guest: {guest_us} µs for what takes {native_us} µs natively"
        )),
        Ok(Ok(guest_us)) => Ok(Times {
            guest_us,
            native_us,
        }),
        Ok(Err(why)) => Err(why),
        Err(_) => {
            interrupt(thread);
            Err(format!(
                "KVM did not finish within {} ms what takes {native_us} µs natively",
                LIMIT.as_millis()
            ))
        }
    }
}

/// The counting loop on the host, in microseconds: the best of three, lest a busy host be taken for a slow one.
fn native() -> u128 {
    let once = || {
        let (mut sum, mut left, mut memory) = (0u64, COUNT, 0u64);
        let begun = Instant::now();
        // SAFETY: the loop writes to `memory` alone.
        unsafe {
            std::arch::asm!(
                "2: add {sum}, {left}",
                "mov [{memory}], {sum}",
                "dec {left}",
                "jnz 2b",
                sum = inout(reg) sum,
                left = inout(reg) left,
                memory = in(reg) &raw mut memory,
            );
        }
        std::hint::black_box((sum, left, memory));
        begun.elapsed().as_micros()
    };
    (0..3).map(|_| once()).min().unwrap_or_default().max(1)
}

/// Gets a thread out of `KVM_RUN`: a signal with a handler that does nothing makes it come back.
fn interrupt(thread: Pthread) {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing, and nobody else in this program uses SIGUSR2.
    if unsafe { sigaction(Signal::SIGUSR2, &action) }.is_ok() {
        let _ = pthread_kill(thread, Signal::SIGUSR2);
    }
}

/// Runs the code in a virtual processor and gives its time in microseconds.
fn guest() -> Result<u128, String> {
    let failed =
        |what: &'static str| move |error: kvm_ioctls::Error| format!("KVM cannot {what}: {error}");
    let kvm = Kvm::new().map_err(failed("open"))?;
    let vm = kvm.create_vm().map_err(failed("make a machine"))?;
    let memory = Memory::new()?;
    memory.fill();
    memory.give(&vm)?;
    let vcpu = vm.create_vcpu(0).map_err(failed("make a processor"))?;
    let cpuid = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(failed("describe itself"))?;
    vcpu.set_cpuid2(&cpuid)
        .map_err(failed("describe the processor"))?;
    set_registers(&vcpu).map_err(failed("set the registers"))?;
    let begun = Instant::now();
    let mut vcpu = vcpu;
    match vcpu.run() {
        Ok(VcpuExit::Hlt) => {}
        Ok(exit) => return Err(format!("KVM stopped on an ordinary instruction: {exit:?}")),
        Err(error) => return Err(format!("KVM cannot run a guest: {error}")),
    }
    let took = begun.elapsed().as_micros();
    let registers = vcpu.get_regs().map_err(failed("read the registers"))?;
    let sum = COUNT.wrapping_mul(COUNT + 1) / 2;
    if registers.rbx != 1 || registers.rax != sum {
        return Err("KVM computes wrongly".into());
    }
    Ok(took)
}

/// Long mode with paging, write protection, SSE and XSAVE on (Intel SDM volume 3, 2.5 and 9.8).
fn set_registers(vcpu: &VcpuFd) -> Result<(), kvm_ioctls::Error> {
    let mut sregs: kvm_sregs = vcpu.get_sregs()?;
    let flat = kvm_segment {
        limit: 0xffff_ffff,
        selector: 0x10,
        type_: 3,
        present: 1,
        db: 1,
        s: 1,
        g: 1,
        ..kvm_segment::default()
    };
    let code = kvm_segment {
        selector: 8,
        type_: 11,
        l: 1,
        db: 0,
        ..flat
    };
    sregs.cs = code;
    (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (flat, flat, flat, flat, flat);
    sregs.gdt.base = GDT_AT;
    sregs.gdt.limit = 3 * 8 - 1;
    sregs.idt.base = IDT_AT;
    sregs.idt.limit = 4 * 16 - 1;
    sregs.cr3 = PML4_AT;
    sregs.cr4 = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 18; // PAE, OSFXSR, OSXMMEXCPT, OSXSAVE
    sregs.cr0 = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 31; // PE, MP, ET, NE, WP, PG
    sregs.efer = 1 << 8 | 1 << 10; // LME, LMA
    vcpu.set_sregs(&sregs)?;
    vcpu.set_regs(&kvm_regs {
        rip: CODE_AT,
        rsp: STACK_AT,
        rdi: DATA_AT,
        rcx: COUNT,
        rflags: 2,
        ..kvm_regs::default()
    })?;
    let mut xcrs = vcpu.get_xcrs()?;
    xcrs.nr_xcrs = 1;
    xcrs.xcrs[0].xcr = 0;
    xcrs.xcrs[0].value = 3; // x87 and SSE
    vcpu.set_xcrs(&xcrs)
}

/// The guest's memory.
struct Memory(std::ptr::NonNull<std::ffi::c_void>);

impl Memory {
    fn new() -> Result<Memory, String> {
        let size = std::num::NonZeroUsize::MIN.saturating_add(MEMORY - 1);
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a fresh private mapping of no file.
        let mapped = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE) };
        mapped
            .map(Memory)
            .map_err(|error| format!("there is no memory for it: {error}"))
    }

    /// Writes the code and the tables that it needs.
    fn fill(&self) {
        let (code, handler, end) = (
            &raw const sistemo_probe_code,
            &raw const sistemo_probe_handler,
            &raw const sistemo_probe_end,
        );
        let length = end as usize - code as usize;
        let handler = CODE_AT + (handler as u64 - code as u64);
        // SAFETY: the symbols bound the code above, which is far shorter than a page.
        self.write(CODE_AT, unsafe { std::slice::from_raw_parts(code, length) });
        let put = |at: u64, value: u64| self.write(at, &value.to_le_bytes());
        put(PML4_AT, PDPT_AT | 3); // present, writable
        put(PDPT_AT, PD_AT | 3);
        put(PD_AT, 0x83); // a 2 MiB page at 0
        put(GDT_AT + 8, 0x00af_9b00_0000_ffff); // 64-bit code
        put(GDT_AT + 16, 0x00cf_9300_0000_ffff); // data
        // Gate 3, the breakpoint: an interrupt gate to the handler by way of selector 8.
        put(
            IDT_AT + 3 * 16,
            handler & 0xffff | 8 << 16 | 0x8e00 << 32 | (handler >> 16 & 0xffff) << 48,
        );
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap_or(MEMORY);
        assert!(at + bytes.len() <= MEMORY, "outside of the guest's memory");
        // SAFETY: the range lies inside the mapping, which nothing else refers to yet.
        unsafe {
            let target = self.0.as_ptr().cast::<u8>().add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
    }

    fn give(&self, vm: &VmFd) -> Result<(), String> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            guest_phys_addr: 0,
            memory_size: MEMORY as u64,
            userspace_addr: self.0.as_ptr() as u64,
            flags: 0,
        };
        // SAFETY: the mapping outlives the machine, which is dropped before it.
        unsafe { vm.set_user_memory_region(region) }
            .map_err(|error| format!("KVM cannot use memory: {error}"))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and the machine that used it is gone or never ran.
        let _ = unsafe { munmap(self.0, MEMORY) };
    }
}
