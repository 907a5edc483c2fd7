//! The guest code of the accelerator probe: what a kernel does all the time and half-working virtualisation cannot.
//!
//! It runs in long mode at privilege level 0, is independent of its position, and is copied into the guest's memory
//! from this program's own text. After each part it writes the part's number to [`PORT_PASSED`]; a wrong result or an
//! unexpected exception writes to [`PORT_WRONG`].
//!
//! ```text
//! entered → traps (int3, ud2) → cmpxchg16b → xsave/xrstor → privileged → loop
//! ```

use std::arch::global_asm;

/// Written with the number of the part that was passed.
pub(super) const PORT_PASSED: u16 = 0xf4;
/// Written when a result is wrong, with the number of the part.
pub(super) const PORT_WRONG: u16 = 0xf5;

/// Rounds of the privileged part.
pub(super) const PRIVILEGED_ROUNDS: u64 = 1000;
/// Rounds of the counting loop; about fifteen instructions each, one to two milliseconds on real hardware.
pub(super) const LOOP_ROUNDS: u64 = 400_000;

/// Parts in the order in which they run; the discriminant is what the guest writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Part {
    Entered = 1,
    Traps = 2,
    Cmpxchg16b = 3,
    Xsave = 4,
    Privileged = 5,
    Loop = 6,
}

impl Part {
    pub(super) const ALL: [Part; 6] = [
        Part::Entered,
        Part::Traps,
        Part::Cmpxchg16b,
        Part::Xsave,
        Part::Privileged,
        Part::Loop,
    ];

    /// The part's bit in the set that the code is told to run; `Entered` and `Loop` always run.
    pub(super) fn bit(self) -> u64 {
        1 << self as u8
    }

    /// What the part does, as a person reads it in the reason.
    pub(super) fn what(self) -> &'static str {
        match self {
            Part::Entered => "64-bit code",
            Part::Traps => "int3, ud2 and cpuid",
            Part::Cmpxchg16b => "cmpxchg16b",
            Part::Xsave => "xsave and xrstor",
            Part::Privileged => "page-table switches and other privileged instructions",
            Part::Loop => "a counting loop",
        }
    }
}

// Registers on entry: rdi = a page of scratch memory, rsi = rounds of the loop, rdx = parts to run (bits 2 to 5, by
// number), rcx = the second page-table root. r12 keeps the scratch page for the exception handlers.
global_asm!(
    ".text",
    ".balign 64",
    ".globl sistemo_probe_begin",
    "sistemo_probe_begin:",
    "    mov r12, rdi",
    "    mov r13, rsi",
    "    mov r14, rdx",
    "    mov r15, rcx",
    "    mov al, 1",
    "    out 0xf4, al",
    // Traps: the handlers count into the scratch page.
    "    test r14, 1 << 2",
    "    jz 10f",
    "    int3",
    "    cmp qword ptr [r12], 1",
    "    jne 80f",
    "    ud2",
    "    cmp qword ptr [r12], 2",
    "    jne 80f",
    "    xor eax, eax",
    "    xor ecx, ecx",
    "    cpuid",
    "    test eax, eax",
    "    jz 80f",
    "    rdtsc",
    "10: mov al, 2",
    "    out 0xf4, al",
    // cmpxchg16b on a pair that matches.
    "    test r14, 1 << 3",
    "    jz 20f",
    "    lea rdi, [r12 + 64]",
    "    mov qword ptr [rdi], 5",
    "    mov qword ptr [rdi + 8], 6",
    "    mov eax, 5",
    "    mov edx, 6",
    "    mov ebx, 7",
    "    mov ecx, 8",
    "    lock cmpxchg16b xmmword ptr [rdi]",
    "    jne 81f",
    "    cmp qword ptr [rdi + 8], 8",
    "    jne 81f",
    "20: mov al, 3",
    "    out 0xf4, al",
    // xsave, wipe, xrstor, as at every change of task.
    "    test r14, 1 << 4",
    "    jz 30f",
    "    xor ecx, ecx",
    "    xor edx, edx",
    "    mov eax, 3",
    "    xsetbv",
    "    mov eax, 0x5157",
    "    movq xmm0, rax",
    "    mov eax, 3",
    "    xor edx, edx",
    "    xsave64 [r12 + 1024]",
    "    pxor xmm0, xmm0",
    "    mov eax, 3",
    "    xor edx, edx",
    "    xrstor64 [r12 + 1024]",
    "    movq rax, xmm0",
    "    cmp rax, 0x5157",
    "    jne 82f",
    "30: mov al, 4",
    "    out 0xf4, al",
    // What entry code, the scheduler and the memory manager do. None of it leaves the guest on hardware with nested
    // paging.
    "    test r14, 1 << 5",
    "    jz 50f",
    "    mov r8d, {privileged}",
    "    mov r9, cr3",
    "40: mov cr3, r15",
    "    invlpg [r12]",
    "    mov r10, cr3",
    "    cmp r10, r15",
    "    jne 83f",
    "    mov cr3, r9",
    "    pushfq",
    "    cli",
    "    popfq",
    "    swapgs",
    "    swapgs",
    "    mov ecx, 0xc0000102", // IA32_KERNEL_GS_BASE
    "    xor eax, eax",
    "    xor edx, edx",
    "    wrmsr",
    "    dec r8d",
    "    jnz 40b",
    "50: mov al, 5",
    "    out 0xf4, al",
    "    mov rdi, r12",
    "    mov rsi, r13",
    "    call sistemo_probe_loop",
    "    mov al, 6",
    "    out 0xf4, al",
    "    hlt",
    "80: mov al, 2",
    "    jmp 89f",
    "81: mov al, 3",
    "    jmp 89f",
    "82: mov al, 4",
    "    jmp 89f",
    "83: mov al, 5",
    "89: out 0xf5, al",
    "    hlt",
    // Exception handlers.
    ".globl sistemo_probe_int3",
    "sistemo_probe_int3:",
    "    inc qword ptr [r12]",
    "    iretq",
    ".globl sistemo_probe_ud2",
    "sistemo_probe_ud2:",
    "    inc qword ptr [r12]",
    "    add qword ptr [rsp], 2",
    "    iretq",
    ".globl sistemo_probe_unexpected",
    "sistemo_probe_unexpected:",
    "    mov al, 0xff",
    "    out 0xf5, al",
    "    hlt",
    // The counting loop; also called natively, as a C function of (scratch, rounds).
    ".balign 64",
    ".globl sistemo_probe_loop",
    "sistemo_probe_loop:",
    "    xor eax, eax",
    "60: mov rcx, [rdi + 256]",
    "    add rcx, rsi",
    "    mov [rdi + 256], rcx",
    "    imul rcx, rcx, 3",
    "    xor rax, rcx",
    "    ror rax, 7",
    "    lock xadd [rdi + 264], rcx",
    "    push rax",
    "    call 61f",
    "    pop rax",
    "    dec rsi",
    "    jnz 60b",
    "    ret",
    "61: test al, 1",
    "    jz 62f",
    "    nop",
    "62: ret",
    ".globl sistemo_probe_end",
    "sistemo_probe_end:",
    "    nop",
    privileged = const PRIVILEGED_ROUNDS,
);

unsafe extern "C" {
    static sistemo_probe_begin: u8;
    static sistemo_probe_int3: u8;
    static sistemo_probe_ud2: u8;
    static sistemo_probe_unexpected: u8;
    static sistemo_probe_end: u8;
    fn sistemo_probe_loop(scratch: *mut u8, rounds: u64);
}

/// The code, and where in it the exception handlers begin.
pub(super) struct Code {
    pub(super) bytes: &'static [u8],
    pub(super) int3: u64,
    pub(super) ud2: u64,
    pub(super) unexpected: u64,
}

/// The guest code as bytes.
pub(super) fn code() -> Code {
    let begin = &raw const sistemo_probe_begin;
    let offset = |label: *const u8| (label.addr() - begin.addr()) as u64;
    let length = offset(&raw const sistemo_probe_end) as usize;
    Code {
        // SAFETY: begin and end are labels of one block of assembly in this program's text, which is never unmapped.
        bytes: unsafe { std::slice::from_raw_parts(begin, length) },
        int3: offset(&raw const sistemo_probe_int3),
        ud2: offset(&raw const sistemo_probe_ud2),
        unexpected: offset(&raw const sistemo_probe_unexpected),
    }
}

/// Runs the counting loop on this computer itself.
pub(super) fn run_loop_natively() {
    let mut scratch = [0u64; 64];
    // SAFETY: the loop follows the C calling convention, uses only caller-saved registers, leaves the stack as it
    // found it, and touches bytes 256..272 of the scratch memory alone.
    unsafe { sistemo_probe_loop(scratch.as_mut_ptr().cast(), LOOP_ROUNDS) };
    std::hint::black_box(&scratch);
}
