//! TLS: the certificate of the settings, or one of our own, and what people tell it by.
//!
//! The one of our own signs itself, so a browser asks whether it is the right one; its SHA-256 fingerprint is printed
//! where the daemon is started. It is kept, with its key, in `web/certificate.pem` of the data directory, so that it
//! stays the same: it is made anew only when it is about to end or lacks a name.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use sistemo::config::Config;
use sistemo::value::Site;

use super::Error;
use crate::web::access::token::private_folder;

/// The file of our own, in the folder `web` of the data directory.
const FILE: &str = "certificate.pem";
/// How long one of our own lasts. Browsers take none that lasts longer than 398 days.
const DAYS: i64 = 397;
/// It is made anew when it lasts shorter than this.
const LEAST_DAYS: i64 = 30;
/// What the file says of the certificate, in lines that PEM passes over (RFC 7468, section 2).
const NAMES: &str = "Names: ";
const UNTIL: &str = "Until: ";

/// What the server shows, and its fingerprint.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: `AB:CD:…`.
    pub(super) fingerprint: String,
}

/// The certificate of the settings, or one of our own for these names.
pub(super) fn open(config: &Config, folder: &Path, names: &[Site]) -> Result<Certificate, Error> {
    match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => {
            let [cert_pem, key_pem] = [cert, key].map(read);
            let (cert_pem, key_pem) = (cert_pem?, key_pem?);
            parse(&cert_pem, &key_pem).map_err(bad(cert))
        }
        (None, None) => own(folder, names, today()),
        (Some(_), None) => Err(Error::HalfPair("tls_cert", "tls_key")),
        (None, Some(_)) => Err(Error::HalfPair("tls_key", "tls_cert")),
    }
}

fn read(path: &PathBuf) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File {
        what: "read",
        path: path.clone(),
        source,
    })
}

fn bad(path: &Path) -> impl Fn(String) -> Error {
    move |why| Error::Certificate {
        path: path.into(),
        why,
    }
}

fn parse(cert: &str, key: &str) -> Result<Certificate, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(cert.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let first = chain.first().ok_or("it has no certificate")?;
    let fingerprint = fingerprint(first);
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| format!("its key: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate {
        config: Arc::new(config),
        fingerprint,
    })
}

/// SHA-256 of a certificate as browsers show it.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate.as_ref());
    let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

/// Our own: the one that is there if it does, else a new one.
fn own(folder: &Path, names: &[Site], today: Date) -> Result<Certificate, Error> {
    let path = folder.join(FILE);
    let mut names: Vec<String> = names.iter().map(|name| name.host.clone()).collect();
    names.sort_unstable();
    names.dedup();
    match fs::read_to_string(&path) {
        Ok(text) if does(&text, &names, today) => {
            if let Ok(certificate) = parse(&text, &text) {
                return Ok(certificate);
            }
            tracing::warn!("{} is broken and made anew", path.display());
        }
        Ok(_) => tracing::info!("the certificate is made anew: it ends soon or lacks a name"),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(source) => {
            return Err(Error::File {
                what: "read",
                path,
                source,
            });
        }
    }
    let text = make(&names, today).map_err(|error| bad(&path)(error.to_string()))?;
    let write = || {
        private_folder(folder)?;
        // Such files are 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)
    };
    write().map_err(|source| Error::File {
        what: "write",
        path: path.clone(),
        source,
    })?;
    parse(&text, &text).map_err(bad(&path))
}

/// Whether the certificate in `text` has all of `names` and lasts for a while.
fn does(text: &str, names: &[String], today: Date) -> bool {
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let has: Vec<&str> = line(NAMES).unwrap_or_default().split(' ').collect();
    let until = line(UNTIL).and_then(|until| until.parse::<Date>().ok());
    let enough = today.checked_add(LEAST_DAYS.days()).ok();
    names.iter().all(|name| has.contains(&name.as_str())) && until > enough
}

fn today() -> Date {
    Offset::UTC.to_datetime(Timestamp::now()).date()
}

/// A certificate and its key as PEM.
fn make(names: &[String], today: Date) -> Result<String, rcgen::Error> {
    let bare = |name: &String| name.trim_matches(['[', ']']).to_string();
    let mut params = CertificateParams::new(names.iter().map(bare).collect::<Vec<_>>())?;
    // A day before, for clocks that are not quite right.
    let day = |days: i64| today.checked_add(days.days()).unwrap_or(today);
    let at = |date: Date| {
        let [month, day] = [date.month(), date.day()].map(i8::unsigned_abs);
        date_time_ymd(date.year().into(), month, day)
    };
    params.not_before = at(day(-1));
    params.not_after = at(day(DAYS));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Sistemo on this computer");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    let (names, until, key) = (names.join(" "), day(DAYS), key.serialize_pem());
    Ok(format!(
        "{NAMES}{names}\n{UNTIL}{until}\n{certificate}{key}"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn sites(names: &[&str]) -> Vec<Site> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn our_own_stays_until_it_ends_or_lacks_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("web");
        let today: Date = "2026-01-31".parse().unwrap();
        let print =
            |names: &[&str], today: Date| own(&folder, &sites(names), today).unwrap().fingerprint;
        let first = print(&["vm.lan", "192.0.2.1", "[::1]"], today);
        assert_eq!(first.len(), 32 * 3 - 1);
        let file = fs::metadata(folder.join(FILE)).unwrap();
        assert_eq!(file.mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);

        let later = today.checked_add((DAYS - LEAST_DAYS - 1).days()).unwrap();
        assert_eq!(print(&["vm.lan", "[::1]"], later), first);
        let second = print(&["other.lan"], today);
        assert_ne!(second, first);
        let late = today.checked_add((DAYS - LEAST_DAYS).days()).unwrap();
        let third = print(&["other.lan"], late);
        assert_ne!(third, second);
        fs::write(folder.join(FILE), "Names: other.lan\nUntil: 2999-01-01\n").unwrap();
        assert_ne!(print(&["other.lan"], late), third);
    }

    #[test]
    fn certificates_of_the_settings_come_with_their_key() {
        let dir = tempfile::tempdir().unwrap();
        let [cert, key, other] = ["cert", "key", "other"].map(|name| dir.path().join(name));
        let today = today();
        let made = make(&["a".into()], today).unwrap();
        let config = |cert: Option<&PathBuf>, key: Option<&PathBuf>| {
            let mut config = Config::load(Some(dir.path().into()), &|_| None).unwrap();
            config.tls_cert = cert.cloned();
            config.tls_key = key.cloned();
            open(&config, dir.path(), &[])
        };
        assert!(matches!(
            config(Some(&cert), Some(&key)),
            Err(Error::File { .. })
        ));
        for path in [&cert, &key] {
            fs::write(path, &made).unwrap();
        }
        config(Some(&cert), Some(&key)).unwrap();
        assert!(matches!(
            config(Some(&cert), None),
            Err(Error::HalfPair(_, "tls_key"))
        ));
        assert!(matches!(
            config(None, Some(&key)),
            Err(Error::HalfPair(_, "tls_cert"))
        ));
        fs::write(&other, make(&["a".into()], today).unwrap()).unwrap();
        let swapped = config(Some(&cert), Some(&other)).unwrap_err();
        assert!(matches!(swapped, Error::Certificate { .. }), "{swapped}");
        fs::write(&cert, "nothing").unwrap();
        assert!(matches!(
            config(Some(&cert), Some(&key)),
            Err(Error::Certificate { .. })
        ));
    }
}
