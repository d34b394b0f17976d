// The SDK inside the script runner: what runner.c calls, and what a script finds in its surroundings.

import { Context, at, write } from "./context.js";
import { stringify } from "./json.js";
import * as calls from "./run.js";
import { Service } from "./service.js";

const host = globalThis.__host;
delete globalThis.__host;
at.host = host;
at.locate = () => place(new Error().stack);
Math.random = host.random;

const FRAME = /^\s*at (?:.*\()?(.+?):(\d+)(?::(\d+))?\)?$/;

/** Returns the innermost line of a stack that is not ours, as `counter.ts:12`. */
function place(stack) {
  for (const line of String(stack ?? "").split("\n")) {
    const [, file, number] = FRAME.exec(line) ?? [];
    if (file !== undefined && !file.startsWith("steward/") && file !== "native") return `${file}:${number}`;
  }
  return "";
}

/** Returns a line of the log and its fields about something that was thrown. */
export function explain(thrown) {
  const words = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `thrown: ${shown(thrown)}`;
  const where = place(thrown?.stack);
  const stack = String(thrown?.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.includes("(steward/") && !line.includes("(native)"));
  return [where === "" ? words : `${where}: ${words}`, JSON.stringify(where === "" ? {} : { at: where, stack: stack.join("; ") })];
}

function shown(value) {
  if (typeof value === "string") return value;
  try {
    return stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

globalThis.console = {};
for (const [method, level] of Object.entries({ log: "info", info: "info", warn: "warn", error: "error", debug: "debug", trace: "trace" })) {
  globalThis.console[method] = (...words) => write(level, words.map(shown).join(" "));
}

let service;

/** Takes what the script exports. */
export function begin(script) {
  if (!(script.default instanceof Service)) {
    throw new TypeError('a script exports its service: export default service("/core/counters")…');
  }
  service = script.default;
}

export function run(handler, document, link, query, principal, cause, nowMicros, version, exists, expiresMicros, tag, status, from) {
  try {
    const ctx = new Context(link, query, principal, cause, nowMicros, version, exists, expiresMicros);
    return calls.call(service, handler, document, ctx, tag, status, from);
  } catch (error) {
    return { trap: explain(error) };
  }
}

export function describe() {
  return stringify(service.descriptor());
}

export function migrate(document, from) {
  try {
    return calls.migrate(service, document, from);
  } catch (error) {
    return { trap: explain(error) };
  }
}

export function merge(ours, theirs) {
  try {
    return calls.merge(service, ours, theirs);
  } catch (error) {
    return { trap: explain(error) };
  }
}
