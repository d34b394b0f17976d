//! The window of credit: how many bytes may be under way before the receiver has taken any of them.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Semaphore;

/// What one side may still send.
#[derive(Debug)]
pub(super) struct Window {
    size: u32,
    left: Semaphore,
    /// What was sent and has not been taken; bounds what the other side can give back.
    spent: AtomicU32,
}

impl Window {
    pub(super) fn new(size: u32) -> Window {
        Window { size, left: Semaphore::new(size as usize), spent: AtomicU32::new(0) }
    }

    /// Returns what a message of `bytes` takes of the window: one larger than it takes all of it.
    pub(super) fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.size)
    }

    /// Returns once there is credit for a message, and spends it; it comes back with the value unless the message is sent.
    pub(super) async fn spend(&self, bytes: usize) -> Spent<'_> {
        let share = self.share(bytes);
        // The semaphore is never closed.
        if let Ok(permit) = self.left.acquire_many(share).await {
            permit.forget();
            self.spent.fetch_add(share, Ordering::AcqRel);
        }
        Spent { window: self, share }
    }

    /// Spends credit for a message if there is enough now.
    pub(super) fn try_spend(&self, bytes: usize) -> bool {
        let share = self.share(bytes);
        match self.left.try_acquire_many(share) {
            Ok(permit) => {
                permit.forget();
                self.spent.fetch_add(share, Ordering::AcqRel);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes credit back. More than was spent counts for nothing: the other side cannot widen the window.
    pub(super) fn give(&self, bytes: u32) {
        let before =
            self.spent.fetch_update(Ordering::AcqRel, Ordering::Acquire, |spent| Some(spent.saturating_sub(bytes)));
        let returned = before.unwrap_or(0).min(bytes);
        self.left.add_permits(returned as usize);
    }
}

/// Credit for a message that is about to be sent.
pub(super) struct Spent<'a> {
    window: &'a Window,
    share: u32,
}

impl Spent<'_> {
    /// The message is on its way: the other side gives the credit back.
    pub(super) fn sent(mut self) {
        self.share = 0;
    }
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        if self.share > 0 {
            self.window.give(self.share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_has_to_be_given_back_and_no_more_is_taken() {
        let window = Window::new(10);
        assert!(window.try_spend(7) && !window.try_spend(4) && window.try_spend(3));
        window.give(u32::MAX);
        window.give(5);
        assert!(!window.try_spend(0) || window.try_spend(10), "the window is whole again");
        assert!(!window.try_spend(1));
    }

    #[test]
    fn a_message_beyond_the_window_takes_all_of_it() {
        let window = Window::new(10);
        assert!(window.try_spend(100) && !window.try_spend(1));
        window.give(window.share(100));
        assert!(window.try_spend(1));
    }
}
