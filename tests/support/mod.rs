//! What the tests share: a lab to work in, sessions with the program, cached kernel and images.

mod audit;
mod cache;
mod lab;
mod left;
mod refuse;
mod session;
mod turn;

pub use cache::Image;
pub use lab::Lab;
pub use left::output;
