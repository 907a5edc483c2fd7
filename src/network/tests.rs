//! The network on a real kernel. Every test makes its own home, guests and internet: namespaces that end with it.

mod apply;
mod lab;
mod plans;
mod publish;
mod refusals;
mod traffic;
