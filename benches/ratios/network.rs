//! A machine's place in the network: namespace, links, tap and firewall elements, beside a script of `ip` and `nft`
//! commands that makes the same; and whether the five hundredth is as quick as the first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sistemo::network::{Home, MachinePlan, NetworkPlan, mac_for, plan_machine, plan_network};
use sistemo::store::Store;
use sistemo::value::MachineId;
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::lab::{Lab, enter, run};
use crate::measure::{Samples, alternate, time};
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 41;
const MACHINES: usize = 500;
/// So many at either end of the five hundred are taken for the first and the last.
const AT_THE_END: usize = 25;

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let (ours, plain) = (House::new(lab, "ours")?, House::new(lab, "plain")?);
    let attach = |_| ours.timed_attach();
    let script = |_| plain.timed_script();
    let (by_us, by_script) = alternate(ROUNDS, attach, script)?;
    let each = Line {
        name: "network set-up of a machine".into(),
        unit: Unit::Milliseconds,
        ours: by_us,
        plain: Some(("ip and nft commands".into(), by_script)),
        bound: Bound::Times(0.25),
    };
    drop((ours, plain));

    let house = House::new(lab, "many")?;
    let mut times = Vec::new();
    for _ in 0..MACHINES {
        times.push(house.timed_attach()?);
    }
    let many = Line {
        name: format!("network set-up of the {MACHINES}th machine"),
        unit: Unit::Milliseconds,
        ours: Samples::times(&times[MACHINES - AT_THE_END..])?,
        plain: Some(("the 1st".into(), Samples::times(&times[..AT_THE_END])?)),
        bound: Bound::Times(1.5),
    };
    Ok(vec![each, many])
}

/// A network home with a network that is up. What is on it goes with this.
struct House {
    name: String,
    home: Home,
    network: NetworkPlan,
    runtime: Runtime,
    machines: std::cell::RefCell<Vec<MachinePlan>>,
}

impl House {
    fn new(lab: &Lab, what: &str) -> Outcome<House> {
        let name = format!("sistemo-bench-{what}-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let store = Store::open(&lab.scratch().join(format!("{what}.db")))?;
        let row = store.ensure_network(&"default".parse()?, "10.200.0.0/16".parse()?)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let house = House {
            home: Home::open(&path(&name).display().to_string())?,
            network: plan_network(&row, 1500, None),
            name,
            runtime,
            machines: Vec::new().into(),
        };
        house.runtime.block_on(house.home.up(&house.network))?;
        Ok(house)
    }

    /// The next machine.
    fn plan(&self) -> MachinePlan {
        let number = u32::try_from(self.machines.borrow().len()).unwrap_or(0);
        let ip = (u32::from(self.network.gateway) + 1 + number).into();
        let id = MachineId::new();
        let plan = plan_machine(&id, &self.network, ip, mac_for(ip), Vec::new());
        self.machines.borrow_mut().push(plan.clone());
        plan
    }

    fn timed_attach(&self) -> Outcome<Duration> {
        let plan = self.plan();
        time(|| Ok(self.runtime.block_on(self.home.attach(&plan))?))
    }

    fn timed_script(&self) -> Outcome<Duration> {
        let script = script(&self.plan());
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &script]);
        enter(&mut shell, &path(&self.name))?;
        time(|| run(&mut shell))
    }
}

/// The same objects in the same order, with as few commands as these tools take.
fn script(plan: &MachinePlan) -> String {
    let MachinePlan {
        namespace,
        port,
        peer,
        hub,
        tap,
        bridge,
        ip,
        mac,
        mtu,
        ..
    } = plan;
    format!(
        "ip netns add {namespace}
         ip netns exec {namespace} sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
         ip -n {namespace} link add {hub} type bridge ageing_time 0 mcast_snooping 0 forward_delay 0
         ip -n {namespace} tuntap add {tap} mode tap
         ip -n {namespace} link set {tap} master {hub} mtu {mtu} up
         ip -n {namespace} link set {hub} alias 'a machine' mtu {mtu} up
         nft 'add element bridge sistemo owners {{ {ip} : \"{port}\" }}; \
              add element bridge sistemo guests {{ \"{port}\" . {mac} . {ip} }}; \
              add element bridge sistemo ports {{ \"{port}\" }}'
         ip link add {port} mtu {mtu} type veth peer name {peer} mtu {mtu} netns {namespace}
         sysctl -q -w net.ipv6.conf.{port}.disable_ipv6=1
         ip link set {port} master {bridge} up
         ip -n {namespace} link set {peer} master {hub} up"
    )
}

impl Drop for House {
    fn drop(&mut self) {
        for plan in self.machines.borrow().iter() {
            if let Err(error) = self.runtime.block_on(self.home.detach(plan)) {
                eprintln!("warning: {error}");
            }
        }
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.name])) {
            eprintln!("warning: {error}");
        }
    }
}

fn path(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}
