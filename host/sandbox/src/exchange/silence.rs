//! For how long nothing has passed between a client and the guest that answers it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is known of one exchange; shared by its two bodies and the clock of its call.
#[derive(Debug)]
pub(crate) struct Silence {
    state: Mutex<State>,
    /// How long the guest may be silent.
    guest_max: Duration,
    /// How long the client may be silent while the guest waits for its body.
    client_max: Duration,
}

#[derive(Debug)]
struct State {
    since: Instant,
    /// The guest waits for more of the body of the request.
    is_clients: bool,
    /// The client has a piece of the answer to take.
    is_handed_over: bool,
}

/// When an exchange has been silent for too long, and by whose fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) by_client: bool,
}

impl Silence {
    pub(crate) fn new(guest_max: Duration, client_max: Duration) -> Silence {
        let state = Mutex::new(State { since: Instant::now(), is_clients: false, is_handed_over: false });
        Silence { state, guest_max, client_max: client_max.max(guest_max) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that the guest begins: until now it was the host that let it wait.
    pub(crate) fn begins(&self) {
        self.state().since = Instant::now();
    }

    /// Takes note of a piece that has come from the client, or of its end.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        (state.since, state.is_clients) = (Instant::now(), false);
    }

    /// Takes note of a piece that the client has to take.
    pub(super) fn hand_over(&self) {
        self.state().is_handed_over = true;
    }

    /// Takes note that the client wants more, and has taken what there was.
    pub(super) fn taken(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.is_handed_over) {
            state.since = Instant::now();
        }
    }

    /// Takes note that the guest asks the client for more.
    pub(super) fn waits_for_client(&self) {
        self.state().is_clients = true;
    }

    /// Leaves out a time in which the guest could do nothing, because the host let it wait.
    pub(crate) fn leave_out(&self, span: Duration) {
        self.state().since += span;
    }

    /// Returns until when a guest that waits may go on waiting.
    pub(crate) fn end_of_wait(&self) -> End {
        let state = self.state();
        let max = if state.is_clients { self.client_max } else { self.guest_max };
        End { at: state.since + max, by_client: state.is_clients }
    }

    /// Returns until when a guest that computes may go on, if it has computed without a pause until now.
    pub(crate) fn end_of_work(&self) -> Instant {
        self.state().since + self.guest_max
    }

    /// Returns how long the client may be silent.
    pub(crate) fn client_max(&self) -> Duration {
        self.client_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_waited_for_has_its_own_time() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
        let silence = Silence::new(short, long);
        let first = silence.end_of_wait();
        assert!(!first.by_client);
        silence.waits_for_client();
        assert_eq!(silence.end_of_wait(), End { at: first.at + (long - short), by_client: true });
        assert_eq!(silence.end_of_work(), first.at, "who computes does not wait");
        silence.heard();
        assert!(!silence.end_of_wait().by_client && silence.end_of_wait().at >= first.at);
    }
}
