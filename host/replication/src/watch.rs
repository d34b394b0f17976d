//! A value that tasks wait for. Needs no runtime: whatever polls a task, its waker is woken.

use std::sync::{Mutex, MutexGuard};

use futures_channel::oneshot;

use crate::observer::unpoisoned;

/// A value, and those who are woken when it is set.
#[derive(Debug)]
pub struct Watch<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    value: T,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<T: Copy> Watch<T> {
    /// Returns a watch that holds `value`.
    pub fn new(value: T) -> Watch<T> {
        Watch { inner: Mutex::new(Inner { value, waiting: Vec::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        unpoisoned(self.inner.lock())
    }

    /// Returns the value.
    pub fn get(&self) -> T {
        self.lock().value
    }

    /// Sets the value and wakes everybody who waits.
    pub fn set(&self, value: T) {
        let waiting = {
            let mut inner = self.lock();
            inner.value = value;
            std::mem::take(&mut inner.waiting)
        };
        for waiter in waiting {
            // A task that has given up waiting is no longer there to be woken.
            let _ = waiter.send(());
        }
    }

    /// Returns the value once `is_wanted` holds for it.
    pub async fn until(&self, is_wanted: impl Fn(T) -> bool) -> T {
        loop {
            let changed = {
                let mut inner = self.lock();
                if is_wanted(inner.value) {
                    return inner.value;
                }
                let (waiter, changed) = oneshot::channel();
                inner.waiting.retain(|other| !other.is_canceled());
                inner.waiting.push(waiter);
                changed
            };
            // The watch wakes or outlives those who wait; if it is dropped first, looking again ends the wait with the
            // caller.
            let _ = changed.await;
        }
    }

    /// Waits until the value is set after this call.
    pub fn changed(&self) -> impl Future<Output = ()> + use<T> {
        let (waiter, changed) = oneshot::channel();
        let mut inner = self.lock();
        inner.waiting.retain(|other| !other.is_canceled());
        inner.waiting.push(waiter);
        // As above.
        async move {
            let _ = changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn waiting_ends_when_the_value_is_wanted() {
        let watch = Watch::new(1);
        let mut waits = pin!(watch.until(|value| value > 2));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending);
        watch.set(2);
        assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending, "looked at again, and not wanted");
        watch.set(3);
        assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(3));
    }

    #[test]
    fn waiting_that_was_given_up_leaves_nothing_behind() {
        let watch = Watch::new(1);
        for _ in 0..3 {
            let mut waits = Box::pin(watch.until(|value| value > 2));
            assert_eq!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        }
        assert!(watch.lock().waiting.len() <= 1);
    }
}
