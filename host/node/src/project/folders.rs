//! What is ours in the folder of a project.

/// Where everything that can be made anew lies: built components, compiled code, and the state of its host.
pub(crate) const FOLDER: &str = ".steward";

/// Where what is a part of the project lies: the SDK.
pub(super) const SUPPORT: &str = "steward";
