//! The settings there are, with their defaults: the one list that files, variables and `sistemo config` go by.

/// A key, its default as text, and what it means. An empty default stands for "none".
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
}

/// Every setting but `data_dir`, which says where the others are.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "network_home",
        default: "host",
        meaning: "network namespace that holds bridges and machines: host, or a path such as /run/netns/lab",
    },
    Key {
        name: "bridge_subnet",
        default: "10.200.0.0/16",
        meaning: "addresses of the default network",
    },
    Key {
        name: "uplink",
        default: "",
        meaning: "interface to the outside; by default any",
    },
    Key {
        name: "listen",
        default: "localhost:7777",
        meaning: "address of the daemon's pages and API; beyond this computer with TLS",
    },
    Key {
        name: "web_names",
        default: "",
        meaning: "more names that the daemon's pages answer to, comma-separated: vm.lan, https://vm.example",
    },
    Key {
        name: "tls_cert",
        default: "",
        meaning: "file with the certificates of the daemon's pages (PEM); by default a self-made one",
    },
    Key {
        name: "tls_key",
        default: "",
        meaning: "file with the key to tls_cert (PEM)",
    },
    Key {
        name: "accelerator",
        default: "auto",
        meaning: "auto (KVM where it really works), kvm or tcg (software emulation)",
    },
    Key {
        name: "contain",
        default: "auto",
        meaning: "keep hypervisors from everything but their machines: auto (as far as the host lets them be kept), always or never",
    },
    Key {
        name: "vmm",
        default: "auto",
        meaning: "hypervisor of machines: auto (firecracker where KVM works, else qemu), qemu or firecracker",
    },
    Key {
        name: "firecracker",
        default: "",
        meaning: "path of the program firecracker; by default the one that setup fetched, or in PATH",
    },
    Key {
        name: "firecracker_mirror",
        default: "",
        meaning: "address that setup fetches Firecracker's release from instead of the project's own",
    },
    Key {
        name: "huge_pages",
        default: "none",
        meaning: "memory of machines under Firecracker: none, transparent or 2M (hugetlbfs)",
    },
    Key {
        name: "kernel",
        default: "",
        meaning: "path of a guest kernel; by default the one setup fetched",
    },
    Key {
        name: "registry_url",
        default: "",
        meaning: "address of prebuilt images (index.json and disks); none by default",
    },
    Key {
        name: "registry_mirrors",
        default: "",
        meaning: "mirrors asked before the default container registry, comma-separated",
    },
    Key {
        name: "default_vcpus",
        default: "2",
        meaning: "virtual processors of a machine",
    },
    Key {
        name: "default_memory",
        default: "512M",
        meaning: "memory of a machine",
    },
    Key {
        name: "default_storage",
        default: "2G",
        meaning: "root disk of a machine",
    },
    Key {
        name: "ssh_timeout",
        default: "180",
        meaning: "seconds to wait for a guest to answer",
    },
    Key {
        name: "stop_timeout",
        default: "30",
        meaning: "seconds a guest may take to power off",
    },
    Key {
        name: "reconcile_interval",
        default: "30",
        meaning: "seconds between two walks of the daemon over everything",
    },
    Key {
        name: "max_vcpus",
        default: "64",
        meaning: "most virtual processors of one machine",
    },
    Key {
        name: "max_memory",
        default: "",
        meaning: "most memory of one machine; by default what the host has",
    },
    Key {
        name: "bandwidth_mbps",
        default: "0",
        meaning: "megabits per second that a machine may send, and be sent; 0 for no limit",
    },
    Key {
        name: "iops",
        default: "0",
        meaning: "reads and writes per second of a machine's disks; 0 for no limit",
    },
    Key {
        name: "console_log_max",
        default: "16M",
        meaning: "largest boot log of a machine, from 1M; of a larger one the middle is left out",
    },
    Key {
        name: "min_disk_free",
        default: "1G",
        meaning: "disk space that deploys, pulls and builds leave free",
    },
    Key {
        name: "theme",
        default: "auto",
        meaning: "colours of the console: auto, a theme such as nord, or one for the dark and one for the light: nord/solarized-light",
    },
];
