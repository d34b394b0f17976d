// The SDK by itself, with Node.js: JSON, shapes, and the mock host.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Answer, Context, Effect } from "../steward/context.js";
import { conflict, invalid, reply, service, t, unchanged } from "../steward/index.js";
import { parse, stringify } from "../steward/json.js";
import { Host, Response } from "../steward/mock/index.js";

test("integers lose no digit on the way in and out", () => {
  const text = '{"a":9007199254740993,"b":[-123456789012345678901234567890,1],"c":"9007199254740993","d":1.2345678901234567890,"integer:":"integer:9007199254740993"}';
  const value = parse(text);
  assert.deepEqual([value.a, value.b[0], value.b[1], value.c], [9007199254740993n, -123456789012345678901234567890n, 1, "9007199254740993"]);
  assert.equal(stringify(value), text.replace("1.2345678901234567890", "1.2345678901234567"));
  assert.equal(stringify({ a: 1n, b: "integer:5", c: undefined }), '{"a":1,"b":"integer:5"}');
  assert.equal(parse('"\\"12345678901234567890"'), '"12345678901234567890');
});

test("what does not fit is refused with its pointer and a sentence", () => {
  const shape = {
    name: t.string().min(2).max(3),
    size: t.integer().min(1).default(1),
    price: t.number().optional(),
    color: t.enum("red", "blue").default("red"),
    big: t.bigint().default(0n),
    items: t.list(t.object({ "a/b": t.boolean() })).default([]),
    extra: t.map(t.integer()).default({}),
  };
  const host = Host.serving(service("/x").state(shape));
  const post = (more) => host.post("/x", { name: "abc", ...more });
  for (const [more, pointer, message] of [
    [{ name: undefined }, "/name", "name is required"],
    [{ name: "🧹" }, "/name", "name must have 2 characters or more, has 1"],
    [{ name: "🧹🧹🧹🧹" }, "/name", "name must have 3 characters or less, has 4"],
    [{ size: 0 }, "/size", "size must be 1 or more, found 0"],
    [{ size: 9007199254740993n }, "/size", "size must be an integer within ±9007199254740991, found 9007199254740993"],
    [{ price: "much" }, "/price", 'price must be a number, found the text "much"'],
    [{ color: "green" }, "/color", 'color must be one of red, blue, found the text "green"'],
    [{ items: [{ "a/b": true }, { "a/b": 1 }] }, "/items/1/a~1b", "items.1.a~1b must be true or false, found 1"],
    [{ extra: { n: 1.5 } }, "/extra/n", "extra.n must be an integer, found 1.5"],
  ]) {
    const refused = post(more);
    assert.deepEqual([refused.status, refused.pointer, refused.message], [400, pointer, message]);
  }
  const { body } = post({ unknown: 1, price: null, big: 12345678901234567890n });
  assert.deepEqual([body.unknown, body.price, body.size, body.big], [undefined, undefined, 1, 12345678901234567890n]);
  assert.deepEqual([post({ name: "🧹🧹🧹" }).status, post({ name: "a🧹" }).status], [201, 201], "a pair of units is one character");
  assert.deepEqual(host.links.length, 3);
});

test("a state that a handler spoiled is refused and not kept", () => {
  const spoiled = service("/x")
    .state({ count: t.integer().default(0) })
    .patch("text", (state) => {
      state.count += "1";
    })
    .patch("typo", (state) => {
      state.cuont = 1;
    })
    .patch("over", { count: t.json() }, (state, { count }) => {
      state.count = count;
    })
    .patch("async", async () => {});
  const host = Host.serving(spoiled);
  const { link } = host.post("/x", {});
  for (const [kind, reason] of [["text", /: count must be an integer, found the text "01"$/], ["typo", /no field cuont/]]) {
    const answer = host.patch(link, { kind });
    assert.deepEqual([answer.status, answer.body.code, answer.pointer], [500, "guest-outcome", ""], "it is not the client's fault");
    assert.match(answer.message, reason);
    assert.equal(host.log.at(-1).message, answer.message);
  }
  const taken = host.patch(link, { kind: "over", count: "1" });
  assert.deepEqual([taken.status, taken.pointer], [400, "/count"], "it is the client's value, at the same place");
  assert.throws(() => host.patch(link, { kind: "async" }), /must not be async/);
  assert.equal(host.versions(link).length, 1);
});

test("a default of which no state could be made is refused where it stands", () => {
  for (const [field, reason] of [
    [t.integer().default("x"), /^TypeError: the default of n must be an integer, found the text "x"$/],
    [t.object({ a: t.integer().min(3) }).default({ a: 1 }), /^TypeError: the default of n\.a must be 3 or more/],
    [t.bigint().default(2n ** 64n), /^TypeError: the default of n must be an integer from/],
  ]) {
    assert.throws(() => service("/x").state({ n: field }), (error) => reason.test(String(error)));
  }
  const nested = Host.serving(service("/x").state({ n: t.object({ a: t.integer().default(7) }).default({}) }));
  assert.deepEqual(nested.post("/x", {}).body.n, { a: 7 });
});

test("a field that is declared no more is taken out at the next update", () => {
  const before = service("/x").state({ kept: t.integer().default(1), gone: t.string().default("g") });
  const after = service("/x")
    .state({ kept: t.integer().default(1) })
    .patch((state) => {
      state.kept += 1;
    })
    .every("1s", () => {});
  const host = Host.serving(before);
  const { link } = host.post("/x", {});
  host.with(after);
  assert.equal(host.get(link).body.gone, "g", "what is stored is shown as it is");
  host.advance("2s");
  const { status, body } = host.patch(link, {});
  assert.deepEqual([status, body.kept, body.gone, body.documentVersion], [200, 2, undefined, 1]);
});

test("an integer of more than 64 bits is refused, and not rounded by the host", () => {
  const counts = service("/x").state({ n: t.bigint().default(0n) }).patch({ by: t.bigint() }, (state, { by }) => {
    state.n = by;
  });
  const host = Host.serving(counts);
  const { link } = host.post("/x", {});
  for (const by of [2n ** 64n - 1n, -(2n ** 63n)]) assert.equal(host.patch(link, { by }).body.n, by);
  for (const by of [2n ** 64n, -(2n ** 63n) - 1n]) assert.deepEqual([host.patch(link, { by }).status, host.patch(link, { by }).pointer], [400, "/by"]);
  assert.equal(host.post("/x", { n: 2n ** 64n }).pointer, "/n");
  assert.match(stringify(counts.descriptor()), /"minimum":-9223372036854775808,"maximum":18446744073709551615/);
});

test("a PUT is decided on by create or by nobody", () => {
  const seats = service("/seats")
    .state({ row: t.integer(), changes: t.integer().default(0) })
    .create((seat, ctx) => {
      if (seat.row === 13) throw invalid("row", "there is no row 13");
      seat.changes = ctx.exists ? ctx.version + 1 : 0;
    });
  const host = Host.serving(seats);
  const { link } = host.post("/seats", { row: 1 });
  assert.equal(host.put(link, { row: 13 }).pointer, "/row");
  assert.equal(host.put(link, { row: 2 }).body.changes, 1);
  const vows = service("/vows", { put: "none" }).state({ text: t.string() });
  const other = Host.serving(vows);
  assert.equal(other.put(other.post("/vows", { text: "always" }).link, { text: "never" }).status, 405);
  assert.equal(vows.descriptor().put, "none");
  assert.throws(() => vows.put(() => {}).descriptor(), /would never run/);
});

test("a number that is none is the handler's fault, not the client's", () => {
  const spoiled = service("/x")
    .state({ f: t.number().default(0), n: t.integer().default(0), any: t.json().default(0) })
    .patch("infinite", (state) => {
      state.f = Infinity;
    })
    .patch("inside", (state) => {
      state.any = { "a/b": [0, { c: -Infinity }] };
    })
    .patch("whole", (state) => {
      state.any = NaN;
    })
    .patch("endless", (state) => {
      state.any = [];
      state.any.push(state.any);
    })
    .patch("none", (state) => {
      state.n = NaN;
    });
  const host = Host.serving(spoiled);
  const { link } = host.post("/x", {});
  for (const [kind, field] of [["infinite", "f"], ["none", "n"], ["inside", "any.a~1b.1.c"], ["whole", "any"]]) {
    const answer = host.patch(link, { kind });
    assert.deepEqual([answer.status, answer.body.code, answer.pointer], [500, "guest-outcome", ""]);
    assert.match(answer.message, new RegExp(`: ${field} must be `));
  }
  assert.throws(() => host.patch(link, { kind: "endless" }), TypeError);
  assert.equal(host.versions(link).length, 1);
});

test("what is no moment is thrown and never taken for never", () => {
  let moment;
  const fading = service("/x")
    .create(() => {})
    .patch("at", (_, __, ctx) => ctx.expireAt(moment))
    .patch("in", (_, __, ctx) => ctx.expireIn(moment))
    .patch("after", (_, __, ctx) => {
      ctx.selfPatch({ kind: "at" }).after(moment);
    });
  const host = Host.serving(fading);
  const { link } = host.post("/x", {});
  for (const no of ["x", 1e300, NaN, Infinity, -1, 0.5, undefined, null, new Date(NaN), new Date(-1), 5n]) {
    moment = no;
    assert.throws(() => host.patch(link, { kind: "at" }), /is no expiry/);
  }
  for (const no of ["x", 1e300, NaN, Infinity, -1, undefined, null, 9e15]) {
    moment = no;
    assert.throws(() => host.patch(link, { kind: "in" }), /is no (span of time|expiry)/);
  }
  for (const no of ["x", 1e300, NaN, Infinity, -1]) {
    moment = no;
    assert.throws(() => host.patch(link, { kind: "after" }), /is no span of time/);
  }
  for (const yes of [0, 4e15, new Date(4e12)]) {
    moment = yes;
    assert.equal(host.patch(link, { kind: "at" }).status, 200);
  }
  for (const no of [1e300, 0.5]) {
    assert.deepEqual(host.post("/x", { documentExpirationTimeMicros: no }).pointer, "/documentExpirationTimeMicros");
  }
});

test("every update that is accepted takes its expiry", () => {
  const notes = service("/notes", { patch: "merge" }).state({ text: t.string().max(9).default("") });
  const counts = service("/counts").state({ n: t.integer().default(0) }).patch({ by: t.integer().min(0) }, (state, { by }) => {
    state.n += by;
  });
  const host = Host.serving(notes).with(counts);
  const [note, count] = [host.post("/notes").link, host.post("/counts").link];
  const far = 4_102_444_800_000_000;
  const field = "documentExpirationTimeMicros";
  const expires = (answer) => [answer.status, answer.body[field]];
  assert.deepEqual(expires(host.patch(note, { [field]: far })), [200, far]);
  assert.deepEqual(expires(host.put(note, { [field]: far + 1 })), [200, far + 1]);
  assert.deepEqual(expires(host.patch(count, { by: 1, [field]: far })), [200, far]);
  assert.deepEqual(expires(host.patch(count, { by: 1 })), [200, far], "who does not speak of it leaves it as it is");
  assert.equal(host.patch(count, { by: -1, [field]: 1 }).status, 400);
  for (const wrong of [-1, 1.5, "soon", true, 2n ** 63n]) {
    for (const link of [note, count]) {
      const refused = host.patch(link, { by: 1, [field]: wrong });
      assert.deepEqual([refused.status, refused.body.code, refused.pointer], [400, "validation", `/${field}`]);
    }
  }
  assert.deepEqual(expires(host.get(count)), [200, far], "a refusal changes nothing");
  assert.deepEqual(expires(host.patch(note, { [field]: 0 })), [200, 0]);
  assert.deepEqual(expires(host.patch(note, { [field]: 1 })), [200, 1], "the answer is that of every update");
  assert.equal(host.get(note).status, 404);
});

test("a DELETE of what is not there answers an empty object", () => {
  const host = Host.serving(service("/x"));
  const { link } = host.post("/x", {});
  host.delete(link);
  for (const gone of [link, "/x/nobody"]) assert.deepEqual([host.delete(gone).status, host.delete(gone).body], [200, {}]);
});

/** A host with a leaflet that remembers at which version it was told to begin, and that another leaflet may have printed. */
function leaflets() {
  const leaflet = service("/leaflets", { options: ["idempotent_post"] })
    .state({ told: t.integer().default(0) })
    .create((state, ctx) => {
      state.told = ctx.version;
    })
    .patch((_, __, ctx) => {
      ctx.create("/leaflets", { documentSelfLink: "a", documentVersion: 99 });
    });
  const host = Host.serving(leaflet);
  const link = "/leaflets/a";
  const create = (more, options) => host.post("/leaflets", { documentSelfLink: "a", ...more }, options);
  const kept = () => host.versions(link).map(({ documentVersion }) => documentVersion);
  const isGone = () => assert.deepEqual([host.get(link), host.patch(link, {}), host.put(link, {})].map(({ status }) => status), [404, 404, 404]);
  const isNew = (answer, version) => assert.deepEqual([answer.status, answer.version, answer.body.told], [201, version, 0]);
  create();
  return { host, link, create, kept, isGone, isNew };
}

/** The same, with a leaflet that was deleted at version 2. */
function deletedLeaflet() {
  const all = leaflets();
  all.host.put(all.link, {});
  const gone = all.host.delete(all.link);
  assert.deepEqual([gone.version, gone.body.documentUpdateAction], [2, "DELETE"]);
  return all;
}

test("what was deleted is created anew by a higher version", () => {
  const { create, kept, isGone, isNew } = deletedLeaflet();
  isGone();
  for (const refused of [create(), create({ documentVersion: 2 }), create({ documentVersion: -1 })]) {
    assert.deepEqual([refused.status, refused.body.code], [409, "marked-deleted"]);
    const told = "/leaflets/a was deleted, at version 2: create it anew with documentVersion 3 or higher, or with the header Pragma: xn-force-index-update";
    assert.equal(refused.message, told);
  }
  const unread = create({ documentVersion: "3" });
  assert.deepEqual([unread.status, unread.pointer], [400, "/documentVersion"]);
  isNew(create({ documentVersion: 9 }), 3);
  assert.deepEqual(kept(), [0, 1, 2, 3]);
  assert.equal(create().version, 4, "it lives, and a POST replaces it");
});

test("the pragma creates anew and forgets the history", () => {
  const { host, link, create, kept, isNew } = deletedLeaflet();
  assert.equal(create({}, { headers: { Pragma: "no-cache" } }).status, 409);
  isNew(create({}, { headers: { Pragma: "no-cache; xn-force-index-update" } }), 3);
  assert.deepEqual(kept(), [3]);
  host.delete(link);
  isNew(create({ documentVersion: 5 }), 5);
  assert.deepEqual(kept(), [3, 4, 5]);
});

test("an effect needs a number as well, and forgets the history", () => {
  const { host, kept } = deletedLeaflet();
  host.patch(host.post("/leaflets", {}).link, {});
  assert.equal(host.settle().sent[0].response.version, 3);
  assert.deepEqual(kept(), [3]);
});

test("what has expired leaves its link free", () => {
  const { host, link, create, kept, isGone, isNew } = leaflets();
  assert.equal(host.put(link, { documentExpirationTimeMicros: host.nowMicros + 1_000_000 }).version, 1);
  host.advance("1s");
  isGone();
  assert.deepEqual(kept(), []);
  // The expiry was version 2.
  const anew = create();
  isNew(anew, 3);
  assert.equal(anew.body.documentExpirationTimeMicros, 0);
  assert.deepEqual(kept(), [3]);
});

test("a pattern is checked by its text, as the host does, and not by its flags", () => {
  const plates = service("/plates", { patch: "merge" })
    .state({ number: t.string().pattern(/^[A-Z]{2}-\d+$/i), former: t.list(t.string().pattern(/^\p{Lu}/u)).default([]) })
    .post("spoil", (state) => {
      state.number = "xx-1";
    })
    .put((state, body) => {
      state.number = body.number;
    });
  const host = Host.serving(plates);
  const refusal = ({ status, body, pointer }) => [status, body.code, pointer];
  assert.deepEqual(refusal(host.post("/plates", { number: "be-12" })), [400, "validation", "/number"]);
  const { link } = host.post("/plates", { number: "BE-12" });
  for (const send of [host.patch, host.put]) assert.deepEqual(refusal(send.call(host, link, { number: "be-12" })), [400, "validation", "/number"]);
  assert.deepEqual(refusal(host.patch(link, { former: ["Ä1", "x"] })), [400, "validation", "/former/1"]);
  assert.deepEqual(refusal(host.post(link, { kind: "spoil" })), [500, "guest-outcome", ""]);
  assert.equal(host.get(link).body.number, "BE-12");
  for (const refused of [/^(?=.*\d)/u, /(?<!a)b/u, /(a)\1/u, /(?<n>a)\k<n>/u]) {
    const others = Host.serving(service("/others").state({ text: t.string().pattern(refused) }));
    assert.throws(() => others.post("/others", { text: "1aabb" }), /the host will refuse the pattern/u, refused.source);
  }
  const escaped = Host.serving(service("/others").state({ text: t.string().pattern(/^\(\?[=(?!]\\1$/u) }));
  assert.equal(escaped.post("/others", { text: "(?=\\1" }).status, 201);
});

test("kinds choose the handler, replies choose the answer", () => {
  const kinds = service("/x")
    .patch("none", () => unchanged())
    .patch("own", { n: t.integer() }, (_, { n }) => reply({ n }, { status: 202, headers: { "X-N": String(n) } }))
    .patch("no", () => {
      throw conflict("no");
    });
  const host = Host.serving(kinds);
  const { link } = host.post("/x", {});
  assert.equal(host.patch(link, { kind: "none" }).version, 0);
  const own = host.patch(link, { kind: "own", n: 5 });
  assert.deepEqual([own.status, own.body, own.headers["X-N"]], [202, { n: 5 }, "5"]);
  assert.deepEqual([host.patch(link, { kind: "no" }).status, host.patch(link, { kind: "what" }).pointer], [409, "/kind"]);
});

test("effects go out in order, answers come back with their tags, timers outlive a restart", () => {
  const chain = service("/x", { start: "eager" })
    .state({ starts: t.integer().default(0), heard: t.list(t.string()).default([]) })
    .start((state) => {
      state.starts += 1;
    })
    .patch("send", (_, __, ctx) => {
      ctx.patch("http://outside/a", { n: 1 }).after("2s").replyTag("late");
      ctx.patch("http://outside/b", { n: 2 }).replyTag("soon");
      ctx.selfPatch({ kind: "mark" });
      ctx.expireIn("1h");
    })
    .patch("mark", (state) => {
      state.heard.push("mark");
    })
    .reply("soon", (state, answer) => {
      state.heard.push(`soon ${answer.status} ${answer.json().n}`);
    })
    .reply((state, answer, ctx, tag) => {
      state.heard.push(`${tag} ${answer.problem}`);
    });
  const answer = ({ to, body }) => (to.endsWith("a") ? new Response(503, { detail: "tired" }) : new Response(200, { n: body.n }));
  const host = Host.serving(chain).answering("http://outside/", answer);
  const { link } = host.post("/x", {});
  host.patch(link, { kind: "send" });
  host.settle().restart().advance("2s");
  const newest = host.versions(link).at(-1);
  assert.deepEqual(newest.heard, ["soon 200 2", "mark", "late http://outside/a answered 503: tired"]);
  assert.equal(newest.starts, 2);
  host.advance("1h");
  assert.deepEqual(host.links, []);
});

test("what is to be sent can be given up by its tag", () => {
  const bells = service("/x")
    .state({ rung: t.list(t.string()).default([]) })
    .patch("set", { name: t.string() }, (_, { name }, ctx) => {
      ctx.selfPatch({ kind: "ring", name }).after("1s").replyTag(name);
    })
    .patch("ring", { name: t.string() }, (state, { name }) => {
      state.rung.push(name);
    })
    .patch("stop", { name: t.string() }, (_, { name }, ctx) => {
      ctx.cancel(name);
    })
    .reply(() => {});
  const host = Host.serving(bells);
  const { link } = host.post("/x", {});
  for (const name of ["a+b &c", "d"]) host.patch(link, { kind: "set", name });
  host.patch(link, { kind: "stop", name: "a+b &c" });
  host.advance("2s");
  assert.deepEqual(host.get(link).body.rung, ["d"]);
});

test("an upgrade migrates what is touched", () => {
  const first = service("/x").state({ text: t.string() });
  const second = service("/x", { stateVersion: 2 })
    .state({ words: t.list(t.string()) })
    .migrate(1, ({ text }) => ({ words: text.split(" ") }))
    .patch((state) => {
      state.words.reverse();
    });
  const host = Host.serving(first);
  const { link } = host.post("/x", { text: "a b" });
  host.with(second);
  assert.deepEqual(host.get(link).body.words, ["a", "b"]);
  assert.deepEqual(host.patch(link, {}).body.words, ["b", "a"]);
});

test("the tables of the README name what there is, and all of it", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const methods = (of) => Object.getOwnPropertyNames(of.prototype).filter((name) => name !== "constructor" && !name.endsWith("_"));
  const fields = (of) => Object.keys(of).filter((name) => !name.endsWith("_"));
  const context = new Context("/a", "", "", 0, 0, 0, true, 0);
  const tables = {
    "## The context": [...methods(Context), ...fields(context), ...methods(Effect), ...methods(Answer), ...fields(new Answer(0, ""))],
    "## The mock host": [...methods(Host), "serving", ...fields(Host.serving(service("/x"))), ...methods(Response), ...fields(new Response(200))],
  };
  for (const [title, there] of Object.entries(tables)) {
    const section = readme.split(title)[1].split("\n## ")[0];
    const leftOut = there.filter((name) => !new RegExp(`[\`.]${name}\\b`).test(section));
    assert.deepEqual(leftOut, [], `${title} leaves out`);
    const rows = section.split("\n").filter((line) => line.startsWith("|")).join("\n");
    const called = [...rows.matchAll(/`\.?([a-z]\w*)[(<]/g)].map(([, name]) => name);
    assert.deepEqual(called.filter((name) => !there.includes(name)), [], `${title} names what there is not`);
  }
});
