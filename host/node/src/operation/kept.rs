//! An operation on its way. It outlives the future that waits for it.
//!
//! Problem: a client that hangs up changes nothing, so its operation has to go on. In a task of its own each operation would be handed
//! to that task, and its answer back, although nearly all clients wait to the end. Promise: an operation runs inside of the task that
//! waits for it, and moves into one of its own only if that task goes away first. A panic ends the operation and nothing else.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use super::{Error, Reply};
use crate::failure;
use crate::shutdown::Shutdown;

/// The future of an operation; dropped early, the operation goes on by itself.
pub(super) struct Kept {
    /// None once it has ended.
    work: Option<BoxFuture<'static, Result<Reply, Error>>>,
    shutdown: Shutdown,
}

impl Kept {
    /// Returns the future of `work`, which begins when it is first asked for.
    pub(super) fn new(work: impl Future<Output = Result<Reply, Error>> + Send + 'static, shutdown: &Shutdown) -> Kept {
        let contained = AssertUnwindSafe(failure::contained(work)).catch_unwind();
        let work = contained.map(|ended| {
            ended.unwrap_or_else(|_| {
                tracing::error!("operation ended in a panic");
                Err(Error::Broken)
            })
        });
        Kept { work: Some(work.boxed()), shutdown: shutdown.clone() }
    }
}

impl Future for Kept {
    type Output = Result<Reply, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.work.as_mut().expect("a future that has ended is not asked again");
        let ended = work.as_mut().poll(context);
        if ended.is_ready() {
            self.work = None;
        }
        ended
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Where no runtime is any more the process ends, and with it all work.
        if let Some(work) = self.work.take().filter(|_| Handle::try_current().is_ok()) {
            drop(self.shutdown.run(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn an_operation_goes_on_when_whoever_waited_is_gone() {
        let (began, goes_on, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let shutdown = Shutdown::default();
        let (begins, waits, ends) = (Arc::clone(&began), Arc::clone(&goes_on), Arc::clone(&ended));
        let work = async move {
            begins.notify_one();
            waits.notified().await;
            ends.notify_one();
            Err(Error::Stopping)
        };
        let mut kept = Box::pin(Kept::new(work, &shutdown));
        assert!(futures_util::poll!(&mut kept).is_pending());
        began.notified().await;
        drop(kept);
        goes_on.notify_one();
        ended.notified().await;
    }

    #[tokio::test]
    async fn a_panic_is_the_end_of_the_operation_and_of_nothing_else() {
        let dropped = Arc::new(AtomicBool::new(false));
        struct Held(Arc<AtomicBool>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let held = Held(Arc::clone(&dropped));
        let work = async move {
            let _held = held;
            panic!("the work makes no sense")
        };
        let ended = Kept::new(work, &Shutdown::default()).await;
        assert!(matches!(ended, Err(Error::Broken)));
        assert!(dropped.load(Ordering::SeqCst), "what it held is given back");
    }
}
