//! Values for a Dockerfile's `ARG` instructions.

use std::fmt;
use std::str::FromStr;

/// `NAME=VALUE`, or `NAME` alone for the value that the environment has. A value may be a secret: it is neither shown
/// nor written down, and reaches the builder through its environment, which only its user can read, not on its command
/// line, which everybody can.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildArgument {
    name: String,
    value: Option<String>,
}

/// Names that mean something to the builder itself, which is not to be changed by what a Dockerfile is given. Their
/// values stand on the command line, so the list has names of which none is a secret's: `DOCKER_PASSWORD` is not here.
const BUILDERS: [&str; 20] = [
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "TERM",
    "TMPDIR",
    "REGISTRY_AUTH_FILE",
    "DOCKER_API_VERSION",
    "DOCKER_BUILDKIT",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTENT_TRUST",
    "DOCKER_CONTEXT",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "CONTAINER_CONNECTION",
    "CONTAINER_HOST",
    "CONTAINER_SSHKEY",
];

/// The same for beginnings of names.
const BUILDERS_BEGIN: [&str; 6] = [
    "LD_",
    "XDG_",
    "BUILDAH_",
    "BUILDKIT_",
    "CONTAINERS_",
    "STORAGE_",
];

impl BuildArgument {
    /// How it stands on the builder's command line, and what is set in its environment.
    pub(super) fn given(&self) -> (String, Option<(&str, &str)>) {
        match &self.value {
            Some(value) if self.is_the_builders() => (format!("{}={value}", self.name), None),
            Some(value) => (self.name.clone(), Some((&self.name, value))),
            None => (self.name.clone(), None),
        }
    }

    fn is_the_builders(&self) -> bool {
        let name = self.name.as_str();
        BUILDERS.contains(&name) || BUILDERS_BEGIN.iter().any(|begin| name.starts_with(begin))
    }
}

impl FromStr for BuildArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err("it wants NAME=VALUE, or NAME for the value in the environment".into());
        }
        Ok(BuildArgument {
            name: name.into(),
            value,
        })
    }
}

impl fmt::Debug for BuildArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_off_the_command_line() {
        let argument = |text: &str| text.parse::<BuildArgument>().unwrap();
        let token = argument("TOKEN=a=b");
        assert_eq!(token.given(), ("TOKEN".into(), Some(("TOKEN", "a=b"))));
        assert_eq!(format!("{token:?}"), "TOKEN");
        assert_eq!(argument("TOKEN").given(), ("TOKEN".into(), None));
        assert_eq!(argument("TOKEN=").given().1, Some(("TOKEN", "")));
        // The builder would be looked for, and look for its files, elsewhere.
        assert_eq!(argument("PATH=/x").given(), ("PATH=/x".into(), None));
        assert_eq!(argument("DOCKER_HOST=x").given().1, None);
        assert_eq!(argument("BUILDAH_ISOLATION=x").given().1, None);
        for secret in [
            "DOCKER_PASSWORD",
            "CONTAINER_TOKEN",
            "USER_TOKEN",
            "PATH_KEY",
        ] {
            let argument = argument(&format!("{secret}=s"));
            assert_eq!(argument.given(), (secret.into(), Some((secret, "s"))));
        }
        for bad in ["", "=x", "A B=c", "A\n=c"] {
            assert!(bad.parse::<BuildArgument>().is_err(), "{bad:?}");
        }
    }
}
