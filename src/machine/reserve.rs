//! The rows of a machine to be: its name, its root volume and its address, written down before anything is made.

use super::create::Request;
use super::journal::Detail;
use super::{Error, Rooms};
use crate::error::Result;
use crate::image::{Image, ImageConfig};
use crate::store::machines::{MachineRow, Spec, Status};
use crate::store::networks::Network;
use crate::store::operations::{OperationKind, OperationRow};
use crate::store::snapshots::SnapshotRow;
use crate::store::volumes::{Role, VolumeRow};
use crate::value::{BadValue, ByteSize, MachineId, Name, without_secrets};
use crate::{network, store, volume};

/// What a machine boots from.
pub(super) enum Source {
    Image(Box<Image>),
    /// A root volume, and what the image that it was cloned from says of its application.
    Volume(VolumeRow, Option<Box<ImageConfig>>),
    /// A machine as it was.
    Snapshot(Box<SnapshotRow>),
}

impl Source {
    /// What an application image runs; none for an image with an operating system.
    pub(super) fn config(&self) -> Option<&ImageConfig> {
        match self {
            Source::Image(image) => image.config.as_ref(),
            Source::Volume(_, config) => config.as_deref(),
            // What it runs was decided when the machine was deployed.
            Source::Snapshot(_) => None,
        }
    }

    fn default_name(&self) -> String {
        match self {
            Source::Image(image) => image.default_machine_name(),
            Source::Snapshot(row) => row.taken.machine.to_string(),
            Source::Volume(row, _) => {
                let name = row.name.as_str();
                name.strip_suffix("-root").unwrap_or(name).to_string()
            }
        }
    }
}

impl Rooms {
    /// Refuses a name that is taken, before anything is fetched for it.
    pub(super) fn check_free(&self, name: &Name, has_root: bool) -> Result<(), Error> {
        if self
            .store
            .machines_like(name.as_str())?
            .iter()
            .any(|row| row.name == *name)
        {
            return Err(Error::NameTaken(name.clone()));
        }
        let root = root_name(name)?;
        let taken = self
            .store
            .volumes_like(root.as_str())?
            .iter()
            .any(|row| row.name == root);
        if taken && !has_root {
            return Err(Error::VolumeTaken(root));
        }
        Ok(())
    }

    pub(super) fn free_root(&self, text: &str) -> Result<Source> {
        let row = volume::find(&self.store, text)?;
        if row.role != Role::Root {
            return Err(Error::NotARoot(row.name).into());
        }
        self.refuse_taken(&row)?;
        let config = match self.store.volume_config(&row.id)? {
            Some(text) => Some(ImageConfig::from_json(&text)?),
            // Of a volume that was made before configurations were kept with it, the image knows.
            None => {
                let digest = row.image_digest.as_deref();
                let image = digest.and_then(|digest| self.images.find(digest).ok());
                image.and_then(|image| image.config)
            }
        };
        Ok(Source::Volume(row, config.map(Box::new)))
    }

    /// The default network, with the addresses that the settings say unless machines hold some of those it has.
    pub(super) async fn default_network(&self) -> Result<Network> {
        let (name, wanted) = ("default".parse()?, self.config.bridge_subnet);
        let network = self.store.ensure_network(&name, wanted)?;
        if network.subnet == wanted {
            return Ok(network);
        }
        let moved = self.store.readdress_network(&name, wanted)?;
        if moved.subnet == wanted {
            // The bridge may have the address it had, and is made anew with the machine. What cannot be taken down here
            // is in the way there, and is said there.
            let _ = self
                .home
                .down(&network::plan_network(&network, 0, None))
                .await;
        }
        Ok(moved)
    }

    /// Writes the machine, its volume, its address and the operation's first line, before anything is made.
    pub(super) fn reserve(
        &self,
        id: MachineId,
        request: &Request,
        source: &Source,
        spec: Spec,
        storage: ByteSize,
        network: Network,
    ) -> Result<(MachineRow, Detail)> {
        let mut row = MachineRow {
            id,
            name: "unnamed".parse().map_err(crate::error::Error::from)?,
            status: Status::Creating,
            spec,
            image: None,
            image_digest: None,
            network: Some(network.name.clone()),
            ip: None,
            mac: None,
            host_key: None,
            vmm: None,
            accelerator: None,
            process: None,
            failure: None,
            created_at: store::now(),
            started_at: None,
        };
        let mut detail = Detail::default();
        if let Source::Image(image) = source {
            row.image = request.image.as_deref().map(without_secrets);
            row.image_digest = Some(image.digest.clone());
            detail.image = Some(image.path.clone());
        }
        let begins = OperationRow {
            machine: id,
            kind: OperationKind::Deploy,
            detail: detail.to_json(),
            step: 0,
            undoing: false,
        };
        self.add_named(&mut row, &begins, request.name.as_ref(), source)?;
        let reserved = (|| -> Result<()> {
            self.reserve_root(&row, source, storage)?;
            self.claim_data(&id, &request.attach)?;
            self.claim_ports(&id, &request.expose)?;
            let ip = self.store.allocate_address(&network.name, &id)?;
            self.store
                .set_address(&id, ip, &network::mac_for(ip).to_string())?;
            Ok(())
        })();
        match reserved {
            Ok(()) => Ok((row, detail)),
            Err(error) => {
                forget(self, &id)?;
                Err(error)
            }
        }
    }

    /// Adds the row under the name asked for, or under the first free default name.
    pub(super) fn add_named(
        &self,
        row: &mut MachineRow,
        begins: &OperationRow,
        wish: Option<&Name>,
        source: &Source,
    ) -> Result<()> {
        if let Some(name) = wish {
            row.name = name.clone();
            return match self.store.add_machine(row, begins)? {
                true => Ok(()),
                false => Err(Error::NameTaken(name.clone()).into()),
            };
        }
        let base: Name = source.default_name().parse()?;
        for number in 1u32.. {
            row.name = numbered(&base, number)?;
            let has_root = matches!(source, Source::Volume(..));
            match self.check_free(&row.name, has_root) {
                Ok(()) => {}
                Err(Error::NameTaken(_) | Error::VolumeTaken(_)) => continue,
                Err(error) => return Err(error.into()),
            }
            if self.store.add_machine(row, begins)? {
                return Ok(());
            }
        }
        Err(Error::NameTaken(row.name.clone()).into())
    }

    fn reserve_root(&self, row: &MachineRow, source: &Source, storage: ByteSize) -> Result<()> {
        match source {
            Source::Volume(volume, _) => {
                self.claim(volume, &row.id, "/")?;
            }
            // Its disks are written down where the fork is made.
            Source::Snapshot(_) => {}
            Source::Image(image) => {
                let volume_id = MachineId::new().to_string();
                let name = root_name(&row.name)?;
                let added = self.store.add_volume(&VolumeRow {
                    path: self.paths.volumes().join(format!("{volume_id}.ext4")),
                    id: volume_id.clone(),
                    name: name.clone(),
                    role: Role::Root,
                    size: storage.max(image.size),
                    machine: Some(row.id),
                    mount_path: Some("/".into()),
                    image_digest: Some(image.digest.clone()),
                    doing: None,
                    created_at: store::now(),
                })?;
                if !added {
                    return Err(Error::VolumeTaken(name).into());
                }
                if let Some(config) = &image.config {
                    self.store
                        .set_volume_config(&volume_id, &config.to_json()?)?;
                }
            }
        }
        Ok(())
    }
}

/// The first choice of a default name, and those behind it: `web`, `web-2`, `web-3` …
fn numbered(base: &Name, number: u32) -> Result<Name, BadValue> {
    match number {
        1 => Ok(base.clone()),
        _ => with_suffix(base, &format!("-{number}")),
    }
}

/// The name of a machine's root volume.
pub(super) fn root_name(name: &Name) -> Result<Name, Error> {
    with_suffix(name, "-root").map_err(|_| Error::VolumeTaken(name.clone()))
}

/// A name with more behind it, shortened when it leaves no room for that.
pub(super) fn with_suffix(name: &Name, suffix: &str) -> Result<Name, BadValue> {
    let text = name.as_str();
    let stem = &text[..text.len().min(Name::MAX - suffix.len())];
    format!("{}{suffix}", stem.trim_end_matches('-')).parse()
}

/// Takes every row of a machine away that was never finished. Its disks are gone or were there before it.
pub(super) fn forget(rooms: &Rooms, id: &MachineId) -> Result<()> {
    for volume in rooms.store.volumes_of(id)? {
        if volume.path.exists() || volume.role == Role::Data {
            rooms.store.release_volume(&volume.id)?;
        } else {
            rooms.store.remove_volume(&volume.id)?;
        }
    }
    rooms.store.remove_machine(id)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_from_names_are_names_however_long_those_are() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let web = name("web");
        assert_eq!(numbered(&web, 1).unwrap(), web);
        assert_eq!(numbered(&web, 12).unwrap(), name("web-12"));
        assert_eq!(root_name(&web).unwrap(), name("web-root"));
        let long = name(&format!("{}-b{}", "a".repeat(57), "c".repeat(4)));
        assert_eq!(long.as_str().len(), Name::MAX);
        assert_eq!(
            root_name(&long).unwrap().as_str(),
            format!("{}-root", "a".repeat(57)),
            "no two dashes"
        );
        assert_eq!(numbered(&long, 2).unwrap().as_str().len(), Name::MAX);
    }
}
