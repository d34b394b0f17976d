//! What all tests of the whole share: building guests and the host, running it, talking to it, waiting.

pub mod build;
pub mod client;
pub mod disk;
pub mod examples;
pub mod guests;
pub mod host;
pub mod network;
pub mod nodes;
pub mod port;
pub mod random;
pub mod variable;
pub mod wait;
