//! The driver of copies, step by step, over a disk and a store that fail when a test says so.

mod copies;
mod effects;
mod failing;
mod group;
mod log_space;
mod reigns;
mod stage;
