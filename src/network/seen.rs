//! What of Sistemo's network is there, whoever made it: for recovery and for the doctor.

use std::collections::{BTreeMap, HashSet};

use super::error::Error;
use super::home::Home;
use super::namespace::{self, Namespace};
use super::plan::MachinePlan;
use super::{nft, plan, rules};
use crate::value::PortMapping;

/// Everything of Sistemo's that a home holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The bridges, by name.
    pub bridges: Vec<String>,
    /// The machines of which any part is there, by the first eight digits of their ids.
    pub machines: BTreeMap<String, SeenMachine>,
    /// Machines, by the same digits, of which there is only the file of a namespace whose making was cut off. They may
    /// be any home's; [`Home::detach`] removes such a file.
    pub torn: Vec<String>,
}

/// Which parts of a machine's place are there. A complete one has them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenMachine {
    /// Its namespace.
    pub namespace: bool,
    /// Its link on the bridge.
    pub port: bool,
    /// Its elements of the rules.
    pub rules: bool,
}

impl Home {
    /// Looks at the home. Namespaces of other homes' machines are left out.
    pub async fn seen(&self) -> Result<Seen, Error> {
        let mut seen = self
            .namespace
            .work(async |links| {
                let mut seen = Seen::default();
                for link in links.all().await? {
                    if let Some(short) = plan::short_of_port(&link.name) {
                        seen.machines.entry(short.into()).or_default().port = true;
                    } else if link
                        .alias
                        .is_some_and(|alias| alias.starts_with("sistemo network "))
                    {
                        seen.bridges.push(link.name);
                    }
                }
                seen.bridges.sort();
                if let Some(listing) = nft::list_table("bridge", rules::TABLE)? {
                    for short in rules::ports_of(&listing)
                        .into_iter()
                        .filter_map(plan::short_of_port)
                    {
                        seen.machines.entry(short.into()).or_default().rules = true;
                    }
                }
                Ok(seen)
            })
            .await?;
        for short in namespace::shorts()? {
            let name = namespace::name(&short);
            let inside = match self.namespace.open(&name)? {
                Some(inside) => inside,
                None if namespace::is_torn(&name)? => {
                    seen.torn.push(short);
                    continue;
                }
                // It was just being made, or has gone meanwhile.
                None => continue,
            };
            let known = seen.machines.get(&short);
            if known.is_some_and(|machine| machine.port || machine.rules)
                || self.made(&inside).await?
            {
                seen.machines.entry(short).or_default().namespace = true;
            }
        }
        Ok(seen)
    }

    /// The ports (links on the bridge) of those machines whose rules are not all there.
    pub async fn lacking(&self, machines: Vec<MachinePlan>) -> Result<HashSet<String>, Error> {
        self.namespace
            .blocking(move || {
                let list = |family| nft::list_table(family, rules::TABLE);
                let (bridge, inet) = (list("bridge")?, list("inet")?);
                let ports: HashSet<&str> = bridge.iter().flat_map(rules::ports_of).collect();
                let published = inet.as_ref().map(rules::published).unwrap_or_default();
                let whole = |machine: &MachinePlan| {
                    let ip = machine.ip.to_string();
                    let leads = |port: &PortMapping| {
                        let key = (port.protocol.as_str(), u64::from(port.host));
                        published.get(&key).is_some_and(|to| **to == ip)
                    };
                    inet.is_some()
                        && ports.contains(machine.port.as_str())
                        && machine.published.iter().all(leads)
                };
                let lacking = machines.into_iter().filter(|machine| !whole(machine));
                Ok(lacking.map(|machine| machine.port).collect())
            })
            .await
    }

    /// Whether the namespace bears this home's mark.
    async fn made(&self, inside: &Namespace) -> Result<bool, Error> {
        let mark = self.mark.clone();
        inside
            .work(async move |links| {
                let links = links.all().await?;
                Ok(links
                    .into_iter()
                    .any(|link| link.alias.as_ref() == Some(&mark)))
            })
            .await
    }
}
