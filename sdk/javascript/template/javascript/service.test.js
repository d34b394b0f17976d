// What the service promises, proven in memory: no host, no ports, a clock of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Host } from "steward/mock";

import counters from "./service.js";

test("a patch adds a step or what it says", () => {
  const host = Host.serving(counters);
  const { link } = host.post("/core/my-service", { step: 5 });
  assert.equal(host.patch(link, {}).body.count, 5);
  assert.equal(host.patch(link, { by: 37 }).body.count, 42);
});

test("a step of nothing is refused with its field", () => {
  const host = Host.serving(counters);
  const refused = host.post("/core/my-service", { step: 0 });
  assert.deepEqual([refused.status, refused.pointer], [400, "/step"]);
  assert.deepEqual(host.links, []);
});

test("a counter comes to rest", () => {
  const host = Host.serving(counters);
  const { link } = host.post("/core/my-service", { count: 2 });
  host.advance("10h");
  assert.equal(host.versions(link).at(-1).count, 0);
});
