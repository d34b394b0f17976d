//! Threads that are in no hurry: they leave the processor at once to those for whom somebody waits.
//!
//! Problem: a thread that has just been woken waits until the one that runs has used its share, a few milliseconds. On few
//! processors an answer that takes a fifth of one waits so long behind a thread that applies, flushes or compacts. Promise: a thread that
//! has entered the background is interrupted as soon as another one is woken, and interrupts nobody itself. Its share of
//! the processor stays what it is: under full load it falls behind no further than others, and a thread that holds a lock
//! there gets to give it back. Threads that it starts are in the background as well.
//!
//! Linux hands the processor to a woken thread at once if that one asks for shorter time slices than the one that runs. So
//! these ask for long ones, and as batch threads they do not interrupt others when they are woken. A lower priority would
//! do neither: it takes the share away, and with it the lock from those who wait for it, and lets the time slice be as it was.
//!
//! Left out: kernels before 6.12 know no length of time slices; there a thread of the background only interrupts nobody. Other
//! systems than Linux.

use std::io;

/// How long a time slice a thread of the background asks for.
#[cfg(target_os = "linux")]
const SLICE_NANOS: u64 = 20_000_000;

/// Puts the calling thread, and those that it will start, into the background, for good. Where the system refuses, all stays as it
/// is, and answers may be later.
pub fn enter() {
    if let Err(error) = asked() {
        let thread = std::thread::current();
        tracing::debug!(thread = thread.name().unwrap_or_default(), %error, "thread keeps its time slices short");
    }
}

/// Runs `work` on a thread of the background, for the sake of those that it starts, and returns what it returned.
///
/// # Errors
/// Those of the system when it has no thread to give.
///
/// # Panics
/// If `work` does.
pub fn run<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || {
            enter();
            work()
        })?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library and rustix know no way to ask for the length of time slices")]
fn asked() -> io::Result<()> {
    let nice = rustix::process::getpriority_process(None)?;
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_BATCH as u32,
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: SLICE_NANOS,
        sched_deadline: 0,
        sched_period: 0,
    };
    let (own_thread, no_flags) = (0, 0);
    // SAFETY: the kernel reads as many bytes as `size` says, and keeps no pointer to them.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, own_thread, &raw const attributes, no_flags) };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn asked() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the policy of the calling thread, as the system tells it.
    fn policy() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells of threads");
        // The name stands in parentheses and may hold anything; the policy is the 41st field.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        fields.split_whitespace().nth(38).expect("a policy").to_owned()
    }

    #[test]
    fn a_thread_in_the_background_and_those_that_it_starts_interrupt_nobody() {
        let before = policy();
        let inherited = run("background", || std::thread::spawn(policy).join().expect("no panic")).expect("a thread");
        assert_eq!(inherited, libc::SCHED_BATCH.to_string());
        assert_eq!(policy(), before, "the caller stays as it was");
    }
}
