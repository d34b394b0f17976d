//! Several nodes: real processes on ports of the system, kills, pauses and restarts.

mod chores;
mod components;
mod copies;
mod cuts;
mod deploying;
mod documents;
mod faults;
mod following;
mod forming;
mod growth;
mod history;
mod load;
mod metrics;
mod operator;
mod quorum;
mod rebuilds;
mod refusals;
mod replays;
mod storm;
mod voters;
mod walk_through;
