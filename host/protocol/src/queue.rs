//! Queues: the order of operations on each document.
//!
//! Problem: two updates of one document must not run at the same time, because each starts from the state that the
//! other leaves. Updates of different documents must not wait for one another.
//!
//! Promise: at most one operation has the turn of a document. Turns are granted in the order of arrival. At most a set
//! number of operations wait for one document. A document that nobody updates costs nothing here; a document that is
//! updated by one operation at a time costs one entry while that operation runs.
//!
//! Nothing here blocks: the caller keeps a waker for each ticket, and wakes the ticket that `leave` or `cancel`
//! returns.

use std::collections::{BTreeMap, VecDeque};

use steward_model::Link;

/// Names one operation in the queues; given out by the caller, never twice at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of a wish for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// The turn is the ticket's, until it leaves.
    Granted,
    /// The ticket waits behind so many others, the one whose turn it is included.
    Queued {
        /// How many are ahead, at least one.
        ahead: usize,
    },
    /// Too many wait already: refuse the operation; it may be tried again later.
    Full,
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ticket {}", self.0)
    }
}

impl std::fmt::Display for Entered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entered::Granted => f.write_str("granted"),
            Entered::Queued { ahead } => write!(f, "queued behind {ahead}"),
            Entered::Full => f.write_str("refused, too many wait"),
        }
    }
}

/// Who has the turn of one document, and who waits.
#[derive(Debug, Clone)]
struct Queue {
    active: Ticket,
    /// Takes no memory before the first ticket waits.
    waiting: VecDeque<Ticket>,
}

/// The queues of all documents that are being updated.
#[derive(Debug, Clone)]
pub struct Queues {
    waiting_max: usize,
    queues: BTreeMap<Link, Queue>,
}

impl Queues {
    /// Returns queues in which at most `waiting_max` operations wait for one document.
    pub fn new(waiting_max: usize) -> Queues {
        Queues { waiting_max, queues: BTreeMap::new() }
    }

    /// Asks for the turn of the document at `link`.
    pub fn enter(&mut self, link: &Link, ticket: Ticket) -> Entered {
        let Some(queue) = self.queues.get_mut(link) else {
            self.queues.insert(link.clone(), Queue { active: ticket, waiting: VecDeque::new() });
            return Entered::Granted;
        };
        if queue.waiting.len() >= self.waiting_max {
            return Entered::Full;
        }
        queue.waiting.push_back(ticket);
        Entered::Queued { ahead: queue.waiting.len() }
    }

    /// Ends the turn of `ticket` and returns the ticket whose turn it is now, if one waits.
    ///
    /// # Panics
    /// If the turn is not the ticket's.
    pub fn leave(&mut self, link: &Link, ticket: Ticket) -> Option<Ticket> {
        self.end_turn(link, ticket).unwrap_or_else(|holder| {
            let holder = holder.map_or("nobody".to_owned(), |holder| holder.to_string());
            panic!("{ticket} leaves {link}, where {holder} has the turn")
        })
    }

    /// Ends the turn of `ticket` as [`Queues::leave`] does, or returns who has the turn instead.
    fn end_turn(&mut self, link: &Link, ticket: Ticket) -> Result<Option<Ticket>, Option<Ticket>> {
        let queue = self.queues.get_mut(link).ok_or(None)?;
        if queue.active != ticket {
            return Err(Some(queue.active));
        }
        let next = queue.waiting.pop_front();
        match next {
            Some(next) => queue.active = next,
            None => drop(self.queues.remove(link)),
        }
        Ok(next)
    }

    /// Gives up the wish or the turn of `ticket`, and returns the ticket whose turn it is now if that has changed.
    ///
    /// A caller that cancels while the turn is being granted cannot know which of the two it gives up; either is right. A
    /// ticket that is not there is gone already.
    pub fn cancel(&mut self, link: &Link, ticket: Ticket) -> Option<Ticket> {
        if let Ok(next) = self.end_turn(link, ticket) {
            return next;
        }
        self.queues.get_mut(link)?.waiting.retain(|waiting| *waiting != ticket);
        None
    }

    /// Returns how many documents are being updated.
    pub fn documents(&self) -> usize {
        self.queues.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str) -> Link {
        Link::parse(&format!("/core/examples/{name}")).expect("a valid link")
    }

    #[test]
    fn turns_are_granted_in_the_order_of_arrival() {
        let mut queues = Queues::new(8);
        let one = link("one");
        assert_eq!(queues.enter(&one, Ticket(1)), Entered::Granted);
        assert_eq!(queues.enter(&one, Ticket(2)), Entered::Queued { ahead: 1 });
        assert_eq!(queues.enter(&one, Ticket(3)), Entered::Queued { ahead: 2 });
        assert_eq!(queues.leave(&one, Ticket(1)), Some(Ticket(2)));
        assert_eq!(queues.leave(&one, Ticket(2)), Some(Ticket(3)));
        assert_eq!(queues.leave(&one, Ticket(3)), None);
    }

    #[test]
    fn documents_do_not_wait_for_one_another() {
        let mut queues = Queues::new(8);
        assert_eq!(queues.enter(&link("one"), Ticket(1)), Entered::Granted);
        assert_eq!(queues.enter(&link("two"), Ticket(2)), Entered::Granted);
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_after_a_turn_has_ended() {
        let mut queues = Queues::new(1);
        let one = link("one");
        queues.enter(&one, Ticket(1));
        queues.enter(&one, Ticket(2));
        assert_eq!(queues.enter(&one, Ticket(3)), Entered::Full);
        queues.leave(&one, Ticket(1));
        assert_eq!(queues.enter(&one, Ticket(3)), Entered::Queued { ahead: 1 });
    }

    #[test]
    fn a_cancelled_wish_is_passed_over() {
        let mut queues = Queues::new(8);
        let one = link("one");
        for ticket in 1..=3 {
            queues.enter(&one, Ticket(ticket));
        }
        assert_eq!(queues.cancel(&one, Ticket(2)), None);
        assert_eq!(queues.leave(&one, Ticket(1)), Some(Ticket(3)));
    }

    #[test]
    fn cancelling_the_turn_passes_it_on() {
        let mut queues = Queues::new(8);
        let one = link("one");
        queues.enter(&one, Ticket(1));
        queues.enter(&one, Ticket(2));
        assert_eq!(queues.cancel(&one, Ticket(1)), Some(Ticket(2)));
        assert_eq!(queues.cancel(&one, Ticket(1)), None);
    }

    #[test]
    fn a_document_without_operations_costs_nothing() {
        let mut queues = Queues::new(8);
        let one = link("one");
        queues.enter(&one, Ticket(1));
        assert_eq!(queues.documents(), 1);
        queues.leave(&one, Ticket(1));
        assert_eq!(queues.documents(), 0);
    }

    #[test]
    #[should_panic(expected = "has the turn")]
    fn leaving_without_the_turn_is_a_bug() {
        let mut queues = Queues::new(8);
        let one = link("one");
        queues.enter(&one, Ticket(1));
        queues.enter(&one, Ticket(2));
        queues.leave(&one, Ticket(2));
    }
}
