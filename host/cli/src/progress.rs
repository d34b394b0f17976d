//! Progress: a bar if the total is known, else the time that has passed. Where there is no terminal it is one line, once it takes long.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{Format, Terminal};

/// What is over sooner is not worth a line.
const PATIENCE: Duration = Duration::from_millis(300);

/// What is over sooner is not worth a line that stays.
const PATIENCE_WITHOUT_TERMINAL: Duration = Duration::from_secs(2);

/// How often a line is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// Waits for `work`; once it takes longer than a blink, shows that it goes on and since when.
pub(super) async fn watch<T>(terminal: &mut Terminal, bar: &ProgressBar, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let patience = if terminal.interactive { PATIENCE } else { PATIENCE_WITHOUT_TERMINAL };
    if let Ok(done) = tokio::time::timeout(patience, &mut work).await {
        return done;
    }
    if !terminal.interactive {
        // Programs read what is told to them at the end.
        if terminal.format == Format::Table {
            terminal.say(&format!("{}: not done after {} s, goes on", bar.message(), patience.as_secs()));
        }
        return work.await;
    }
    if !terminal.quiet {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
    }
    let done = work.await;
    bar.finish_and_clear();
    done
}

/// Returns a hidden bar for an upload of `bytes`, after which the host does what `then` says; [`watch`] shows it.
pub(super) fn upload(bytes: u64, then: &str) -> ProgressBar {
    styled("{msg} [{bar:24}] {bytes}/{total_bytes} {elapsed}", Some(bytes), &format!("upload and {then}"))
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
