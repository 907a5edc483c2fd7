//! `POST /machines`: deploying, with the words of `sistemo machine deploy`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sistemo::config::{MOST_BANDWIDTH, MOST_IOPS};
use sistemo::guest::words::Restart;
use sistemo::machine::{Request, Wishes};
use sistemo::value::Variable;

use crate::web::Web;
use crate::web::api::extract::{Body, Key, Params, Waiting};
use crate::web::api::operations::{Operation, Order, begin, value};
use crate::web::api::problem::{Answer, Problem};
use crate::web::api::words::{Size, maybe, plain, word};

/// A machine to be. Either `image` or `volume` is named; what is absent comes from the settings.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"image": "debian", "name": "web", "memory": "1G", "expose": ["8080:80"]}))]
pub(super) struct Deploy {
    /// A recipe (`debian`), a container image (`nginx`), a file or a URL.
    #[schema(min_length = 1)]
    image: Option<String>,
    /// An existing root volume to boot from.
    #[schema(min_length = 1)]
    volume: Option<String>,
    /// By default from the image, with `-2`, `-3` … when taken.
    #[schema(max_length = 63, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    name: Option<String>,
    #[schema(minimum = 1, maximum = 64)]
    vcpus: Option<u8>,
    /// From 128M.
    memory: Option<Size>,
    /// Size of the root disk; never smaller than the image.
    storage: Option<Size>,
    /// Megabits per second, each way; 0 for no limit.
    #[schema(maximum = 100_000)]
    bandwidth_mbps: Option<u32>,
    /// Reads and writes per second; 0 for no limit.
    #[schema(maximum = 10_000_000)]
    iops: Option<u32>,
    /// `qemu` or `firecracker`, which needs KVM; by default what the setting `vmm` says.
    #[schema(example = "qemu", pattern = "^(qemu|firecracker)$")]
    vmm: Option<String>,
    /// When it is started again after it ended by itself; by default an application when it failed, an OS never.
    restart: Option<Policy>,
    /// Ports of the host that are to lead into it: `8080:80`, `80`, `53:53/udp`.
    #[serde(default)]
    #[schema(max_items = 256)]
    expose: Vec<String>,
    /// The network that it is on.
    #[schema(max_length = 63, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    network: Option<String>,
    /// Data volumes to mount: `VOLUME`, or `VOLUME:/path`; by default at `/mnt/VOLUME`.
    #[serde(default)]
    #[schema(max_items = 14)]
    attach: Vec<String>,
    /// Variables of its application; `null` takes one of the image's away.
    #[serde(default)]
    env: BTreeMap<String, Option<String>>,
    /// Program to run instead of what the image names; empty for none.
    entrypoint: Option<String>,
    /// What runs instead of the image's command.
    #[serde(default)]
    command: Vec<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    user: Option<String>,
    /// Absolute path of the working directory.
    workdir: Option<String>,
    /// Whether the operation ends before the guest answers.
    #[serde(default)]
    no_wait: bool,
}

/// When a machine is started again.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Policy {
    No,
    OnFailure,
    Always,
}

impl From<Policy> for Restart {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::No => Restart::No,
            Policy::OnFailure => Restart::OnFailure,
            Policy::Always => Restart::Always,
        }
    }
}

impl Deploy {
    fn request(self) -> Answer<Request> {
        for (field, asked, most) in [
            ("bandwidth_mbps", self.bandwidth_mbps, MOST_BANDWIDTH),
            ("iops", self.iops, MOST_IOPS),
        ] {
            if asked.is_some_and(|asked| u64::from(asked) > most) {
                return Err(Problem::usage(format!("{field} is at most {most}")));
            }
        }
        let size = |field, size: Option<&Size>| size.map(|size| size.parse(field)).transpose();
        let expose = self.expose.iter().map(|port| word("expose", port));
        let attach = self.attach.iter().map(|volume| plain("attach", volume));
        let env = self
            .env
            .iter()
            .map(|(key, value)| variable(key, value.as_deref()));
        Ok(Request {
            name: maybe("name", self.name.as_ref())?,
            vcpus: self.vcpus,
            memory: size("memory", self.memory.as_ref())?,
            storage: size("storage", self.storage.as_ref())?,
            bandwidth_mbps: self.bandwidth_mbps,
            iops: self.iops,
            vmm: self.vmm.map(|vmm| plain("vmm", &vmm)).transpose()?,
            restart: self.restart.map(Restart::from),
            expose: expose.collect::<Answer<_>>()?,
            network: maybe("network", self.network.as_ref())?,
            attach: attach.collect::<Answer<_>>()?,
            application: Wishes {
                env: env.collect::<Answer<_>>()?,
                entrypoint: self.entrypoint,
                command: self.command,
                user: self.user,
                workdir: self.workdir,
            },
            image: self.image,
            volume: self.volume,
            no_wait: self.no_wait,
        })
    }
}

/// A variable that is to have a value, or to be taken away.
fn variable(key: &str, value: Option<&str>) -> Answer<Variable> {
    if key.contains('=') {
        return Err(Problem::usage(format!("env: the name {key:?} holds a =")));
    }
    let text = value.map_or_else(|| key.to_owned(), |value| format!("{key}={value}"));
    Variable::parse(&text, &|_| None).map_err(|error| Problem::usage(format!("env: {error}")))
}

/// Deploy a machine
///
/// Makes it from an image, or from a root volume, and starts it. What fails, or is taken back, is undone. The operation's
/// result is the machine.
#[utoipa::path(post, path = "/machines", operation_id = "deployMachine", tag = "machines", request_body = Deploy,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn deploy(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Deploy>,
) -> Answer<Response> {
    let named = [&body.name, &body.image, &body.volume];
    let target = named.into_iter().flatten().next().cloned();
    let target = sistemo::value::without_secrets(&target.unwrap_or_default());
    let order = Order::new("machine.deploy", target, &body, key, waiting)?;
    let request = body.request()?;
    let machines = web.engine().machines().clone();
    let check = async { Ok(machines.check_deploy(&request).await?) };
    begin(&web, order, check, |job| {
        let (machines, request) = (machines.clone(), request.clone());
        async move {
            let deploying = machines.deploy(&request, &job.progress, &job.cancel);
            Ok(value(Box::pin(deploying).await?))
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sistemo::value::{ByteSize, PortMapping};

    use super::*;

    fn request(body: serde_json::Value) -> Answer<Request> {
        let body: Deploy = serde_json::from_value(body).unwrap();
        body.request()
    }

    #[test]
    fn the_words_are_those_of_the_command_line() {
        let asked = request(json!({
            "image": "nginx", "name": "web", "vcpus": 2, "memory": "1G", "storage": 2147483648u64,
            "restart": "on-failure", "expose": ["8080:80", "53:53/udp"], "network": "lab",
            "attach": ["data:/srv/data", "logs"], "env": {"A": "1=2", "B": null}, "command": ["run", "it"],
        }))
        .unwrap();
        let ports: Vec<PortMapping> =
            vec!["8080:80".parse().unwrap(), "53:53/udp".parse().unwrap()];
        let here = |_: &str| None;
        let expected = Request {
            image: Some("nginx".into()),
            name: Some("web".parse().unwrap()),
            vcpus: Some(2),
            memory: Some(ByteSize::gib(1)),
            storage: Some(ByteSize::gib(2)),
            restart: Some(Restart::OnFailure),
            expose: ports,
            network: Some("lab".parse().unwrap()),
            attach: vec!["data:/srv/data".parse().unwrap(), "logs".parse().unwrap()],
            application: Wishes {
                env: vec![
                    Variable::parse("A=1=2", &here).unwrap(),
                    Variable::parse("B", &here).unwrap(),
                ],
                command: vec!["run".into(), "it".into()],
                ..Wishes::default()
            },
            ..Request::default()
        };
        assert_eq!(asked, expected);
    }

    #[test]
    fn nonsense_is_refused_with_its_field() {
        for (body, field) in [
            (json!({"image": "debian", "name": "Web"}), "name"),
            (json!({"image": "debian", "memory": "much"}), "memory"),
            (json!({"image": "debian", "expose": ["0"]}), "expose"),
            (json!({"image": "debian", "attach": ["data:srv"]}), "attach"),
            (json!({"image": "debian", "env": {"A=B": "c"}}), "env"),
            (json!({"image": "debian", "vmm": "xen"}), "vmm"),
            (json!({"image": "debian", "iops": 10_000_001}), "iops"),
        ] {
            let problem = serde_json::to_value(request(body).unwrap_err()).unwrap();
            assert_eq!(problem["status"], 400);
            assert!(
                problem["detail"].as_str().unwrap().starts_with(field),
                "{problem}"
            );
        }
        let unknown = serde_json::from_value::<Deploy>(json!({"image": "debian", "memry": "1G"}));
        assert!(unknown.unwrap_err().to_string().contains("memry"));
    }
}
