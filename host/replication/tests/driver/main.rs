//! The driver of copies, step by step, with a disk and a store that fail when they are told to.

mod effects;
mod failing;
mod log_space;
mod reigns;
mod stage;
