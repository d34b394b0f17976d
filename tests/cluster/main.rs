//! Several nodes: real processes on ports of the system, kills, pauses and restarts.

mod faults;
mod forming;
mod nodes;
mod quorum;
mod refusals;
