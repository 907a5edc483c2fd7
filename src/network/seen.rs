//! What of Sistemo's network is there, whoever made it: for recovery and for the doctor.

use std::collections::BTreeMap;

use super::error::Error;
use super::home::Home;
use super::{namespace, nft, plan, rules};

/// Everything of Sistemo's that a home holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The bridges, by name.
    pub bridges: Vec<String>,
    /// The machines of which any part is there, by the first eight digits of their ids.
    pub machines: BTreeMap<String, SeenMachine>,
}

/// Which parts of a machine's place are there. A complete one has them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenMachine {
    /// Its namespace, or the file of one whose making was cut off.
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
            let mine = seen
                .machines
                .get(&short)
                .is_some_and(|machine| machine.port || machine.rules);
            if mine || self.made(&short).await? {
                seen.machines.entry(short).or_default().namespace = true;
            }
        }
        Ok(seen)
    }

    /// Whether the machine's namespace bears this home's mark. The file of one whose making was cut off bears none and
    /// is nobody's, so it is everyone's to remove.
    async fn made(&self, short: &str) -> Result<bool, Error> {
        let Some(inside) = namespace::open(&namespace::name(short))? else {
            return Ok(true);
        };
        let mark = self.mark.clone();
        inside
            .work(async move |links| {
                Ok(links
                    .all()
                    .await?
                    .into_iter()
                    .any(|link| link.alias.as_ref() == Some(&mark)))
            })
            .await
    }
}
