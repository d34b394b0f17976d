//! Panics: which of them fail one request, and which end the process.
//!
//! Problem: if a thread dies, its duty is no longer done, and nobody hears of it. A node without its applier takes
//! updates that are never applied; a node without the writer of its log acknowledges nothing.
//!
//! Promise: a panic ends the process, with its reason, unless it happened in work that is declared *contained*.
//! Contained work is done for one caller, who is told of the panic; when it ends early, it leaves nothing behind that
//! others go on to use. A start out of the log is known to work; going on in a state that nobody foresaw is not.
//!
//! Exceptions: threads without a name belong to the compiler of guests, and those of the workshop take uploaded modules
//! apart. Both hand a panic to the caller. The engine of the state store panics at damaged files; the caller is told
//! that they are damaged, and that can be mended.

use std::future::Future;
use std::panic::PanicHookInfo;

use steward_sandbox::WORKSHOP_THREADS;
use steward_storage::state::is_watched;
use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    /// Set while contained work runs, on whatever thread.
    static CONTAINED: ();
}

/// Makes panics end the process, except in contained work.
pub(crate) fn end_process_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        if is_contained() {
            return;
        }
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        tracing::error!(thread, reason = reason(info), "a part of the host panicked, the process ends");
        std::process::abort();
    }));
}

fn is_contained() -> bool {
    let contained = CONTAINED.try_with(|()| ()).is_ok() || is_watched();
    contained || std::thread::current().name().is_none_or(|name| WORKSHOP_THREADS.contains(&name))
}

fn reason(info: &PanicHookInfo<'_>) -> String {
    let said = info.payload_as_str().unwrap_or("no reason");
    info.location().map_or_else(|| said.to_owned(), |place| format!("{said} at {place}"))
}

/// Does `work`, whose panic is its caller's trouble only.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> T {
    CONTAINED.sync_scope((), work)
}

/// Returns `work` as a future whose panic is its caller's trouble only.
pub(crate) fn contained<F: Future>(work: F) -> TaskLocalFuture<(), F> {
    CONTAINED.scope((), work)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Says to the child process of a test what it shall do.
    const DEED: &str = "STEWARD_TEST_DEED";

    /// Runs the test called `name` in a process of its own, which finds `deed` in its environment; returns how it ended and
    /// what it said.
    fn child(name: &str, deed: &str) -> (std::process::ExitStatus, String) {
        let program = std::env::current_exe().expect("a test has a program");
        let test = format!("{}::{name}", module_path!().split_once("::").expect("a path").1);
        let output = Command::new(program).args([&test, "--exact", "--nocapture"]).env(DEED, deed).output();
        let output = output.expect("the program runs");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn a_panic_of_a_thread_or_an_owned_task_ends_the_process_and_contained_work_does_not() {
        match std::env::var(DEED).as_deref() {
            Ok(deed) => do_it(deed),
            Err(_) => {
                for deed in ["thread", "task"] {
                    let (status, said) = child(
                        "a_panic_of_a_thread_or_an_owned_task_ends_the_process_and_contained_work_does_not",
                        deed,
                    );
                    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{deed}: {said}");
                    assert!(said.contains("the deed"), "{deed}: {said}");
                }
                let (status, said) = child(
                    "a_panic_of_a_thread_or_an_owned_task_ends_the_process_and_contained_work_does_not",
                    "contained",
                );
                assert!(status.success(), "{said}");
            }
        }
    }

    fn do_it(deed: &str) {
        end_process_on_panic();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let shutdown = crate::shutdown::Shutdown::default();
        match deed {
            "thread" => {
                let thread = std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("the deed"));
                // The process ends before the thread does.
                let _ = thread.expect("a thread").join();
            }
            "task" => runtime.block_on(async {
                shutdown.spawn("worker", async { panic!("the deed") });
                std::future::pending::<()>().await;
            }),
            _ => runtime.block_on(async {
                assert!(shutdown.run(async { panic!("the deed") }).await.is_err_and(|error| error.is_panic()));
                let blocking = tokio::task::spawn_blocking(|| contain(|| panic!("the deed")));
                assert!(blocking.await.is_err_and(|error| error.is_panic()));
                for name in WORKSHOP_THREADS {
                    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(|| panic!("the deed"));
                    assert!(thread.expect("a thread").join().is_err(), "{name}");
                }
            }),
        }
    }
}
