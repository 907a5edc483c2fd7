//! Who is asked what no machine is called: the host's resolvers, as they are now. A laptop gets others with every
//! network that it joins.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::proto::rr;
use hickory_server::resolver::config::{NameServerConfig, ResolverOpts};
use hickory_server::store::forwarder::{ForwardConfig, ForwardZoneHandler};
use hickory_server::zone_handler::Catalog;

use super::super::resolver;
use crate::store::Store;

/// For so long the files that name resolvers are taken to be as they were.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept.
const KEPT: u64 = 1024;
/// How long one resolver may take before the next is asked, and how often that goes round. Guests ask anew themselves.
const PATIENCE: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 2;

/// The resolvers of the host.
pub(super) struct Upstream {
    files: resolver::Files,
    store: Store,
    current: Mutex<Option<Current>>,
}

struct Current {
    servers: Vec<std::net::IpAddr>,
    looked: Instant,
    catalog: Arc<Catalog>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// The resolvers that the files of the home at `home` name, or of the host.
    pub(super) fn new(home: Option<&Path>, store: Store) -> Upstream {
        Upstream {
            files: resolver::Files::of(home),
            store,
            current: Mutex::default(),
        }
    }

    /// What asks the resolvers that are named now.
    pub(super) fn current(&self) -> Arc<Catalog> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = &*current
            && current.looked.elapsed() < FRESH
        {
            return Arc::clone(&current.catalog);
        }
        let own = self.store.networks().unwrap_or_default();
        let own: Vec<_> = own.iter().map(|network| network.gateway()).collect();
        let servers = self.files.servers(&own);
        let catalog = match current.take() {
            Some(before) if before.servers == servers => before.catalog,
            _ => Arc::new(catalog(&servers)),
        };
        *current = Some(Current {
            servers,
            looked: Instant::now(),
            catalog: Arc::clone(&catalog),
        });
        catalog
    }
}

/// Asks `servers` for everything.
fn catalog(servers: &[std::net::IpAddr]) -> Catalog {
    let mut options = ResolverOpts::default();
    options.cache_size = KEPT;
    options.timeout = PATIENCE;
    options.attempts = ATTEMPTS;
    options.edns0 = true;
    let name_servers = servers
        .iter()
        .map(|ip| NameServerConfig::udp_and_tcp(*ip))
        .collect();
    let config = ForwardConfig {
        name_servers,
        options: Some(options),
    };
    let forward = ForwardZoneHandler::builder_with_config(config, TokioRuntimeProvider::default());
    let mut catalog = Catalog::new();
    match forward.build() {
        Ok(forward) => catalog.upsert(rr::Name::root().into(), vec![Arc::new(forward)]),
        // Without it everything is refused.
        Err(error) => tracing::warn!(%error, "the host's resolvers cannot be asked"),
    }
    catalog
}
