//! The network that machines live in: what it shall be ([`plan_network`], [`plan_machine`]: pure data) and how it
//! comes about and goes away ([`Home`]: netlink, and one nftables transaction at a time).
//!
//! ```text
//!  network home (a network namespace the engine is given)            machine namespace sistemo-1234abcd
//! ┌──────────────────────────────────────────────────────────┐      ┌───────────────────────────────────┐
//! │ uplink ── masquerade ── sistemo0 ──── veth-1234abcd ─────┼──────┼─ uplink ─── br0 ─── tap0 ── guest │
//! │                         10.200.0.1/16    │               │      │        (a hub: learns nothing)    │
//! │                         table inet sistemo:  who may go where   └───────────────────────────────────┘
//! │                         table bridge sistemo: who may say to be whom, checked at veth-1234abcd
//! └──────────────────────────────────────────────────────────┘
//! ```
//!
//! Decisions, and why:
//!
//! - **Addresses are checked in the home**, where a guest's frames arrive on its veth, not in the machine's namespace:
//!   a hypervisor that was taken over has no power there. A frame passes when (port, source MAC, source IPv4) is an
//!   element of one set, for ARP its sender fields too; all else from a guest is dropped: DHCP, IPv6, other protocols.
//! - **IPv4 only.** IPv6 is off on every link made here, so that a guest neither gets router advertisements nor
//!   answers on link-local addresses that no rule speaks of.
//! - **Nothing is kept on disk.** [`Home::up`] and [`Home::attach`] make what is missing and may be called at any time;
//!   after a reboot they make everything.
//! - **Rules before links**: no link is ever up without the rule that guards it.
//! - **Other firewalls.** An `accept` here cannot undo another table's `drop`. Docker sets the forward policy to drop
//!   and offers the chain `DOCKER-USER` for others' rules: [`Home::up`] puts an accept for the bridge there when that
//!   chain exists. For any other table that drops forwarded packets, [`Home::obstacles`] says which and what to type.
//!
//! Does not know machines (it is given an id, an address) nor hypervisors (it offers a tap).

mod attach;
mod detach;
mod error;
mod home;
mod links;
mod mac;
mod meet;
mod names;
mod namespace;
mod nft;
mod obstacles;
mod plan;
mod publish;
mod resolver;
mod rules;
mod seen;
mod shape;
mod sysctl;
#[cfg(test)]
mod tests;
mod traffic;
mod up;

pub use error::Error;
pub use home::Home;
pub use mac::{BadMac, Mac};
pub use names::NameServer;
pub use obstacles::Obstacle;
pub use plan::{MachinePlan, NetworkPlan, mac_for, namespace_name, plan_machine, plan_network};
pub use publish::listener;
pub use seen::{Seen, SeenMachine};
pub use traffic::{AllTraffic, Traffic};
