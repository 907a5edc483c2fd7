//! A machine's place in the network goes.

use super::error::Error;
use super::home::Home;
use super::plan::MachinePlan;
use super::{nft, rules};

impl Home {
    /// Removes the machine's link, rules, tap and namespace, whichever of them are there. Its hypervisor must be dead:
    /// a process holds the namespace that it runs in, nameless, until it ends.
    ///
    /// # Errors
    ///
    /// [`Error::Detach`] with all that failed; the rest is removed all the same.
    pub async fn detach(&self, machine: &MachinePlan) -> Result<(), Error> {
        let mut failures = Vec::new();
        let (port, plan) = (machine.port.clone(), machine.clone());
        // The link first: with it goes the last way for a packet. Its other end goes with it.
        let removed = self.namespace.work(async move |links| {
            let link = links.remove(&port).await;
            Ok([link, remove_rules(&plan)])
        });
        match removed.await {
            Ok(results) => failures.extend(results.into_iter().filter_map(Result::err)),
            Err(error) => failures.push(error),
        }
        // Tap and hub end with the namespace.
        failures.extend(self.namespace.remove(&machine.namespace).await.err());
        if failures.is_empty() {
            return Ok(());
        }
        Err(Error::Detach {
            namespace: machine.namespace.clone(),
            failures,
        })
    }
}

fn remove_rules(machine: &MachinePlan) -> Result<(), Error> {
    let mut elements = Vec::new();
    if let Some(listing) = nft::list_table("inet", rules::TABLE)? {
        let ip = machine.ip.to_string();
        elements.extend(rules::published_to(&ip, &listing, |_, _| true));
    }
    if let Some(listing) = nft::list_table("bridge", rules::TABLE)? {
        elements.extend(rules::elements_of(&machine.port, &listing));
    }
    if elements.is_empty() {
        return Ok(());
    }
    nft::apply("remove the machine's rules", &rules::delete(elements))
}
