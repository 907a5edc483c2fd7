//! What all clients share: who this machine is, which changes when it goes on from a snapshot as another, and how far its
//! start has come.

use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{PrivateKey, PublicKey};
use russh::server::Config as ServerConfig;
use sistemo::guest::words::{Config, Network};
use tokio::sync::watch;

use super::stage::Stages;
use super::{ServeError, keys, server_config};

/// What all clients share.
#[derive(Debug)]
pub struct Shared {
    facts: Mutex<Arc<Facts>>,
    renewals: watch::Sender<()>,
    pub stages: Stages,
    /// Whether this is a machine of its own, which may be powered off, and not a server on trial.
    pub machine: bool,
}

/// What the host has said of this machine, as far as the server needs it.
#[derive(Debug)]
pub struct Facts {
    pub server: Arc<ServerConfig>,
    /// The private half, as it was told.
    pub host_key: String,
    /// The keys that may log in as any user.
    pub keys: Vec<PublicKey>,
    /// The application's `ENV`; sessions see it too.
    pub environment: Vec<String>,
    pub network: Option<Network>,
}

impl Facts {
    /// Fails when the host key cannot be read, or nobody could log in.
    pub fn new(config: &Config) -> Result<Facts, ServeError> {
        let host_key = PrivateKey::from_openssh(&config.host_key).map_err(ServeError::HostKey)?;
        let keys = keys::parse(config.authorized_keys.iter().map(String::as_str));
        if keys.is_empty() {
            return Err(ServeError::NoKeys);
        }
        let environment = config
            .command
            .as_ref()
            .map(|command| command.env.clone())
            .unwrap_or_default();
        Ok(Facts {
            server: Arc::new(server_config(host_key)),
            host_key: config.host_key.clone(),
            keys,
            environment,
            network: config.network.clone(),
        })
    }
}

impl Shared {
    pub fn new(facts: Facts, stages: Stages, machine: bool) -> Shared {
        Shared {
            facts: Mutex::new(Arc::new(facts)),
            renewals: watch::Sender::new(()),
            stages,
            machine,
        }
    }

    /// What holds now.
    pub fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The machine is another from now on: connections that were made to what it was end.
    pub fn renew(&self, facts: Facts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(facts);
        self.renewals.send_replace(());
    }

    /// Comes back when the machine has become another since now.
    pub fn renewed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut renewals = self.renewals.subscribe();
        async move {
            if renewals.changed().await.is_err() {
                // The server ends, and its connections with it.
                std::future::pending::<()>().await;
            }
        }
    }
}
