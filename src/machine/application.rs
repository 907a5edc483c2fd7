//! What runs in a machine: what its image says (OCI image-spec, config.md), and what its user says otherwise, by the
//! rules that users of docker know.

use super::Error;
use crate::guest::words::{Command, Restart};
use crate::image::ImageConfig;
use crate::value::Variable;

/// What an image's application is told otherwise than its maker did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Program to run instead of the image's entry point and command; empty for none, so that `command` is all there is.
    pub entrypoint: Option<String>,
    /// What runs instead of the image's command, behind its entry point.
    pub command: Vec<String>,
    /// Variables beside and instead of the image's, in order.
    pub env: Vec<Variable>,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    pub user: Option<String>,
    /// Absolute path of the working directory.
    pub workdir: Option<String>,
}

impl Wishes {
    /// Whether something is to run that the image does not name.
    fn has_program(&self) -> bool {
        self.entrypoint.is_some() || !self.command.is_empty()
    }

    /// The option that needs an application, as it is typed.
    fn for_an_application(&self) -> Option<&'static str> {
        let asked = [
            (!self.env.is_empty(), "--env"),
            (self.user.is_some(), "--user"),
            (self.workdir.is_some(), "--workdir"),
        ];
        asked
            .into_iter()
            .find_map(|(asked, option)| asked.then_some(option))
    }

    /// Refuses what no program can be told.
    pub(super) fn check(&self) -> Result<(), Error> {
        let words = self.entrypoint.iter().chain(&self.command);
        if words.chain(&self.user).any(|word| word.contains('\0')) {
            return Err(Error::ZeroByte);
        }
        if let Some(user) = &self.user
            && (user.is_empty()
                || user.contains(char::is_whitespace)
                || user.split(':').count() > 2)
        {
            return Err(Error::NotAUser(user.clone()));
        }
        if let Some(folder) = &self.workdir
            && (!folder.starts_with('/') || folder.contains('\0'))
        {
            return Err(Error::NotAFolder(folder.clone()));
        }
        if self.entrypoint.as_deref() == Some("") && self.command.is_empty() {
            return Err(Error::NothingToRun);
        }
        Ok(())
    }
}

/// Programs that are an operating system's first process.
const INITS: [&str; 4] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
];

/// Programs that end at once, saying so, unless they are the first process of their container: s6-overlay's `/init` and
/// what it becomes, runit's, and podman's. Others do better as what they are: a first process heeds no signal that it has
/// no handler for (pid_namespaces(7)).
const FIRST: [&str; 4] = ["init", "s6-svscan", "runit-init", "catatonit"];

fn must_be_first(argv: &[String]) -> bool {
    let name = argv.first().and_then(|program| program.rsplit('/').next());
    name.is_some_and(|name| FIRST.contains(&name))
}

/// What runs in a machine whose image says `config`, which only images for applications have. `None` for one without,
/// unless a program is wished for, which then runs instead of the image's init.
pub(super) fn command(
    config: Option<&ImageConfig>,
    wishes: &Wishes,
) -> Result<Option<Command>, Error> {
    let none = ImageConfig::default();
    let image = config.unwrap_or(&none);
    let argv = argv(image, wishes);
    let has_own = argv
        .first()
        .is_some_and(|program| !INITS.contains(&program.as_str()));
    if !has_own && let Some(option) = wishes.for_an_application() {
        return Err(Error::NoApplication(option));
    }
    if config.is_none() && !wishes.has_program() {
        return Ok(None);
    }
    let mut env = image.env.clone();
    for variable in &wishes.env {
        variable.apply(&mut env);
    }
    let folder = wishes.workdir.as_ref().or(image.workdir.as_ref());
    Ok(Some(Command {
        first: has_own && must_be_first(&argv),
        argv: if has_own { argv } else { Vec::new() },
        env,
        cwd: folder.map_or_else(|| "/".into(), |folder| absolute(folder)),
        user: (wishes.user.as_ref().or(image.user.as_ref()))
            .cloned()
            .unwrap_or_default(),
        stop_signal: image.stop_signal.unwrap_or(nix::libc::SIGTERM),
        instead_of_init: has_own,
        restart: if has_own {
            Restart::OnFailure
        } else {
            Restart::No
        },
        volumes: image.volumes.iter().map(|path| absolute(path)).collect(),
    }))
}

/// Program and arguments: an entry point of the user's takes the place of the image's two.
fn argv(image: &ImageConfig, wishes: &Wishes) -> Vec<String> {
    let entry = match &wishes.entrypoint {
        Some(program) if program.is_empty() => &[],
        Some(program) => std::slice::from_ref(program),
        None => image.entrypoint.as_slice(),
    };
    let rest = if wishes.has_program() {
        &wishes.command
    } else {
        &image.cmd
    };
    entry.iter().chain(rest).cloned().collect()
}

/// A path of an image that names one without its first stroke means the root (config.md says absolute; builders do not
/// all heed it).
fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

/// Names of the variables that a command has; their values are for it alone.
pub(super) fn names(command: &Command) -> Vec<String> {
    let name = |pair: &String| Some(pair.split_once('=')?.0.to_owned());
    command.env.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> ImageConfig {
        let words = |text: &str| text.split(' ').map(ToString::to_string).collect();
        ImageConfig {
            entrypoint: words("/entry -x"),
            cmd: words("serve all"),
            env: words("PATH=/app A=1"),
            workdir: Some("srv".into()),
            user: Some("app".into()),
            stop_signal: Some(3),
            exposed_ports: Vec::new(),
            volumes: words("/data"),
        }
    }

    fn wish(entrypoint: Option<&str>, command: &str) -> Wishes {
        Wishes {
            entrypoint: entrypoint.map(Into::into),
            command: command.split_whitespace().map(Into::into).collect(),
            ..Wishes::default()
        }
    }

    fn runs(config: Option<&ImageConfig>, wishes: &Wishes) -> Option<String> {
        command(config, wishes)
            .unwrap()
            .map(|command| command.argv.join(" "))
    }

    #[test]
    fn what_runs_is_the_image_s_unless_said_otherwise() {
        let of = |entrypoint, command| runs(Some(&image()), &wish(entrypoint, command)).unwrap();
        assert_eq!(of(None, ""), "/entry -x serve all");
        assert_eq!(of(None, "run one"), "/entry -x run one");
        assert_eq!(of(Some("/bin/sh"), ""), "/bin/sh");
        assert_eq!(of(Some("/bin/sh"), "-c true"), "/bin/sh -c true");
        assert_eq!(of(Some(""), "/bin/true"), "/bin/true");
        let nothing = wish(Some(""), "").check().unwrap_err();
        assert!(matches!(nothing, Error::NothingToRun));
    }

    #[test]
    fn an_operating_system_boots_unless_a_program_is_to_run_instead() {
        let system = ImageConfig {
            cmd: vec!["/sbin/init".into()],
            env: vec!["A=1".into()],
            ..ImageConfig::default()
        };
        assert_eq!(runs(None, &Wishes::default()), None);
        let booted = command(Some(&system), &Wishes::default()).unwrap().unwrap();
        assert!(booted.argv.is_empty() && !booted.instead_of_init);
        assert_eq!(
            (booted.env, booted.restart),
            (vec!["A=1".into()], Restart::No)
        );
        for config in [None, Some(&system)] {
            let run = command(config, &wish(None, "/bin/date")).unwrap().unwrap();
            assert!(run.instead_of_init);
            assert_eq!(
                (run.argv, run.restart),
                (vec!["/bin/date".into()], Restart::OnFailure)
            );
            let init = command(config, &wish(None, "/sbin/init")).unwrap().unwrap();
            assert!(init.argv.is_empty() && !init.instead_of_init);
        }
    }

    #[test]
    fn those_that_insist_on_being_the_first_process_are_known() {
        let first = |line: &str| {
            command(Some(&image()), &wish(Some(""), line))
                .unwrap()
                .unwrap()
                .first
        };
        assert!(first("/init") && first("/usr/bin/catatonit -- /app"));
        assert!(!first("/app /init") && !first("/usr/bin/tini -- /app"));
        // An operating system's is the machine's own.
        assert!(!first("/sbin/init"));
    }

    #[test]
    fn what_only_an_application_has_is_refused_where_there_is_none() {
        let variable = Variable::parse("A=2", &|_| None).unwrap();
        let mut wishes = Wishes {
            env: vec![variable],
            ..Wishes::default()
        };
        let refused = command(None, &wishes).unwrap_err();
        assert!(
            matches!(refused, Error::NoApplication("--env")),
            "{refused}"
        );
        wishes.command = vec!["/bin/env".into()];
        let run = command(None, &wishes).unwrap().unwrap();
        assert_eq!(run.env, ["A=2"]);
        wishes.command.clear();
        let run = command(Some(&image()), &wishes).unwrap().unwrap();
        assert_eq!(run.env, ["PATH=/app", "A=2"]);
        assert_eq!(names(&run), ["PATH", "A"]);
        let (user, workdir) = (Some("1:2".to_string()), Some("/".to_string()));
        for wishes in [
            Wishes {
                user,
                ..Wishes::default()
            },
            Wishes {
                workdir,
                ..Wishes::default()
            },
        ] {
            assert!(command(None, &wishes).is_err());
            let run = command(Some(&image()), &wishes).unwrap().unwrap();
            let expected = if wishes.user.is_some() {
                ("1:2", "/srv")
            } else {
                ("app", "/")
            };
            assert_eq!((run.user.as_str(), run.cwd.as_str()), expected);
        }
    }

    #[test]
    fn users_and_folders_are_looked_at_before_anything_is_made() {
        let check = |user: Option<&str>, workdir: Option<&str>| {
            let (user, workdir) = (user.map(Into::into), workdir.map(Into::into));
            Wishes {
                user,
                workdir,
                ..Wishes::default()
            }
            .check()
        };
        for user in ["app", "app:wheel", "0", "1000:1000"] {
            check(Some(user), Some("/srv")).unwrap();
        }
        for user in ["", "a b", "a:b:c"] {
            assert!(
                matches!(check(Some(user), None), Err(Error::NotAUser(_))),
                "{user}"
            );
        }
        for folder in ["", "srv", "./srv"] {
            assert!(
                matches!(check(None, Some(folder)), Err(Error::NotAFolder(_))),
                "{folder}"
            );
        }
    }
}
