//! Names of machines, as their neighbours ask for them.

use std::net::UdpSocket;
use std::path::PathBuf;

use hickory_server::proto::op::{Message, MessageType, Metadata};
use hickory_server::proto::rr::rdata::A;
use hickory_server::proto::rr::{RData, Record};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Image, Lab, until};

/// Resolvers of a lab's namespace; forgotten when dropped.
struct Resolvers(PathBuf);

impl Resolvers {
    /// Has the lab's namespace ask `address` for names.
    fn of(lab: &Lab, address: &str) -> Resolvers {
        let folder = PathBuf::from("/etc/netns").join(&lab.namespace);
        std::fs::create_dir_all(&folder).unwrap();
        let resolvers = Resolvers(folder);
        resolvers.become_(address);
        resolvers
    }

    fn become_(&self, address: &str) {
        std::fs::write(
            self.0.join("resolv.conf"),
            format!("nameserver {address}\n"),
        )
        .unwrap();
    }
}

impl Drop for Resolvers {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A resolver at `address` in the lab that knows one address for every name.
fn resolver(lab: &Lab, address: &'static str, knows: [u8; 4]) {
    let socket = lab.within(move || UdpSocket::bind((address, 53)).unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let asked = Message::from_vec(&buffer[..length]).unwrap();
            let query = asked.queries[0].clone();
            let mut answer = Message::new(
                asked.metadata.id,
                MessageType::Response,
                asked.metadata.op_code,
            );
            answer.metadata = Metadata::response_from_request(&asked.metadata);
            answer.metadata.recursion_available = true;
            if query.query_type().to_string() == "A" {
                let data = RData::A(A(knows.into()));
                answer
                    .answers
                    .push(Record::from_rdata(query.name().clone(), 0, data));
            }
            answer.add_query(query);
            let _ = socket.send_to(&answer.to_vec().unwrap(), from);
        }
    });
}

#[test]
fn machines_are_found_by_name_on_their_network_and_the_world_by_the_hosts_resolvers() {
    let lab = Lab::new();
    resolver(&lab, "127.0.0.1", [192, 0, 2, 1]);
    resolver(&lab, "127.0.0.2", [192, 0, 2, 2]);
    let resolvers = Resolvers::of(&lab, "127.0.0.1");
    let tiny = lab.image(Image::Tiny);
    lab.run("network create lab --subnet 172.20.0.0/24").ok();
    for (name, network) in [("a", "default"), ("web", "default"), ("other", "lab")] {
        lab.run(&format!(
            "machine deploy {tiny} --name {name} --network {network}"
        ))
        .ok();
    }
    // What a guest finds under a name, as `nslookup` prints it.
    let found = |from: &str, name: &str| {
        let asked = lab.run(&format!("machine exec {from} nslookup {name}"));
        let said = String::from_utf8_lossy(&asked.stdout);
        let answers = said.split_once("\n\n").map_or("", |(_, answers)| answers);
        answers.trim().replace('\n', " ")
    };
    let web = "Name:\tweb.default Address: 10.200.0.3";
    assert_eq!(found("a", "web"), web);
    assert_eq!(found("a", "web.default"), web);
    assert_eq!(found("a", "WEB"), "Name:\tWEB.default Address: 10.200.0.3");
    let reverse = found("a", "10.200.0.3");
    assert!(reverse.contains("name = web.default"), "{reverse}");
    lab.run("machine exec a ping -c 1 -W 5 web").ok();
    // Nobody is asked for what can only be a machine's, and no other network is told of.
    for name in ["nosuch", "other"] {
        let said = found("a", name);
        assert!(said.contains("NXDOMAIN"), "{name}: {said}");
    }
    let other = found("other", "web.default");
    assert!(other.contains("192.0.2.1"), "{other}");
    // The rest of the world, by whichever resolver the host has now.
    let world = found("a", "www.example.com");
    assert!(world.contains("Address: 192.0.2.1"), "{world}");
    resolvers.become_("127.0.0.2");
    until("the new resolver is asked", || {
        found("a", "ftp.example.com").contains("Address: 192.0.2.2")
    });

    // Killed, it is there again with the next command; names follow what happens to machines.
    let before = lab.attendant().unwrap();
    kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
    until("the attendant is gone", || lab.attendant() != Some(before));
    lab.run("machine delete other -y").ok();
    until("names are served again", || found("a", "web") == web);
    lab.run("machine delete web -y").ok();
    let gone = found("a", "web");
    assert!(gone.contains("NXDOMAIN"), "{gone}");
    lab.run("machine delete a -y").ok();
    lab.run("network delete lab").ok();
    lab.has_nothing_left();
}

#[test]
fn a_name_server_of_the_hosts_own_is_named() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let _held = lab.within(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    let done = lab.run(&format!("machine deploy {tiny} --name a --no-wait"));
    let said = done.stderr.clone();
    done.ok();
    assert!(said.contains("answers at 10.200.0.1:53"), "{said}");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
