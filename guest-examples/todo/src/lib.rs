//! guest-todo
