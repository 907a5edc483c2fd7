//! Links, addresses and routes of one namespace, over netlink (rtnetlink(7)). Each verb is idempotent where its name
//! says `ensure`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use futures_util::{StreamExt, TryStreamExt};
use ipnet::Ipv4Net;
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{
    Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
};

use super::error::Error;
use super::mac::Mac;

/// A netlink socket of one namespace.
pub(super) struct Links(Handle);

/// What is known of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub index: u32,
    pub name: String,
    pub bridge: bool,
    /// The index of the bridge it is a port of.
    pub master: Option<u32>,
    pub mtu: Option<u32>,
    pub alias: Option<String>,
    /// What it has received and sent.
    pub bytes: Option<(u64, u64)>,
}

/// An IPv4 route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub to: Ipv4Net,
    pub device: Option<u32>,
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            bridge: false,
            master: None,
            mtu: None,
            alias: None,
            bytes: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Controller(index) => link.master = Some(index),
                LinkAttribute::Mtu(mtu) => link.mtu = Some(mtu),
                LinkAttribute::Stats64(stats) => {
                    link.bytes = Some((stats.rx_bytes, stats.tx_bytes));
                }
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
                LinkAttribute::LinkInfo(infos) => {
                    link.bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
                }
                _ => {}
            }
        }
        link
    }
}

impl Links {
    pub fn new(handle: Handle) -> Self {
        Links(handle)
    }

    /// Sends a request that rtnetlink has no words for, and gives the answers.
    pub async fn ask(
        &self,
        request: NetlinkMessage<RouteNetlinkMessage>,
    ) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        let answers = self.0.clone().request(request).map_err(io::Error::other)?;
        Ok(answers.collect().await)
    }

    /// The link `name`, if there is one.
    pub async fn find(&self, name: &str) -> Result<Option<Link>, Error> {
        let mut found = self.0.link().get().match_name(name).execute();
        match found.try_next().await {
            Ok(message) => Ok(message.map(Into::into)),
            Err(error) if errno(&error) == Some(nix::libc::ENODEV) => Ok(None),
            Err(error) => Err(failed("look for", name, error)),
        }
    }

    /// The link `name`, which must be there.
    pub async fn get(&self, name: &str) -> Result<Link, Error> {
        self.find(name).await?.ok_or_else(|| Error::Link {
            act: "find",
            name: name.into(),
            source: io::ErrorKind::NotFound.into(),
        })
    }

    /// Every link.
    pub async fn all(&self) -> Result<Vec<Link>, Error> {
        let messages: Result<Vec<_>, _> = self.0.link().get().execute().try_collect().await;
        let messages = messages.map_err(|error| failed("list", "the links", error))?;
        Ok(messages.into_iter().map(Into::into).collect())
    }

    /// Makes sure that there is a bridge `name`, as `shape` describes it when it has to be made.
    pub async fn ensure_bridge(
        &self,
        name: &str,
        shape: impl FnOnce(LinkMessageBuilder<LinkBridge>) -> LinkMessageBuilder<LinkBridge>,
    ) -> Result<Link, Error> {
        if let Some(link) = self.find(name).await? {
            return Ok(link);
        }
        let message = shape(LinkMessageBuilder::<LinkBridge>::new(name)).build();
        match self.0.link().add(message).execute().await {
            // Another process was quicker.
            Err(error) if errno(&error) == Some(nix::libc::EEXIST) => {}
            other => other.map_err(|error| failed("create the bridge", name, error))?,
        }
        self.get(name).await
    }

    /// Creates a veth pair: `name`, a port of the bridge `master`, and `peer` in another namespace, both at once.
    pub async fn add_veth(
        &self,
        name: &str,
        master: u32,
        (peer, namespace): (&str, &OwnedFd),
        mtu: u32,
    ) -> Result<(), Error> {
        let end = LinkUnspec::new_with_name(peer)
            .mtu(mtu)
            .setns_by_fd(namespace.as_raw_fd());
        let message = LinkMessageBuilder::<LinkVeth>::new(name, peer)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(end.build())))
            .controller(master)
            .mtu(mtu)
            .build();
        let added = self.0.link().add(message).execute().await;
        added.map_err(|error| failed("create the link", name, error))
    }

    /// Makes the link a port of the bridge `master`, gives it its MTU, and sets it up.
    pub async fn join(&self, link: &Link, master: u32, mtu: u32) -> Result<(), Error> {
        self.set(link, |link| link.controller(master).mtu(mtu).up())
            .await
    }

    /// Changes the link as `change` describes.
    pub async fn set(
        &self,
        link: &Link,
        change: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) -> Result<(), Error> {
        let message = change(LinkUnspec::new_with_index(link.index)).build();
        let set = self.0.link().set(message).execute().await;
        set.map_err(|error| failed("configure the link", &link.name, error))
    }

    /// Removes the link `name`; fine when there is none.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let Some(link) = self.find(name).await? else {
            return Ok(());
        };
        match self.0.link().del(link.index).execute().await {
            Err(error) if errno(&error) == Some(nix::libc::ENODEV) => Ok(()),
            other => other.map_err(|error| failed("remove the link", name, error)),
        }
    }

    /// Makes sure that the link has the address.
    pub async fn ensure_address(
        &self,
        link: &Link,
        address: Ipv4Addr,
        prefix: u8,
    ) -> Result<(), Error> {
        let add = self
            .0
            .address()
            .add(link.index, address.into(), prefix)
            .replace();
        add.execute()
            .await
            .map_err(|error| failed("give an address to", &link.name, error))
    }

    /// Takes every IPv4 address from the link.
    pub async fn remove_addresses(&self, link: &Link) -> Result<(), Error> {
        let messages: Result<Vec<_>, _> = self
            .0
            .address()
            .get()
            .set_link_index_filter(link.index)
            .execute()
            .try_collect()
            .await;
        let act = "take the addresses from";
        for message in messages.map_err(|error| failed(act, &link.name, error))? {
            if message.header.family == AddressFamily::Inet {
                let removed = self.0.address().del(message).execute().await;
                removed.map_err(|error| failed(act, &link.name, error))?;
            }
        }
        Ok(())
    }

    /// Every IPv4 address with its prefix, by the index of its link.
    pub async fn addresses(&self) -> Result<Vec<(u32, Ipv4Net)>, Error> {
        let messages: Result<Vec<_>, _> = self.0.address().get().execute().try_collect().await;
        let messages = messages.map_err(|error| failed("list", "the addresses", error))?;
        let one = |message: rtnetlink::packet_route::address::AddressMessage| {
            let prefix = message.header.prefix_len;
            message
                .attributes
                .into_iter()
                .find_map(|attribute| match attribute {
                    // On a point-to-point link `Address` is the far end; `Local` is always this one.
                    AddressAttribute::Local(IpAddr::V4(ip)) => {
                        Some((message.header.index, Ipv4Net::new(ip, prefix).ok()?))
                    }
                    _ => None,
                })
        };
        Ok(messages.into_iter().filter_map(one).collect())
    }

    /// The IPv4 unicast routes of the main table. The default route is the one to `0.0.0.0/0`.
    pub async fn routes(&self) -> Result<Vec<Route>, Error> {
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let messages: Result<Vec<_>, _> = self.0.route().get(all).execute().try_collect().await;
        let messages = messages.map_err(|error| failed("list", "the routes", error))?;
        let one = |message: rtnetlink::packet_route::route::RouteMessage| {
            let header = &message.header;
            let plain = header.address_family == AddressFamily::Inet
                && header.table == RouteHeader::RT_TABLE_MAIN
                && header.kind == RouteType::Unicast;
            let (mut to, mut device) = (Ipv4Addr::UNSPECIFIED, None);
            for attribute in &message.attributes {
                match attribute {
                    RouteAttribute::Destination(RouteAddress::Inet(ip)) => to = *ip,
                    RouteAttribute::Oif(index) => device = Some(*index),
                    _ => {}
                }
            }
            let to = Ipv4Net::new(to, header.destination_prefix_length).ok()?;
            plain.then_some(Route { to, device })
        };
        Ok(messages.into_iter().filter_map(one).collect())
    }

    /// The names of all links by their index.
    pub async fn names(&self) -> Result<HashMap<u32, String>, Error> {
        Ok(self
            .all()
            .await?
            .into_iter()
            .map(|link| (link.index, link.name))
            .collect())
    }
}

/// The address that a link is created with.
pub(super) fn hardware(mac: Mac) -> Vec<u8> {
    mac.0.to_vec()
}

fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(-message.raw_code()),
        _ => None,
    }
}

fn failed(act: &'static str, name: &str, error: rtnetlink::Error) -> Error {
    let source = match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    };
    Error::Link {
        act,
        name: name.into(),
        source,
    }
}
