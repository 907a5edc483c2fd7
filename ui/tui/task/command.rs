//! The command that does what a task does, as one would type it.

use std::path::Path;

use sistemo::machine::Request;
use sistemo::value::{ByteSize, PortMapping, Protocol, without_secrets};
use sistemo::volume::Attachment;

use super::Task;

impl Task {
    /// The command, quoted for a shell. Values of variables are left out: the command takes them from the environment.
    pub(crate) fn command_line(&self) -> String {
        let words: Vec<String> = self.words().iter().map(|word| quoted(word)).collect();
        format!("sistemo {}", words.join(" "))
    }

    fn words(&self) -> Vec<String> {
        match self {
            Task::Setup => line("setup", &[]),
            Task::Deploy(request) => deploy(request),
            Task::Start(machine) => line("machine start", &[machine.name()]),
            Task::Stop { machine, force } => {
                let mut words = line("machine stop", &[machine.name()]);
                words.extend(force.then(|| "--force".into()));
                words
            }
            Task::Restart(machine) => line("machine restart", &[machine.name()]),
            Task::Pause(machine) => line("machine pause", &[machine.name()]),
            Task::Resume(machine) => line("machine resume", &[machine.name()]),
            Task::Snapshot { machine, name } => {
                let mut words = line("machine snapshot create", &[machine.name()]);
                words.extend(name.as_ref().map(ToString::to_string));
                words
            }
            Task::Restore { machine, snapshot } => {
                line("machine snapshot restore", &[machine.name(), snapshot])
            }
            Task::DeleteSnapshot { machine, snapshot } => {
                line("machine snapshot delete", &[machine.name(), snapshot])
            }
            Task::Fork { machine, new } => line("machine fork", &[machine.name(), new.as_str()]),
            Task::Delete {
                machine,
                keep_storage,
            } => {
                let mut words = line("machine delete", &[machine.name()]);
                words.extend(keep_storage.then(|| "--preserve-storage".into()));
                words
            }
            Task::Rename { machine, new } => {
                line("machine rename", &[machine.name(), new.as_str()])
            }
            Task::Expose { machine, port } => line(
                "machine expose",
                &[machine.name(), "--port", &mapping(port)],
            ),
            Task::Unexpose { machine, port } => line(
                "machine unexpose",
                &[machine.name(), "--port", &mapping(port)],
            ),
            Task::Attach {
                machine,
                attachment,
            } => line(
                "machine volume attach",
                &[machine.name(), &placed(attachment)],
            ),
            Task::Detach { machine, volume } => {
                line("machine volume detach", &[machine.name(), volume.name()])
            }
            Task::CreateVolume { name, size } => {
                let mut words = line("volume create", &[&typed(*size)]);
                option(&mut words, "--name", name.as_ref());
                words
            }
            Task::ResizeVolume { volume, size } => {
                line("volume resize", &[volume.name(), &typed(*size)])
            }
            Task::RenameVolume { volume, new } => {
                line("volume rename", &[volume.name(), new.as_str()])
            }
            Task::DeleteVolume(volume) => line("volume delete", &[volume.name()]),
            Task::CreateNetwork { name, subnet } => {
                let mut words = line("network create", &[name.as_str()]);
                option(&mut words, "--subnet", subnet.as_ref());
                words
            }
            Task::DeleteNetwork(name) => line("network delete", &[name]),
            Task::Pull(reference) => line("image pull", &[&without_secrets(reference)]),
            Task::Build { reference, name } => {
                let mut words = line("image build", &[&without_secrets(reference)]);
                option(&mut words, "--name", name.as_ref());
                words
            }
            Task::BuildDockerfile { folder, file, name } => {
                let mut words = line("image build", &[]);
                option(
                    &mut words,
                    "--file",
                    file.as_ref().map(|path| path.display()),
                );
                option(&mut words, "--name", name.as_ref());
                words.push(as_path(folder));
                words
            }
            Task::DeleteImage(image) => line("image delete", &[image.name()]),
            Task::Prune { all } => {
                let mut words = line("image prune", &[]);
                words.extend(all.then(|| "--all".into()));
                words
            }
        }
    }
}

/// A word as a shell wants it (POSIX.1-2017, XCU 2.2): in quotes when it needs them.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into();
    }
    // Only a zero byte cannot be quoted, and no program has one in its arguments.
    shlex::try_quote(word).map(Into::into).unwrap_or_default()
}

fn line(command: &str, arguments: &[&str]) -> Vec<String> {
    let words = command.split(' ').chain(arguments.iter().copied());
    words.map(str::to_owned).collect()
}

fn option(words: &mut Vec<String>, option: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        words.extend([option.to_owned(), value.to_string()]);
    }
}

fn deploy(request: &Request) -> Vec<String> {
    let mut words = line("machine deploy", &[]);
    words.extend(request.image.as_deref().map(without_secrets));
    option(&mut words, "--volume", request.volume.as_ref());
    option(&mut words, "--name", request.name.as_ref());
    option(&mut words, "--vcpus", request.vcpus);
    option(&mut words, "--memory", request.memory.map(typed));
    option(&mut words, "--storage", request.storage.map(typed));
    option(&mut words, "--bandwidth", request.bandwidth_mbps);
    option(&mut words, "--iops", request.iops);
    option(&mut words, "--vmm", request.vmm.map(|vmm| vmm.as_str()));
    option(&mut words, "--network", request.network.as_ref());
    for port in &request.expose {
        option(&mut words, "--expose", Some(mapping(port)));
    }
    if !request.attach.is_empty() {
        let all: Vec<String> = request.attach.iter().map(placed).collect();
        option(&mut words, "--attach", Some(all.join(",")));
    }
    let restart = request.restart.map(|restart| restart.as_str());
    option(&mut words, "--restart", restart);
    words.extend(request.no_wait.then(|| "--no-wait".to_owned()));
    let application = &request.application;
    for variable in &application.env {
        option(&mut words, "--env", Some(variable.name()));
    }
    option(&mut words, "--entrypoint", application.entrypoint.as_ref());
    option(&mut words, "--user", application.user.as_ref());
    option(&mut words, "--workdir", application.workdir.as_ref());
    if !application.command.is_empty() {
        words.push("--".into());
        words.extend(application.command.iter().cloned());
    }
    words
}

/// A size as it is typed: exact, in the largest unit that has no fraction.
pub(crate) fn typed(size: ByteSize) -> String {
    let bytes = size.as_u64();
    for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
        if bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}

/// A port as it is typed: without what goes without saying.
pub(crate) fn mapping(port: &PortMapping) -> String {
    let ports = match port.host == port.machine {
        true => port.host.to_string(),
        false => format!("{}:{}", port.host, port.machine),
    };
    match port.protocol {
        Protocol::Tcp => ports,
        Protocol::Udp => format!("{ports}/udp"),
    }
}

fn placed(attachment: &Attachment) -> String {
    let volume = &attachment.volume;
    match &attachment.path {
        Some(path) => format!("{volume}:{path}"),
        None => volume.clone(),
    }
}

/// A folder so that the command takes it for one, and not for an image's name.
fn as_path(folder: &Path) -> String {
    let text = folder.display().to_string();
    let told = matches!(text.as_str(), "." | "..")
        || ["/", "./", "../", "~/"]
            .iter()
            .any(|start| text.starts_with(start));
    match told {
        true => text,
        false => format!("./{text}"),
    }
}
