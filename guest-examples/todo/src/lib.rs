//! A to-do list: several kinds of PATCH, checks that point at the field, and a state that has outgrown its first shape.
//!
//! Lists of state version 1 held bare texts. They are read through `from_v1` whenever one is touched.

use steward_sdk::prelude::*;

/// A to-do list. Whoever posts it first makes it; posting it again replaces it.
#[derive(Document)]
pub struct Todo {
    /// What the list is about.
    #[document(min_length = 1, max_length = 200)]
    title: String,
    /// What is to be done, the oldest first.
    #[document(default, max_length = 1000)]
    items: Vec<Item>,
    /// The id that the next item gets; ids are never used again.
    #[document(default = 1, minimum = 1)]
    next_id: u64,
}

/// One thing to do.
#[derive(Document)]
struct Item {
    id: u64,
    #[document(min_length = 1, max_length = 1000)]
    text: String,
    #[document(default)]
    done: bool,
}

/// The list as state version 1 kept it.
#[derive(Document)]
struct TodoV1 {
    title: String,
    #[document(default)]
    items: Vec<String>,
}

#[service(
    factory = "/core/todos",
    options(persistence, replication, owner_selection, idempotent_post),
    state_version = 2
)]
impl Todo {
    fn handle_create(&mut self) -> Result {
        self.check_ids()
    }

    #[patch(kind = "add")]
    fn add(&mut self, #[field(min_length = 1)] text: String) {
        self.items.push(Item { id: self.next_id, text, done: false });
        self.next_id += 1;
    }

    #[patch(kind = "complete")]
    fn complete(&mut self, #[field] id: u64, #[field(default = true)] done: bool) -> Result {
        let item = self.items.iter_mut().find(|item| item.id == id);
        item.or_invalid("id", &format!("there is no item {id}"))?.done = done;
        Ok(())
    }

    #[patch(kind = "remove")]
    fn remove(&mut self, #[field] id: u64) -> Reply {
        let before = self.items.len();
        self.items.retain(|item| item.id != id);
        // Whoever removes an item twice gets what they want; it makes no second version.
        if self.items.len() == before { Reply::unchanged() } else { Reply::state() }
    }

    #[patch(kind = "rename")]
    fn rename(&mut self, #[field] title: String) {
        self.title = title;
    }

    #[migrate(from = 1)]
    fn from_v1(old: TodoV1) -> Result<Todo> {
        let items: Vec<Item> = (1..).zip(old.items).map(|(id, text)| Item { id, text, done: false }).collect();
        Ok(Todo { title: old.title, next_id: items.len() as u64 + 1, items })
    }

    /// Refuses a list that a client sent with ids which are not its own.
    fn check_ids(&mut self) -> Result {
        let mut last = 0;
        for (index, item) in self.items.iter().enumerate() {
            ensure!(item.id > last, invalid(&format!("items/{index}/id"), "ids must rise from 1"));
            last = item.id;
        }
        self.next_id = self.next_id.max(last.saturating_add(1));
        Ok(())
    }
}
