//! Confirmed reads, as production does them: ask, read, and answer once it is confirmed.

use std::rc::Rc;

use steward_model::{Epoch, Link, Moment};

use crate::tasks::{Around, Done};

/// Reads a document and returns it once it is confirmed that nothing newer was committed before.
pub(crate) async fn confirmed(around: Rc<Around>, link: Link, now: Moment) -> Done {
    let partition = around.of(&link);
    let confirmation = partition.confirm();
    partition.step(now);
    let Ok(document) = partition.read(&link) else { return Done::Unread };
    match confirmation.confirmed().await {
        Ok(()) => Done::Read { link, epoch: Epoch::ZERO, document },
        Err(_) => Done::Unread,
    }
}
