//! The text format keeps each record of the log on a line of its own.
//!
//! Problem: errors, names and messages repeat what clients and guests have chosen. A line break in them would begin a line that
//! passes for one of the host's, and a sequence for terminals would act when somebody reads the log. Promise: whatever a field
//! holds, its record is one line without control characters. Who logs need not think of it.
//!
//! Left out: colours of the names of fields. What is written below them could not be told from what others have chosen.

use std::fmt;

use steward_model::line::on_one_line;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

/// Writes the fields of records and spans, the message among them; see the head of this module.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneLine;

impl<'writer> FormatFields<'writer> for OneLine {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut escaping = Escaping(&mut writer);
        DefaultFields::new().format_fields(Writer::new(&mut escaping), fields)
    }
}

struct Escaping<'a>(&'a mut dyn fmt::Write);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&on_one_line(text))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no parameter {0}")]
    struct Refused(&'static str);

    /// Returns what is written while `work` runs.
    fn log_of(ansi: bool, work: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&written);
        let make = move || Shared(Arc::clone(&to));
        let lines = tracing_subscriber::fmt::layer().with_writer(make).with_ansi(ansi).fmt_fields(OneLine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        let bytes = written.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_its_fields_hold() {
        let chosen = "a\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\r\t\u{9b}\u{2028}\u{202e}b";
        for ansi in [false, true] {
            let log = log_of(ansi, || {
                let span = tracing::info_span!("operation", id = chosen, link = %chosen, later = tracing::field::Empty);
                let _entered = span.enter();
                span.record("later", tracing::field::display(chosen));
                let error = Refused(chosen);
                let source: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(%error, ?error, source, chosen, "it is {chosen}");
            });
            let line = log.strip_suffix('\n').expect("a line");
            let plain = line.replace("\u{1b}[", if ansi { "" } else { "\u{1b}[" });
            assert!(!plain.contains(|c: char| c.is_control() || "\u{2028}\u{202e}".contains(c)), "{log:?}");
            assert!(!line.contains("\u{1b}[2J") && line.matches("forged").count() == 8, "{log:?}");
        }
    }
}
