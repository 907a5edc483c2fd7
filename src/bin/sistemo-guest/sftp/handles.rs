//! The files and folders that a session holds open.

use std::collections::HashMap;
use std::fs::{File, ReadDir};
use std::io;
use std::path::PathBuf;

use super::wire::{Reader, Status};

/// Most of them in one session; below the usual limit of 1024 descriptors.
pub const MAXIMUM_HANDLES: usize = 1000;

#[derive(Debug)]
pub enum Handle {
    File { file: File, append: bool },
    Folder { path: PathBuf, entries: ReadDir },
}

/// What is open, by the number that the client knows it by.
#[derive(Debug, Default)]
pub struct Handles {
    open: HashMap<u32, Handle>,
    next: u32,
}

impl Handles {
    /// Keeps it open; its number.
    pub fn add(&mut self, handle: Handle) -> Result<u32, Status> {
        if self.open.len() >= MAXIMUM_HANDLES {
            return Err(io::Error::from_raw_os_error(nix::libc::EMFILE).into());
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(number, handle);
        Ok(number)
    }

    /// The one that the request names.
    pub fn get(&mut self, request: &mut Reader<'_>) -> Result<&mut Handle, Status> {
        let number = number(request)?;
        self.open.get_mut(&number).ok_or(Status::BAD_HANDLE)
    }

    /// The file that the request names, and whether all writing goes to its end.
    pub fn file(&mut self, request: &mut Reader<'_>) -> Result<(&File, bool), Status> {
        match self.get(request)? {
            Handle::File { file, append } => Ok((file, *append)),
            Handle::Folder { .. } => Err(Status::BAD_HANDLE),
        }
    }

    /// Closes the one that the request names.
    pub fn close(&mut self, request: &mut Reader<'_>) -> Result<(), Status> {
        let number = number(request)?;
        self.open
            .remove(&number)
            .map(drop)
            .ok_or(Status::BAD_HANDLE)
    }
}

fn number(request: &mut Reader<'_>) -> Result<u32, Status> {
    let bytes: [u8; 4] = request
        .string()?
        .try_into()
        .map_err(|_| Status::BAD_HANDLE)?;
    Ok(u32::from_be_bytes(bytes))
}
