//! Runs the probe's machine on a thread of its own and interrupts it at a deadline.
//!
//! KVM_RUN returns with EINTR when a signal that its mask lets through is pending for the thread. The thread blocks
//! SIGUSR2, and KVM_SET_SIGNAL_MASK unblocks it for KVM_RUN alone (Documentation/virt/kvm/api.rst, 4.28): no signal
//! handler is installed, a signal that comes a moment early is not lost, and it dies with the thread.

use std::os::fd::AsRawFd;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use kvm_ioctls::VcpuFd;
use nix::sys::signal::{SigSet, Signal};

use super::code::Part;
use super::machine::{Ending, Machine, processor_time};

const WAKE: Signal = Signal::SIGUSR2;
/// How long an interrupted machine may take to stop before it is left to itself.
const GRACE: Duration = Duration::from_millis(150);

/// What became of the run.
pub(super) struct Watched {
    /// `None` when the thread could not be interrupted.
    pub(super) ending: Option<Ending>,
    /// The part that was under way when it ended; `None` when all were passed.
    pub(super) during: Option<Part>,
    /// Processor time spent on the run.
    pub(super) processor: Duration,
}

/// struct kvm_signal_mask with the kernel's 64-bit signal set (linux/kvm.h).
#[repr(C, packed)]
struct SignalMask {
    length: u32,
    blocked: u64,
}

nix::ioctl_write_ptr_bad!(
    kvm_set_signal_mask,
    nix::request_code_write!(0xae, 0x8b, std::mem::size_of::<u32>()),
    SignalMask
);

/// Runs `machine` until its code ends or `deadline` has passed.
pub(super) fn run(machine: Machine, deadline: Duration) -> Watched {
    let passed = Arc::new(AtomicU8::new(0));
    let spent = Arc::new(AtomicU64::new(0));
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn({
        let (passed, spent) = (passed.clone(), spent.clone());
        move || {
            let ending = run_here(machine, &passed);
            spent.store(processor_time().as_nanos() as u64, Ordering::SeqCst);
            // The watcher may have given up on this thread.
            let _ = send.send(ending);
        }
    });
    let ending = receive.recv_timeout(deadline).ok().or_else(|| {
        // SAFETY: the thread has not been joined, so its handle is valid even when it has ended.
        unsafe { nix::libc::pthread_kill(thread.as_pthread_t(), WAKE as i32) };
        receive.recv_timeout(GRACE).ok()
    });
    let last = passed.load(Ordering::SeqCst);
    Watched {
        ending,
        during: Part::ALL.into_iter().find(|part| *part as u8 > last),
        processor: Duration::from_nanos(spent.load(Ordering::SeqCst)),
    }
}

fn run_here(mut machine: Machine, passed: &AtomicU8) -> Ending {
    if let Err(how) = let_wake_through(machine.vcpu()) {
        return Ending::Failed { how };
    }
    machine.run(|part| passed.store(part as u8, Ordering::SeqCst))
}

fn let_wake_through(vcpu: &VcpuFd) -> Result<(), String> {
    let mut wake = SigSet::empty();
    wake.add(WAKE);
    wake.thread_block()
        .map_err(|e| format!("blocking a signal failed: {e}"))?;
    let mask = SignalMask {
        length: 8,
        blocked: !(1 << (WAKE as u32 - 1)),
    };
    // SAFETY: the descriptor is a vCPU's, and the kernel reads the structure only.
    unsafe { kvm_set_signal_mask(vcpu.as_raw_fd(), &raw const mask) }
        .map(drop)
        .map_err(|e| format!("KVM_SET_SIGNAL_MASK failed: {e}"))
}
