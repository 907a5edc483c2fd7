//! Whether networks can be made on this computer, found out by making one where nobody sees it.

use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};

use super::{Error, Home, mac_for, plan_machine, plan_network};
use crate::store::networks::Network;
use crate::value::MachineId;

/// Makes a network and a machine's place in it inside a namespace of its own, which vanishes with the thread that holds
/// it, and takes both away again.
///
/// # Errors
///
/// The first thing that could not be made.
pub async fn rehearse() -> Result<(), Error> {
    let (told, path) = mpsc::channel();
    let (done, end) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let made = unshare(CloneFlags::CLONE_NEWNET);
        let _ = told.send(made.map(|()| {
            let (process, thread) = (std::process::id(), nix::unistd::gettid());
            format!("/proc/{process}/task/{thread}/ns/net")
        }));
        // Held until the rehearsal is over.
        let _ = end.recv();
    });
    let failed = |source: std::io::Error| Error::Enter {
        name: "a new namespace".into(),
        source,
    };
    let path = path
        .recv()
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let outcome = match path {
        Ok(path) => play(&Home::open(&path)?).await,
        Err(errno) => Err(failed(errno.into())),
    };
    drop(done);
    let _ = thread.join();
    outcome
}

async fn play(home: &Home) -> Result<(), Error> {
    let network = Network {
        name: "rehearsal".parse().map_err(|_| Error::NotANamespace {
            path: "rehearsal".into(),
        })?,
        subnet: ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 200, 0, 0), 16),
        bridge: "sistemo0".into(),
        created_at: String::new(),
    };
    let plan = plan_network(&network, 1500, None);
    let ip = std::net::Ipv4Addr::from(u32::from(plan.gateway) + 1);
    let machine = plan_machine(&MachineId::new(), &plan, ip, mac_for(ip));
    home.up(&plan).await?;
    let attached = home.attach(&machine).await;
    let detached = home.detach(&machine).await;
    attached.and(detached)
}
