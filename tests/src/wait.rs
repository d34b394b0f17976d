//! Waiting for conditions.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take to come true, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK: Duration = Duration::from_millis(20);

/// Returns what `look` finds, once it finds something.
///
/// # Panics
/// If it finds nothing for [`PATIENCE`]; `what` says what was waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {} s in vain until {what}", PATIENCE.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}
