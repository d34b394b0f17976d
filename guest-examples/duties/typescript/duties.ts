// A diary of a document's life, as guest-examples/duties is in Rust: which handlers ran, and what came of the requests that it was told
// to send. And what a script can do wrong, when it is told to.

import { service, t } from "steward";

const letter = t.object({
  to: t.string(),
  note: t.string(),
  delayMillis: t.integer().min(0).default(0),
  tag: t.string().default(""),
});

export default service("/core/diaries", {
  start: "eager",
  put: "none",
  options: ["persistence", "replication", "owner_selection", "instrumentation"],
  outbound: ["127.0.0.1"],
})
  .state({
    heir: t.string().default("").describe("Another diary that is told when this one ends."),
    creates: t.integer().default(0),
    starts: t.integer().default(0),
    ticks: t.integer().default(0),
    notes: t.list(t.string()).default([]),
    replies: t.list(t.string()).default([]),
  })
  .create((diary) => {
    diary.creates += 1;
  })
  .start((diary) => {
    diary.starts += 1;
  })
  .stop((diary, ctx) => {
    if (diary.heir !== "") ctx.patch(diary.heir, { note: `${ctx.key} ended` });
  })
  .patch("trap", () => {
    throw new Error("told to");
  })
  .patch("loop", () => {
    for (;;);
  })
  .patch("recurse", (diary) => {
    const deep = (n: number): number => deep(n + 1) + 1;
    diary.ticks = deep(0);
  })
  .patch("hoard", () => {
    const hoard: string[][] = [];
    for (;;) hoard.push(new Array(10_000).fill("x"));
  })
  .patch(
    { note: t.string().optional(), letters: t.list(letter).default([]), expiresInMillis: t.integer().optional(), cancel: t.string().optional() },
    (diary, { note, letters, expiresInMillis, cancel }, ctx) => {
      ctx.stat("letters", letters.length);
      if (note !== undefined) diary.notes.push(note);
      if (cancel !== undefined) ctx.cancel(cancel);
      for (const { to, note, delayMillis, tag } of letters) ctx.patch(to, { note }).after(delayMillis).replyTag(tag);
      if (expiresInMillis !== undefined) ctx.expireIn(expiresInMillis);
    },
  )
  .every("100ms", (diary) => {
    diary.ticks += 1;
  })
  .reply((diary, answer, _ctx, tag) => {
    diary.replies.push(`${tag} ${answer.status}`);
  });
