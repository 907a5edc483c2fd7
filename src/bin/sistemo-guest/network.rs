//! The guest's one interface, brought up over netlink before anything else of the image runs.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use sistemo::guest::words::Network;

use crate::{Doing, Outcome};

/// Gives the interface with the configured hardware address its address and the default route.
pub(crate) fn up(network: &Network) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing("starting the network")?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().doing("opening netlink")?;
        let connection = tokio::spawn(connection);
        let done = configure(&handle, network).await;
        connection.abort();
        done
    })
}

async fn configure(handle: &Handle, network: &Network) -> Outcome {
    let loopback = index_of("lo")?;
    raise(handle, loopback, None)
        .await
        .doing("raising the loopback interface")?;
    let name = find(&network.mac)?;
    let index = index_of(&name)?;
    raise(handle, index, Some(network.mtu))
        .await
        .doing(format_args!("raising {name}"))?;
    let address = handle
        .address()
        .add(index, network.address.into(), network.prefix)
        .replace();
    address.execute().await.doing(format_args!(
        "giving {name} the address {}",
        network.address
    ))?;
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .gateway(network.gateway)
        .build();
    let route = handle.route().add(route).replace();
    route
        .execute()
        .await
        .doing(format_args!("routing by {}", network.gateway))
}

async fn raise(handle: &Handle, index: u32, mtu: Option<u32>) -> Result<(), rtnetlink::Error> {
    let mut link = LinkUnspec::new_with_index(index).up();
    if let Some(mtu) = mtu {
        link = link.mtu(mtu);
    }
    handle.link().set(link.build()).execute().await
}

/// The interface with that hardware address. The driver may still be at work when its module has loaded.
fn find(mac: &str) -> Outcome<String> {
    let begun = Instant::now();
    loop {
        for entry in std::fs::read_dir("/sys/class/net")
            .doing("listing interfaces")?
            .flatten()
        {
            let address = std::fs::read_to_string(entry.path().join("address")).unwrap_or_default();
            if address.trim().eq_ignore_ascii_case(mac) {
                return Ok(entry.file_name().to_string_lossy().into_owned());
            }
        }
        if begun.elapsed() > Duration::from_secs(5) {
            return Err(format!(
                "there is no network interface with the address {mac}"
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn index_of(name: &str) -> Outcome<u32> {
    let path = format!("/sys/class/net/{name}/ifindex");
    let text = std::fs::read_to_string(&path).doing(format_args!("reading {path}"))?;
    text.trim().parse().doing(format_args!("reading {path}"))
}
