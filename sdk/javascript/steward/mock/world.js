// The documents of a mock host, and what happens to one of them.

import { Context, at } from "../context.js";
import { Fault, refused } from "../fault.js";
import { parse, stringify } from "../json.js";
import { HANDLERS, call, migrate } from "../run.js";
import { misfit } from "../schema.js";
import { checkPatterns, checkRevival, expiryIn, forgets } from "./admission.js";

const NUMBERS = Object.fromEntries(HANDLERS.map((name, number) => [name, number]));
const CAUSES = { client: 0, effect: 1, start: 2, maintenance: 3, reply: 4 };
const LEVELS = ["trace", "debug", "info", "warn", "error"];
const UPDATES = { post: "POST", put: "PUT", patch: "PATCH", delete: "DELETE" };
const HANDLER_OF = { get: "handle-get", post: "handle-post", put: "handle-put", patch: "handle-patch", delete: "handle-delete" };

/** The clock at the beginning of every test: 2026-01-01T00:00:00Z. */
const BEGINNING_MICROS = 1_767_225_600_000_000;

function withoutBuiltIns(body) {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !/^document[A-Z]/.test(name)));
}

function mergePatch(target, patch) {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

/** Whether an effect gives up others of its document. */
function cancels(from, { action, to, delay, tag }) {
  return action === 4 && to.split("?")[0] === `${from}/effects` && delay <= 0 && tag === "";
}

/** A service with its descriptor. */
class Served {
  constructor(service) {
    this.service = service;
    this.descriptor = JSON.parse(stringify(service.descriptor()));
    this.factory = service.factory;
    this.stateVersion = this.descriptor.stateVersion ?? 1;
  }

  has(handler) {
    return this.descriptor.handlers.includes(handler);
  }

  is(option) {
    return this.descriptor.options.includes(option);
  }
}

/** A document, or what is left of it. */
class Record {
  /** The number of the oldest version that is kept: no number is given twice. */
  first = 0;
  /** The versions that are kept: none of a document that has expired. */
  versions = [];
  isDeleted = false;

  /** The number of the newest version. */
  get version() {
    return this.first + this.versions.length - 1;
  }

  /** The number of the version that is the deletion; nothing if the link is free or the document lives. */
  get deletion() {
    return this.isDeleted && this.versions.length > 0 ? this.version : undefined;
  }

  /** Gives up every version, and goes on counting. */
  forget() {
    this.first += this.versions.length;
    this.versions = [];
  }
}

export class World {
  constructor() {
    this.nowMicros = BEGINNING_MICROS;
    this.services = new Map();
    this.documents = new Map();
    this.pending = [];
    this.lines = [];
    this.stats = new Map();
    this.queries = () => {
      throw refused(501, "not-implemented", "a mock host has no queries: give it some with host.queries((spec) => …)");
    };
    this.calls = 0;
  }

  serve(service) {
    this.services.set(service.factory, new Served(service));
  }

  /** The service of a path, a document or a factory. */
  served(path) {
    for (const one of this.services.values()) if (path === one.factory || path.startsWith(`${one.factory}/`)) return one;
    return undefined;
  }

  record(link) {
    const record = this.documents.get(link);
    return record === undefined || record.isDeleted ? undefined : record;
  }

  alive() {
    return [...this.documents].filter(([, record]) => !record.isDeleted).map(([link]) => link).sort();
  }

  /** A version with its built-in fields. */
  full(link, version) {
    const record = this.documents.get(link);
    const { text, action, micros, expires } = record.versions[version - record.first];
    const { descriptor } = this.served(link);
    return {
      ...parse(version === record.version ? this.today(link) : text),
      documentVersion: version,
      documentKind: descriptor.documentKind ?? descriptor.name,
      documentSelfLink: link,
      documentUpdateTimeMicros: micros,
      documentUpdateAction: action,
      documentExpirationTimeMicros: expires,
    };
  }

  /** The newest state in today's shape. */
  today(link) {
    const record = this.documents.get(link);
    const { service, stateVersion } = this.served(link);
    const { text } = record.versions.at(-1);
    if (record.stateVersion === stateVersion) return text;
    const moved = this.during(undefined, () => migrate(service, text, record.stateVersion));
    if (moved.fault) throw moved.fault;
    return moved.document;
  }

  /** Does one operation and returns `{ status, body, headers }`; throws a fault. */
  operate(asked) {
    const served = this.served(asked.link);
    if (served === undefined) throw refused(404, "not-found", `nothing answers at ${asked.link}`);
    if (served.is("STATELESS")) return this.answerStateless(served, asked);
    if (asked.link === served.factory) {
      if (asked.action === "post") return this.create(served, asked);
      if (asked.action === "get") return { status: 200, body: { documentLinks: this.alive().filter((link) => link.startsWith(`${served.factory}/`)) } };
      throw refused(405, "not-allowed", `${asked.link} takes GET and POST`);
    }
    if (this.record(asked.link) === undefined) {
      if (asked.action === "delete") return { status: 200, body: {} };
      throw refused(404, "not-found", `there is no ${asked.link}`);
    }
    return this.update(served, asked);
  }

  answerStateless(served, asked) {
    const handler = HANDLER_OF[asked.action];
    if (!served.has(handler)) throw refused(405, "not-allowed", `${asked.link} has no ${handler}`);
    const outcome = this.run(served, handler, "{}", asked, undefined, true);
    this.enqueue(asked.link, outcome.effects);
    return { status: outcome.status || 200, body: outcome.reply === undefined ? undefined : parse(outcome.reply), headers: outcome.headers };
  }

  create(served, asked) {
    const body = asked.body ?? {};
    const key = typeof body.documentSelfLink === "string" ? body.documentSelfLink.split("/").at(-1) : `document-${this.documents.size + 1}`;
    const link = `${served.factory}/${key}`;
    const request = { ...asked, link };
    const record = this.documents.get(link) ?? new Record();
    if (this.record(link) !== undefined) {
      if (served.is("IDEMPOTENT_POST")) return this.update(served, { ...request, action: "put" });
      throw refused(409, "already-exists", `there is a ${link} already`);
    }
    checkRevival(request, record.deletion);
    let text = stringify(withoutBuiltIns(body));
    let expires = expiryIn(asked.body) ?? 0;
    const effects = [];
    const take = (outcome) => {
      text = outcome.document ?? text;
      expires = outcome.expires ?? expires;
      effects.push(...(outcome.effects ?? []));
      return outcome;
    };
    let outcome = { status: 0 };
    if (served.has("handle-create")) outcome = take(this.run(served, "handle-create", text, request, undefined, false, expires));
    else this.check(served, text, asked.body);
    if (served.has("handle-start")) take(this.run(served, "handle-start", text, { ...request, cause: "start" }, undefined, false, expires));
    const micros = served.descriptor.maintenanceIntervalMicros;
    if (forgets(request)) record.forget();
    record.versions.push({ text, action: "POST", micros: this.nowMicros, expires });
    Object.assign(record, { isDeleted: false, stateVersion: served.stateVersion, maintenance: micros > 0 ? this.nowMicros + micros : undefined });
    this.documents.set(link, record);
    this.enqueue(link, effects);
    return this.answer(outcome, link, outcome.status || (served.descriptor.task ? 202 : 201));
  }

  update(served, asked) {
    const handler = HANDLER_OF[asked.action];
    const { link } = asked;
    const wanted = expiryIn(asked.body);
    const before = this.today(link);
    if (asked.action === "get" && !served.has(handler)) return { status: 200, body: this.newest(link) };
    let outcome = { status: 0 };
    if (served.has(handler)) outcome = this.run(served, handler, before, asked);
    else if (asked.action === "put" && served.descriptor.put !== "none") outcome = this.replacement(served, asked);
    else if (asked.action === "patch" && served.descriptor.patch === "merge") outcome.document = this.checkedText(served, mergePatch(parse(before), withoutBuiltIns(asked.body ?? {})), asked.body);
    else if (asked.action !== "delete") throw refused(405, "not-allowed", `${link} has no ${handler}`);
    if (asked.action === "delete") return this.bury(link, asked, outcome);
    // Whoever accepts an update accepts the expiry in its body, unless the service says another one.
    if (asked.action !== "get" && (outcome.status ?? 0) < 400) outcome.expires ??= wanted;
    this.commit(link, UPDATES[asked.action], outcome);
    return this.answer(outcome, link, outcome.status || 200);
  }

  /** Decides on another state in place of a document's, as on a creation. */
  replacement(served, asked) {
    if (asked.body === undefined) throw refused(400, "validation", `${asked.link} needs a body, a JSON object`);
    const text = stringify(withoutBuiltIns(asked.body));
    if (!served.has("handle-create")) return { status: 0, document: this.checkedText(served, parse(text), asked.body) };
    const outcome = this.run(served, "handle-create", text, asked);
    return { ...outcome, document: outcome.document ?? text };
  }

  /** Ends a document. The end is a version of its own. */
  bury(link, asked, outcome) {
    const served = this.served(link);
    const document = outcome.document ?? this.today(link);
    const stopped = served.has("handle-stop") ? this.run(served, "handle-stop", document, asked) : {};
    const effects = [...(outcome.effects ?? []), ...(stopped.effects ?? [])];
    this.commit(link, "DELETE", { document: stopped.document ?? document, effects });
    this.documents.get(link).isDeleted = true;
    return this.answer(outcome, link, outcome.status || 200);
  }

  /** Runs what nobody asked for: start, maintenance, the answer to an effect. */
  runUnasked(link, handler, cause, answered) {
    const served = this.served(link);
    if (this.record(link) === undefined || served === undefined || !served.has(handler)) return;
    const outcome = this.run(served, handler, this.today(link), { link, query: "", headers: [], principal: "", cause }, answered);
    this.commit(link, "PATCH", outcome);
  }

  commit(link, action, outcome) {
    const record = this.documents.get(link);
    const { expires } = record.versions.at(-1);
    // A new expiry alone makes a new version of the same state.
    if (outcome.document !== undefined || (outcome.expires ?? expires) !== expires) {
      const text = outcome.document ?? record.versions.at(-1).text;
      record.versions.push({ text, action, micros: this.nowMicros, expires: outcome.expires ?? expires });
      if (outcome.document !== undefined) record.stateVersion = this.served(link).stateVersion;
    }
    this.enqueue(link, outcome.effects);
  }

  answer(outcome, link, status) {
    return { status, body: outcome.reply === undefined ? this.newest(link) : parse(outcome.reply), headers: outcome.headers };
  }

  newest(link) {
    return this.full(link, this.documents.get(link).version);
  }

  enqueue(from, effects) {
    const all = effects ?? [];
    for (const effect of all.filter((one) => cancels(from, one))) {
      const [, tag] = effect.to.split("?tag=");
      const isMeant = (one) => one.from === from && (tag === undefined || one.effect.tag === decodeURIComponent(tag));
      this.pending = this.pending.filter((one) => !isMeant(one));
    }
    for (const effect of all.filter((one) => !cancels(from, one))) {
      this.pending.push({ from, effect, due: this.nowMicros + effect.delay * 1000 });
    }
  }

  check(served, text, body) {
    const { shape } = served.service;
    if (shape === undefined) return;
    const state = parse(text);
    shape.restore(state);
    const wrong = misfit(shape, state);
    if (wrong !== undefined) throw wrong;
    checkPatterns(served.descriptor.stateSchema, state, body);
  }

  checkedText(served, state, body) {
    const text = stringify(state);
    this.check(served, text, body);
    return text;
  }

  run(served, handler, text, asked, answered, exists = true, expires) {
    const record = this.documents.get(asked.link);
    const newest = record?.versions.at(-1);
    const version = exists && record !== undefined ? record.version : 0;
    const cause = CAUSES[asked.cause ?? "client"];
    const ctx = new Context(asked.link, asked.query, asked.principal, cause, this.nowMicros, version, exists, expires ?? newest?.expires ?? 0);
    const outcome = this.during({ asked, answered }, () =>
      call(served.service, NUMBERS[handler], text, ctx, answered?.tag, answered?.status, answered?.from),
    );
    if (outcome.fault) throw outcome.fault;
    if (outcome.document !== undefined) checkPatterns(served.descriptor.stateSchema, parse(outcome.document), asked.body);
    return outcome;
  }

  /** Is the host of one call. */
  during(call, act) {
    const outer = at.host;
    let random = ++this.calls;
    at.host = {
      log: (level, message, fields) => this.lines.push({ level: LEVELS[level], message, fields: JSON.parse(fields) }),
      read: (link) => this.told(() => this.newest(this.record(link) === undefined ? this.none(link) : link)),
      query: (spec) => this.told(() => this.queries(parse(spec))),
      stat: (name, value) => this.stats.set(name, (this.stats.get(name) ?? 0) + value),
      body: () => (call?.asked.body === undefined ? undefined : stringify(call.asked.body)),
      headers: () => call?.asked.headers ?? [],
      answerBody: () => (call?.answered?.body === undefined ? undefined : stringify(call.answered.body)),
      answerHeaders: () => call?.answered?.headers ?? [],
      // Mulberry32: the same numbers in every run of a test.
      random: () => {
        random = (random + 0x6d2b79f5) | 0;
        let mixed = Math.imul(random ^ (random >>> 15), 1 | random);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
      },
    };
    try {
      return act();
    } finally {
      at.host = outer;
    }
  }

  none(link) {
    throw refused(404, "not-found", `there is no ${link}`);
  }

  told(make) {
    try {
      return stringify(make());
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return [error.status, error.code, error.message, error.pointer];
    }
  }
}
