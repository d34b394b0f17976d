//! The sandbox from outside: small guests, written in WebAssembly text, that behave and misbehave.

mod cache;
mod fairness;
mod guest;
mod misbehaviour;
mod node;
mod refusals;
mod reuse;
mod scratch;
mod service;
mod waiting;
