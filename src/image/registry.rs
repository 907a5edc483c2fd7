//! One container registry, and one image in it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use futures_util::StreamExt;
use oci_client::client::{ClientConfig, ClientProtocol, current_platform_resolver};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use sha2::{Digest, Sha256};

use super::download::{Answer, install_tls};
use super::{Error, Options, disk};

/// The registry of names that have none in front, and where its blobs really are.
pub(super) const DEFAULT: &str = "docker.io";
const DEFAULT_HOST: &str = "index.docker.io";
/// Where `docker login` keeps the credentials of the default registry.
const DEFAULT_CREDENTIALS: &str = "https://index.docker.io/v1/";

/// The largest configuration that is read.
const CONFIG_MAX: usize = 4 << 20;

/// A registry, and the image in it.
pub(super) struct Registry {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
    /// Another is asked when this one cannot help.
    is_mirror: bool,
}

/// What a registry has of an image.
pub(super) struct Found {
    pub(super) manifest: OciImageManifest,
    /// Digest of the manifest.
    pub(super) digest: String,
    /// The configuration blob.
    pub(super) config: String,
}

impl Registry {
    /// The registry that a reference names.
    pub(super) fn new(reference: Reference, options: &Options) -> Registry {
        let plain = is_local(reference.resolve_registry());
        Registry::open(reference, plain, false, options)
    }

    /// The mirrors of that registry: hosts, or URLs of hosts, of which only the default registry has any.
    pub(super) fn mirrors(reference: &Reference, options: &Options) -> Vec<Registry> {
        let mirrors = options
            .registry_mirrors
            .iter()
            .filter(|_| reference.registry() == DEFAULT);
        let open = |mirror: &String| {
            let host = mirror.trim_end_matches('/');
            let (plain, host) = match (host.strip_prefix("http://"), host.strip_prefix("https://"))
            {
                (Some(host), _) => (true, host),
                (_, Some(host)) => (false, host),
                _ => (is_local(host), host),
            };
            let mut reference = reference.clone();
            reference.set_mirror_registry(host.into());
            Registry::open(reference, plain, true, options)
        };
        mirrors.map(open).collect()
    }

    fn open(reference: Reference, plain: bool, is_mirror: bool, options: &Options) -> Registry {
        install_tls();
        let host = reference.resolve_registry().to_string();
        let config = ClientConfig {
            protocol: if plain {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            platform_resolver: Some(Box::new(current_platform_resolver)),
            connect_timeout: Some(Duration::from_secs(15)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("sistemo/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        Registry {
            client: Client::new(config),
            auth: credentials(&host, options.docker_config.as_deref()),
            reference,
            is_mirror,
        }
    }

    /// Asks for the manifest for this kind of computer, and for the configuration. Both are checked against their
    /// digests.
    pub(super) async fn find(&self, name: &str) -> Result<Found, Error> {
        let asked = self
            .client
            .pull_image_manifest(&self.reference, &self.auth)
            .await;
        let (manifest, digest) = asked.map_err(|error| refusal(name, error))?;
        let config = self.config(name, &manifest.config).await?;
        Ok(Found {
            manifest,
            digest,
            config,
        })
    }

    /// The configuration blob.
    async fn config(&self, name: &str, blob: &OciDescriptor) -> Result<String, Error> {
        let wrong = || Error::Digest {
            digest: blob.digest.clone(),
        };
        let asked = self.client.pull_blob_stream(&self.reference, blob).await;
        let mut stream = asked.map_err(|error| refusal(name, error))?.stream;
        let mut text = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|source| Error::Unreachable {
                reference: name.into(),
                source: source.into(),
            })?;
            text.extend_from_slice(&piece);
            if text.len() > CONFIG_MAX {
                return Err(wrong());
            }
        }
        if disk::written(&Sha256::digest(&text)) != blob.digest {
            return Err(wrong());
        }
        String::from_utf8(text).map_err(|_| wrong())
    }

    /// Asks for a blob from some byte on.
    pub(super) async fn blob(&self, blob: &OciDescriptor, offset: u64) -> Result<Answer, Error> {
        let asked = self
            .client
            .pull_blob_stream_partial(&self.reference, blob, offset, None)
            .await;
        asked.map(Answer::from).map_err(|error| match error {
            OciDistributionError::RequestError(error) if !error.is_connect() => Error::Download {
                url: blob.digest.clone(),
                source: error.without_url().into(),
            },
            other => refusal(&self.reference.whole(), other),
        })
    }

    /// Whether it is worth asking again: a mirror is passed over, and so is a registry that nobody answers for.
    pub(super) fn is_busy(&self, error: &Error) -> bool {
        match error {
            Error::Unreachable { source, .. } => {
                !self.is_mirror && !could_not_connect(source.as_ref())
            }
            _ => false,
        }
    }
}

/// Whether nobody answered at all.
fn could_not_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<reqwest::Error>()
        .is_some_and(reqwest::Error::is_connect)
}

/// Whether a registry is on this computer, where TLS is not expected.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// What `docker login` left for a registry, helpers included; nobody in particular otherwise.
fn credentials(host: &str, folder: Option<&Path>) -> RegistryAuth {
    let host = if host == DEFAULT_HOST {
        DEFAULT_CREDENTIALS
    } else {
        host
    };
    let found = match folder.map(|folder| File::open(folder.join("config.json"))) {
        None => docker_credential::get_credential(host),
        Some(Ok(config)) => {
            docker_credential::get_credential_from_reader(BufReader::new(config), host)
        }
        Some(Err(_)) => Err(CredentialRetrievalError::ConfigNotFound),
    };
    match found {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            RegistryAuth::Basic(user, password)
        }
        Ok(DockerCredential::IdentityToken(token)) => RegistryAuth::Bearer(token),
        // What a helper said may hold a secret, so it is not repeated.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            tracing::warn!(helper, host, "docker's credential helper failed");
            RegistryAuth::Anonymous
        }
        Err(error) => {
            tracing::debug!(%error, host, "no credentials");
            RegistryAuth::Anonymous
        }
    }
}

/// Puts a registry's refusal into words.
fn refusal(reference: &str, error: OciDistributionError) -> Error {
    let reference = reference.to_string();
    match error {
        OciDistributionError::RequestError(error) => Error::Unreachable {
            reference,
            source: error.into(),
        },
        // The server has a bad moment, or too much to do.
        OciDistributionError::ServerError { code, message, .. } if code >= 500 || code == 429 => {
            Error::Unreachable {
                reference,
                source: format!("status {code}: {message}").into(),
            }
        }
        OciDistributionError::DigestError(error) => Error::Digest {
            digest: error.to_string(),
        },
        OciDistributionError::ImageManifestNotFoundError(said) if said.contains("platform") => {
            Error::Platform { reference }
        }
        OciDistributionError::ImageManifestNotFoundError(_) => Error::NoSuchImage { reference },
        OciDistributionError::RegistryError { envelope, .. } => {
            use oci_client::errors::OciErrorCode;
            let unknown = |code: &OciErrorCode| {
                matches!(
                    code,
                    OciErrorCode::ManifestUnknown
                        | OciErrorCode::NameUnknown
                        | OciErrorCode::NotFound
                )
            };
            if envelope.errors.iter().any(|error| unknown(&error.code)) {
                return Error::NoSuchImage { reference };
            }
            let said: Vec<_> = envelope.errors.iter().map(ToString::to_string).collect();
            Error::Registry {
                reference,
                said: said.join("; "),
            }
        }
        OciDistributionError::ServerError { code: 404, .. } => Error::NoSuchImage { reference },
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => Error::Registry {
            reference,
            said: "not without credentials".into(),
        },
        other => Error::Registry {
            reference,
            said: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computers_registries_go_without_tls() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in ["registry.example", "10.0.0.1:5000", "localhost.example"] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn only_the_default_registry_has_mirrors() {
        let options = Options {
            registry_mirrors: vec!["mirror.example".into(), "http://other.example:80/".into()],
            ..Options::default()
        };
        let of = |name: &str| Registry::mirrors(&name.parse().unwrap(), &options);
        let hosts: Vec<_> = of("nginx")
            .iter()
            .map(|r| r.reference.resolve_registry().to_string())
            .collect();
        assert_eq!(hosts, ["mirror.example", "other.example:80"]);
        assert!(of("registry.example/nginx").is_empty());
    }
}
