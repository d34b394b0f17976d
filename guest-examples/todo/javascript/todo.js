// A to-do list: several kinds of PATCH, checks that point at the field, and a state that has outgrown its first shape.
//
// Lists of state version 1 held bare texts. They are brought up to date whenever one is touched.

import { invalid, service, t, unchanged } from "steward";

const item = t.object({
  id: t.integer().min(0),
  text: t.string().min(1).max(1000),
  done: t.boolean().default(false),
});

const todo = {
  title: t.string().min(1).max(200).describe("What the list is about."),
  items: t.list(item).max(1000).default([]).describe("What is to be done, the oldest first."),
  nextId: t.integer().min(1).default(1).describe("The id that the next item gets; ids are never used again."),
};

export default service("/core/todos", {
  docs: "A to-do list. Whoever posts it first makes it; posting it again replaces it.",
  options: ["persistence", "replication", "owner_selection", "idempotent_post"],
  stateVersion: 2,
})
  .state(todo)
  .create(checkIds)
  .patch("add", { text: t.string().min(1) }, (list, { text }) => {
    list.items.push({ id: list.nextId++, text, done: false });
  })
  .patch("complete", { id: t.integer(), done: t.boolean().default(true) }, (list, { id, done }) => {
    const item = list.items.find((one) => one.id === id);
    if (item === undefined) throw invalid("id", `there is no item ${id}`);
    item.done = done;
  })
  .patch("remove", { id: t.integer() }, (list, { id }) => {
    const left = list.items.filter((one) => one.id !== id);
    // Whoever removes an item twice gets what they want; it makes no second version.
    if (left.length === list.items.length) return unchanged();
    list.items = left;
  })
  .patch("rename", { title: t.string() }, (list, { title }) => {
    list.title = title;
  })
  .migrate(1, ({ title, items = [] }) => ({
    title,
    items: items.map((text, index) => ({ id: index + 1, text, done: false })),
    nextId: items.length + 1,
  }));

/** Refuses a list that a client sent with ids which are not its own. */
function checkIds(list) {
  let last = 0;
  for (const [index, { id }] of list.items.entries()) {
    if (id <= last) throw invalid(`items/${index}/id`, "ids must rise from 1");
    last = id;
  }
  list.nextId = Math.max(list.nextId, last + 1);
}
