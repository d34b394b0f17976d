//! Progress: a bar if the total is known, else the time that has passed. It is shown only on a terminal.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Terminal;

/// What is over sooner is not worth a line.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often a line is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// Waits for `work`; once it takes longer than a blink, shows that it goes on and since when.
pub(super) async fn watch<T>(terminal: &Terminal, bar: &ProgressBar, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    if terminal.interactive && !terminal.quiet {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
    }
    let done = work.await;
    bar.finish_and_clear();
    done
}

/// Returns a hidden bar for an upload of `bytes`; [`watch`] shows it.
pub(super) fn upload(bytes: u64) -> ProgressBar {
    styled("{msg} [{bar:24}] {bytes}/{total_bytes} {elapsed}", Some(bytes), "upload and compile")
}

/// Returns a hidden bar for work on `total` things; [`watch`] shows it.
pub(super) fn counted(what: &str, total: u64) -> ProgressBar {
    styled("{msg} [{bar:24}] {human_pos}/{human_len} {elapsed}", Some(total), what)
}

/// Returns a hidden line for work without a total; [`watch`] shows it.
pub(super) fn waiting(what: &str) -> ProgressBar {
    styled("{spinner} {msg} {elapsed}", None, what)
}

fn styled(template: &str, total: Option<u64>, message: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_message(message.to_owned());
    bar.set_style(ProgressStyle::with_template(template).expect("templates in this file are valid"));
    bar
}
