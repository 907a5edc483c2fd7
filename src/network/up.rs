//! A network comes up in the home, and goes.

use std::io;

use ipnet::Ipv4Net;

use super::error::Error;
use super::home::Home;
use super::links::{Links, hardware};
use super::plan::NetworkPlan;
use super::{nft, obstacles, rules, sysctl};

/// What a link's MTU is when nothing says otherwise (Ethernet, RFC 894).
const ETHERNET_MTU: u32 = 1500;

impl Home {
    /// Makes sure that the network is there: forwarding, rules, the bridge with its address. Changes nothing that is
    /// as it should be.
    ///
    /// # Errors
    ///
    /// [`Error::SubnetTaken`] when the home already has a route into the subnet by another interface, narrower or wider
    /// (the default route does not count), [`Error::BridgeTaken`] when the name is another thing's, and whatever the
    /// kernel refuses. Nothing is half-made in a way that a second call would not complete.
    pub async fn up(&self, network: &NetworkPlan) -> Result<(), Error> {
        let network = network.clone();
        self.namespace
            .work(async move |links| {
                refuse_overlap(&links, &network).await?;
                sysctl::forward()?;
                nft::apply("add the network's rules", &rules::network_up(&network))?;
                raise(&links, &network).await?;
                obstacles::pass_docker(&network.bridge)
            })
            .await
    }

    /// Removes the network from the home; with the last one, the tables too. Fine when it is not there. Forwarding
    /// stays on: others may have come to need it.
    ///
    /// # Errors
    ///
    /// [`Error::BridgeInUse`] when a machine is still on it.
    pub async fn down(&self, network: &NetworkPlan) -> Result<(), Error> {
        let network = network.clone();
        self.namespace
            .work(async move |links| {
                if let Some(bridge) = links.find(&network.bridge).await? {
                    let all = links.all().await?;
                    let on_it = all
                        .into_iter()
                        .filter(|link| link.master == Some(bridge.index));
                    let ports: Vec<_> = on_it.map(|link| link.name).collect();
                    if !ports.is_empty() {
                        return Err(Error::BridgeInUse {
                            bridge: network.bridge,
                            ports,
                        });
                    }
                    links.remove(&network.bridge).await?;
                }
                obstacles::forget_docker(&network.bridge)?;
                if nft::list_table("inet", rules::TABLE)?.is_none() {
                    return Ok(());
                }
                nft::apply("remove the network's rules", &rules::network_down(&network))?;
                match nft::list_table("inet", rules::TABLE)? {
                    Some(listing) if !rules::has_bridges(&listing) => {
                        nft::apply("remove the tables", &rules::no_tables())
                    }
                    _ => Ok(()),
                }
            })
            .await
    }

    /// A route of the home into `subnet`, and the interface it leads by. The default route does not count.
    pub async fn route_into(&self, subnet: Ipv4Net) -> Result<Option<(Ipv4Net, String)>, Error> {
        self.namespace
            .work(async move |links| route_into(&links, subnet, None).await)
            .await
    }

    /// The MTU of `uplink`, or without one of the interface of the default route; 1500 when there is neither. In bytes.
    /// Guests must not send larger packets than can leave, so every link of a network gets it.
    pub async fn uplink_mtu(&self, uplink: Option<&str>) -> Result<u32, Error> {
        let uplink = uplink.map(str::to_owned);
        self.namespace
            .work(async move |links| {
                let link = match uplink {
                    Some(name) => match links.find(&name).await? {
                        None => return Err(Error::NoUplink { name }),
                        found => found,
                    },
                    None => {
                        let routes = links.routes().await?;
                        let default = routes.into_iter().find(|route| route.to.prefix_len() == 0);
                        let index = default.and_then(|route| route.device);
                        links
                            .all()
                            .await?
                            .into_iter()
                            .find(|link| Some(link.index) == index)
                    }
                };
                Ok(link.and_then(|link| link.mtu).unwrap_or(ETHERNET_MTU))
            })
            .await
    }
}

/// A bridge in front of a subnet that is reached by another interface would hide that from the host.
async fn refuse_overlap(links: &Links, network: &NetworkPlan) -> Result<(), Error> {
    match route_into(links, network.subnet, Some(&network.bridge)).await? {
        None => Ok(()),
        Some((route, device)) => Err(Error::SubnetTaken {
            network: network.name.clone(),
            subnet: network.subnet,
            route,
            device,
        }),
    }
}

/// A route into `subnet`, narrower or wider, by another interface than `own`.
async fn route_into(
    links: &Links,
    subnet: Ipv4Net,
    own: Option<&str>,
) -> Result<Option<(Ipv4Net, String)>, Error> {
    let names = links.names().await?;
    let overlaps =
        |other: &Ipv4Net| other.contains(&subnet.network()) || subnet.contains(&other.network());
    for route in links.routes().await? {
        let device = route.device.and_then(|index| names.get(&index));
        let other = own.is_none() || device.map(String::as_str) != own;
        if route.to.prefix_len() > 0 && other && overlaps(&route.to) {
            let device = device.cloned().unwrap_or_else(|| "no interface".into());
            return Ok(Some((route.to, device)));
        }
    }
    Ok(None)
}

async fn raise(links: &Links, network: &NetworkPlan) -> Result<(), Error> {
    let taken = || Error::BridgeTaken {
        bridge: network.bridge.clone(),
        subnet: network.subnet,
    };
    let link = links
        .ensure_bridge(&network.bridge, |bridge| {
            bridge
                .address(hardware(network.mac))
                // Nothing is behind a port but one guest: no loops to look for, no groups worth a table.
                .mcast_snooping(false)
                .forward_delay(0)
        })
        .await?;
    if !link.bridge {
        return Err(taken());
    }
    let wanted = Ipv4Net::new(network.gateway, network.subnet.prefix_len());
    let wanted = wanted.map_err(|error| Error::Link {
        act: "give an address to",
        name: network.bridge.clone(),
        source: io::Error::other(error),
    })?;
    let addresses = links.addresses().await?;
    let mut own = addresses.iter().filter(|(index, _)| *index == link.index);
    if own.any(|(_, address)| *address != wanted) {
        return Err(taken());
    }
    sysctl::without_ipv6(&network.bridge)?;
    sysctl::route_localhost(&network.bridge)?;
    links
        .ensure_address(&link, network.gateway, network.subnet.prefix_len())
        .await?;
    // The kernel takes no alias together with a new link.
    let alias = format!("sistemo network {}", network.name);
    links
        .set(&link, |link| link.alias(alias).mtu(network.mtu).up())
        .await
}
