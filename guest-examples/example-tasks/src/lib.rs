//! guest-example-tasks
