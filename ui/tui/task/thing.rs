//! What a task is about: a thing by its name, and by its identifier where that is known.

use std::fmt;

/// A machine, a volume or an image. Whoever asks by name alone means whatever has that name by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    id: Option<String>,
    name: String,
}

impl Thing {
    pub(crate) fn new(id: impl Into<String>, name: impl Into<String>) -> Thing {
        Thing {
            id: Some(id.into()),
            name: name.into(),
        }
    }

    /// What the engine is asked for: the identifier, which stays when the name changes.
    pub(crate) fn key(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same under another name.
    pub(super) fn renamed(&self, name: &str) -> Thing {
        Thing {
            id: self.id.clone(),
            name: name.into(),
        }
    }
}

impl From<String> for Thing {
    fn from(name: String) -> Self {
        Thing { id: None, name }
    }
}

impl From<&str> for Thing {
    fn from(name: &str) -> Self {
        name.to_string().into()
    }
}

impl From<&sistemo::machine::Machine> for Thing {
    fn from(machine: &sistemo::machine::Machine) -> Self {
        Thing::new(&machine.id, &machine.name)
    }
}

impl From<&sistemo::volume::Volume> for Thing {
    fn from(volume: &sistemo::volume::Volume) -> Self {
        Thing::new(&volume.id, &volume.name)
    }
}

impl From<&sistemo::image::Image> for Thing {
    fn from(image: &sistemo::image::Image) -> Self {
        Thing::new(&image.digest, &image.name)
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}
