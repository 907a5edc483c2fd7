//! What people run inside a machine that needs more of the kernel than its disk: containers, tunnels, firewalls.

use crate::support::{Image, Lab};

/// A tunnel, a firewall with address translation, layers of folders, links between namespaces, groups with limits.
const NETWORKS: &str = r#"
set -e
modprobe wireguard
ip link add wg0 type wireguard
umask 077; wg genkey > /root/key; wg set wg0 private-key /root/key listen-port 51820
ip address add 10.9.0.1/24 dev wg0; ip link set wg0 up
wg show wg0 | grep -q 'listening port: 51820' && echo wireguard

nft -f - <<RULES
table ip nat {
  chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
  chain in { type nat hook prerouting priority dstnat; tcp dport 8888 dnat to 10.9.0.2:80; }
}
table inet filter {
  set known { type ipv4_addr; flags timeout; }
  chain forward { type filter hook forward priority filter; ct state established,related accept; ip saddr @known counter; }
}
RULES
nft list ruleset | grep -q masquerade && echo nft

mkdir -p /root/o/low /root/o/up /root/o/work /root/o/all; echo low > /root/o/low/file
mount -t overlay overlay -o lowerdir=/root/o/low,upperdir=/root/o/up,workdir=/root/o/work /root/o/all
echo up > /root/o/all/file; [ "$(cat /root/o/low/file /root/o/up/file)" = "low
up" ] && echo overlay

ip netns add other; ip link add br1 type bridge; ip link add v0 type veth peer name v1 netns other
ip link set v0 master br1 up; ip address add 10.8.0.1/24 dev br1; ip link set br1 up
ip -n other address add 10.8.0.2/24 dev v1; ip -n other link set v1 up
ip netns exec other busybox ping -c 1 -w 5 10.8.0.1 > /dev/null && echo bridge

for controller in cpu cpuset io memory pids; do grep -qw $controller /sys/fs/cgroup/cgroup.controllers; done
stat -f -c %T /sys/fs/cgroup
[ -c /dev/net/tun ] && [ -c /dev/fuse ] && echo devices
"#;

/// A container with limits whose port is published, from an image that needs no registry.
const CONTAINER: &str = r#"
set -e
systemctl start docker
mkdir -p /root/i/bin /root/i/www; cp /bin/busybox /root/i/bin/
for applet in sh httpd hostname cat id; do ln -s busybox /root/i/bin/$applet; done
echo from a container > /root/i/www/hello
tar -C /root/i -c . | docker import - tiny > /dev/null
docker run --rm --hostname inner tiny /bin/sh -c 'hostname; cat /sys/fs/cgroup/memory.max' 
docker run -d --name web -p 8080:80 -m 32m --cpus 0.5 tiny /bin/httpd -f -p 80 -h /www > /dev/null
docker exec web cat /sys/fs/cgroup/memory.max
"#;

#[test]
fn docker_wireguard_and_nft_run_inside_a_machine() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_DEFAULT_MEMORY", "768M");
    lab.set("SISTEMO_DEFAULT_STORAGE", "2G");
    let docker = lab.image(Image::Docker);
    lab.run(&format!(
        "machine deploy {docker} --name a --expose 8081:8080"
    ))
    .ok();
    let said = lab.feed("machine exec a bash", NETWORKS).ok();
    assert_eq!(
        said,
        "wireguard\nnft\noverlay\nbridge\ncgroup2fs\ndevices\n"
    );
    let said = lab.feed("machine exec a bash", CONTAINER).ok();
    assert_eq!(said, "inner\nmax\n33554432\n");
    // From the machine's own host, through both its network and the container's.
    let ask = "curl -s -m 10 --retry 5 --retry-connrefused http://localhost:8081/hello";
    assert_eq!(lab.inside(ask), "from a container\n");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
