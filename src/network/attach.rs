//! A machine's place in the network comes about.

use std::sync::mpsc;

use nix::net::if_::if_nametoindex;

use super::error::Error;
use super::home::Home;
use super::links::Links;
use super::namespace::Namespace;
use super::plan::MachinePlan;
use super::{nft, rules, sysctl};
use crate::host::tap;

impl Home {
    /// Makes sure that the machine has its namespace, tap, link and rules; its network must be up. Makes only what is
    /// missing, so it also mends a place of which a part was lost.
    ///
    /// # Errors
    ///
    /// [`Error::AddressTaken`] when another machine in this home has the address, and whatever the kernel refuses. What
    /// was made by then stays, for [`Home::detach`] or another call.
    pub async fn attach(&self, machine: &MachinePlan) -> Result<(), Error> {
        let inside = self.enclose(machine).await?;
        self.connect_to_bridge(machine, &inside).await?;
        let machine = machine.clone();
        inside
            .work(async move |links| {
                let hub = links.get(&machine.hub).await?;
                let peer = links.get(&machine.peer).await?;
                if let Some(mbps) = machine.bandwidth {
                    links.shape(&peer, mbps).await?;
                }
                links.join(&peer, hub.index, machine.mtu).await
            })
            .await
    }

    /// The machine's namespace with hub and tap, and meanwhile its rules in the home: neither needs the other, and each
    /// takes about as long.
    async fn enclose(&self, machine: &MachinePlan) -> Result<Namespace, Error> {
        let (mark, plan) = (self.mark.clone(), machine.clone());
        // Begun here, where the process is, and not in the machine's namespace, where it would stay: a home that is the
        // process's own is not entered. It goes on when its turn has come.
        let (go, turn) = mpsc::channel();
        let rules = {
            let plan = plan.clone();
            let add = move |entered: Result<(), Error>| match turn.recv() {
                Ok(()) => entered.and_then(|()| add_rules(&plan)),
                Err(mpsc::RecvError) => Ok(()),
            };
            self.namespace.spawn(add)?
        };
        let furnish = async move |links| {
            // It waits for this.
            let _ = go.send(());
            let furnished = furnish(&links, &plan, &mark).await;
            let ruled = match rules.join() {
                Ok(ruled) => ruled,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            furnished.and(ruled)
        };
        match self.namespace.open(&machine.namespace)? {
            Some(inside) => {
                inside.work(furnish).await?;
                Ok(inside)
            }
            None => self.namespace.create(&machine.namespace, furnish).await,
        }
    }

    /// The link from the bridge into the machine's namespace.
    async fn connect_to_bridge(
        &self,
        machine: &MachinePlan,
        inside: &Namespace,
    ) -> Result<(), Error> {
        let plan = machine.clone();
        let has_peer = inside
            .work(async move |links| Ok(links.find(&plan.peer).await?.is_some()))
            .await?;
        let (machine, inside) = (machine.clone(), inside.clone());
        self.namespace
            .work(async move |links| {
                let bridge = links.get(&machine.bridge).await?;
                // A port whose other end is not where it should be leads into a namespace that is gone.
                if !has_peer {
                    links.remove(&machine.port).await?;
                }
                if let (None, Some(file)) = (links.find(&machine.port).await?, &inside.file) {
                    let peer = (machine.peer.as_str(), &**file);
                    links
                        .add_veth(&machine.port, bridge.index, peer, machine.mtu)
                        .await?;
                }
                sysctl::without_ipv6(&machine.port)?;
                let port = links.get(&machine.port).await?;
                if let Some(mbps) = machine.bandwidth {
                    links.shape(&port, mbps).await?;
                }
                links.join(&port, bridge.index, machine.mtu).await
            })
            .await
    }
}

/// Furnishes the namespace that this runs in. The bridge in it joins two links and must pass every frame on: with an
/// ageing time of 0 it remembers no address, so it is a hub, and a guest cannot fill its table.
async fn furnish(links: &Links, machine: &MachinePlan, mark: &str) -> Result<(), Error> {
    sysctl::without_ipv6("all")?;
    sysctl::without_ipv6("default")?;
    let hub = links
        .ensure_bridge(&machine.hub, |bridge| {
            bridge.ageing_time(0).mcast_snooping(false).forward_delay(0)
        })
        .await?;
    if links.find(&machine.tap).await?.is_none() {
        tap::make(&machine.tap).map_err(|source| Error::Tap {
            name: machine.tap.clone(),
            source,
        })?;
    }
    let tap = links.get(&machine.tap).await?;
    links.join(&tap, hub.index, machine.mtu).await?;
    links
        .set(&hub, |hub| hub.alias(mark).mtu(machine.mtu).up())
        .await
}

/// The rules speak of what arrives by the bridge, which must be there.
fn add_rules(machine: &MachinePlan) -> Result<(), Error> {
    if_nametoindex(machine.bridge.as_str()).map_err(|errno| Error::Link {
        act: "find",
        name: machine.bridge.clone(),
        source: errno.into(),
    })?;
    let added = nft::apply("add the machine's rules", &rules::machine_up(machine));
    added.map_err(|error| whose(machine, error))
}

/// If nft refused because the address, or a published port, is another machine's, says so.
fn whose(machine: &MachinePlan, error: Error) -> Error {
    if let Ok(Some(listing)) = nft::list_table("inet", rules::TABLE)
        && let Some((protocol, port, ip)) = rules::taken_port(machine, &listing)
    {
        return Error::PortTaken { port, protocol, ip };
    }
    let Ok(Some(listing)) = nft::list_table("bridge", rules::TABLE) else {
        return error;
    };
    match rules::owner_of(&machine.ip.to_string(), &listing) {
        Some(port) if port != machine.port => Error::AddressTaken {
            ip: machine.ip,
            port: port.into(),
        },
        _ => error,
    }
}
