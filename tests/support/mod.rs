//! What the tests share: a lab to work in, sessions with the program, cached kernel and images.

mod api;
mod application;
mod audit;
mod browser;
mod cache;
mod emulated;
mod keys;
mod lab;
mod left;
mod proxy;
mod refuse;
mod registry;
mod screen;
mod session;
mod small_disk;
mod terminal;
mod turn;
mod wait;

pub use api::{Api, place};
pub use application::Application;
pub use browser::Browser;
pub use cache::Image;
pub use lab::Lab;
pub use left::output;
pub use proxy::Proxy;
pub use registry::Container;
pub use screen::Screen;
pub use small_disk::{Kind, SmallDisk, on_small_disk};
pub use terminal::Terminal;
pub use wait::{gone, until};
