//! A diary of a document's life: which handlers ran, and what came of the requests that it was told to send.
use steward_sdk::prelude::*;

/// The diary.
#[derive(Document)]
pub struct Diary {
    /// Another diary that is told when this one ends.
    #[document(default)]
    heir: String,
    #[document(default)]
    creates: u64,
    #[document(default)]
    starts: u64,
    #[document(default)]
    ticks: u64,
    #[document(default)]
    notes: Vec<String>,
    #[document(default)]
    replies: Vec<String>,
}

/// A note to write into another diary.
#[derive(Document)]
pub struct Letter {
    to: String,
    note: String,
    #[document(default)]
    delay_millis: u64,
    #[document(default)]
    tag: String,
    /// How many letters like it the receiver writes to itself for it, each with as many.
    #[document(default)]
    heads: u64,
}

/// What a diary is told.
#[derive(Document)]
pub struct Entry {
    note: Option<String>,
    #[document(default)]
    letters: Vec<Letter>,
    expires_in_millis: Option<u64>,
    #[document(default)]
    heads: u64,
    /// The tag of letters that are not to be sent any more.
    cancel: Option<String>,
}

#[service(
    factory = "/core/diaries",
    options(PERSISTENCE, REPLICATION, OWNER_SELECTION, INSTRUMENTATION),
    start = "eager",
    put = "none",
    outbound("*")
)]
impl Diary {
    fn handle_create(&mut self) {
        self.creates += 1;
    }

    fn handle_start(&mut self) {
        self.starts += 1;
    }

    fn handle_stop(&mut self, ctx: &mut Context) {
        if !self.heir.is_empty() {
            let note = format!("{} ended", ctx.key());
            ctx.patch(self.heir.as_str(), &json!({ "note": note }));
        }
    }

    fn handle_patch(&mut self, ctx: &mut Context, entry: Entry) {
        ctx.stat("letters", entry.letters.len() as f64);
        self.notes.extend(entry.note);
        if let Some(tag) = entry.cancel {
            ctx.cancel(&tag);
        }
        for letter in entry.letters {
            let effect = ctx.patch(letter.to, &json!({ "note": letter.note, "heads": letter.heads }));
            effect.after(Duration::from_millis(letter.delay_millis)).reply_tag(letter.tag);
        }
        for _ in 0..entry.heads {
            ctx.self_patch(&json!({ "heads": entry.heads }));
        }
        if let Some(millis) = entry.expires_in_millis {
            ctx.expire_in(Duration::from_millis(millis));
        }
    }

    #[every("100ms")]
    fn handle_maintenance(&mut self) {
        self.ticks += 1;
    }

    fn handle_reply(&mut self, tag: &str, answer: &Answer) {
        self.replies.push(format!("{tag} {}", answer.status));
    }
}
