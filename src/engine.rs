//! The one handle that front ends hold.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::config::Config;
use crate::error::{self, Advice, Kind, Result};
use crate::image::{Images, Options};
use crate::machine::{Machines, Paths, Rooms};
use crate::network::Home;
use crate::store::Store;

/// A failure to open the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make the data directory {}", path.display())]
    DataDir {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        Kind::Failed
    }

    fn hint(&self) -> Option<String> {
        let Error::DataDir { source, .. } = self;
        error::way_out_of(source)
            .or_else(|| Some("run it as root (sudo), or name another with --data-dir".into()))
    }
}

/// An open data directory. Cheap to clone; any number of processes may hold one at once.
#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
    paths: Paths,
    machines: Machines,
    images: Images,
    store: Store,
    programs: Programs,
}

/// Programs that the engine starts.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The static program that is PID 1 in every guest.
    pub guest: PathBuf,
    /// The program that attends to machines when it is called with `--data-dir DIR attend`.
    pub own: PathBuf,
}

impl Engine {
    /// Opens the data directory that `config` names, making it when it is not there.
    pub fn open(config: Config, programs: Programs) -> Result<Engine> {
        let paths = Paths::new(&config.data_dir);
        for path in [
            paths.data_dir().to_path_buf(),
            paths.images(),
            paths.volumes(),
            paths.snapshots(),
            paths.kernels(),
            paths.keys(),
            paths.locks(),
            paths.data_dir().join("machines"),
        ] {
            // Disks and keys are nobody else's business.
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| Error::DataDir { path, source })?;
        }
        let store = Store::open(&paths.database())?;
        let options = Options {
            registry_url: config.registry_url.clone(),
            registry_mirrors: config.registry_mirrors.clone(),
            docker_config: None,
            keep_free: config.min_disk_free,
        };
        let images = Images::open(&paths.images(), store.clone(), options)?;
        let machines = Machines::new(Rooms {
            config: config.clone(),
            paths: paths.clone(),
            store: store.clone(),
            images: images.clone(),
            home: Home::open(&config.network_home)?,
            programs: programs.clone(),
        });
        Ok(Engine {
            config,
            paths,
            machines,
            images,
            store,
            programs,
        })
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where things lie.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Machines and their volumes.
    pub fn machines(&self) -> &Machines {
        &self.machines
    }

    /// Images.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The program that becomes PID 1 in guests.
    pub fn guest_program(&self) -> &std::path::Path {
        &self.programs.guest
    }
}
