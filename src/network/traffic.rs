//! What machines send and are sent, as their links on the bridges count it.

use std::collections::HashMap;

use super::error::Error;
use super::home::Home;
use super::plan;
use crate::value::MachineId;

/// What has gone by since a machine's link was made, which is at its start, in bytes of Ethernet frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// What the machine was sent.
    pub received: u64,
    /// What it has sent.
    pub sent: u64,
}

/// The traffic of all machines of a home.
#[derive(Clone, Debug, Default)]
pub struct AllTraffic(HashMap<String, Traffic>);

impl AllTraffic {
    /// That of one machine, if it has a link.
    pub fn of(&self, id: &MachineId) -> Option<Traffic> {
        self.0.get(&id.short()).copied()
    }
}

impl Home {
    /// Reads the counters of all machines' links, with one question to the kernel.
    ///
    /// # Errors
    ///
    /// When the home cannot be entered or the kernel does not answer.
    pub async fn traffic(&self) -> Result<AllTraffic, Error> {
        let links = self.namespace.work(async |links| links.all().await).await?;
        let traffic = links.into_iter().filter_map(|link| {
            let short = plan::short_of_port(&link.name)?;
            // What the bridge's end receives is what the machine has sent.
            let (sent, received) = link.bytes?;
            Some((short.to_string(), Traffic { received, sent }))
        });
        Ok(AllTraffic(traffic.collect()))
    }
}
