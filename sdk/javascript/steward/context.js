// What a handler sees of the world, and what it asks the world to do.

import { Fault, refused } from "./fault.js";
import { parse, stringify, valueOf } from "./json.js";

const CAUSES = ["client", "effect", "start", "maintenance", "reply"];
const ACTIONS = { get: 0, post: 1, put: 2, patch: 3, delete: 4 };
const LEVELS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The host of the call at hand: the runner's, or a mock. */
export const at = { host: undefined, locate: () => "" };

/** Returns a span in milliseconds: a number of them, or a text such as `250ms`, `3s`, `5m`, `1h`, `30d`. */
export function millis(span) {
  const parts = typeof span === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(span) : null;
  const whole = Math.floor(parts === null ? span : Number(parts[1]) * UNITS[parts[2]]);
  if ((parts === null && typeof span !== "number") || !Number.isSafeInteger(whole) || whole < 0) {
    throw new TypeError(`${String(span)} is no span of time: write "250ms", "3s", "5m", "1h", "30d", or milliseconds`);
  }
  return whole;
}

/** Returns the microseconds since the Unix epoch of an expiry that the host can keep exactly. */
function expiry(micros, said) {
  if (!Number.isSafeInteger(micros) || micros < 0) {
    throw new TypeError(`${String(said)} is no expiry: write a date, or whole microseconds from 1970 on as a number; 0 is never`);
  }
  return micros;
}

/** One request that the host sends after the commit. */
export class Effect {
  constructor(action, to, body) {
    if (!Object.hasOwn(ACTIONS, action)) throw new TypeError(`${action} is no action: get, post, put, patch or delete`);
    this.action = ACTIONS[action];
    this.to = to;
    this.body = body === undefined ? undefined : stringify(body);
    this.delay = 0;
    this.tag = "";
    this.headers = undefined;
  }

  /** Sends it that much later. The timer is durable and moves with the document. */
  after(span) {
    this.delay = millis(span);
    return this;
  }

  /** Brings the answer back to the reply handler, with this tag. */
  replyTag(tag) {
    this.tag = tag;
    return this;
  }

  /** Adds a header. */
  header(name, value) {
    (this.headers ??= []).push(name.toLowerCase(), value);
    return this;
  }
}

function headerIn(pairs, name) {
  const wanted = name.toLowerCase();
  for (let index = 0; index < (pairs?.length ?? 0); index += 2) {
    if (pairs[index].toLowerCase() === wanted) return pairs[index + 1];
  }
  return undefined;
}

/** The request at hand, and the effects that this call asked for. */
export class Context {
  constructor(link, query, principal, cause, nowMicros, version, exists, expiresMicros) {
    this.link = link;
    this.query_ = query;
    this.principal = principal;
    this.cause = CAUSES[cause];
    this.nowMicros = nowMicros;
    this.version = version;
    this.exists = exists;
    this.expires_ = expiresMicros;
  }

  /** The last segment of the link. */
  get key() {
    return this.link.slice(this.link.lastIndexOf("/") + 1);
  }

  /** The time of this call. It stands still meanwhile. */
  get now() {
    return new Date(this.nowMicros / 1000);
  }

  /** When the document will expire, in microseconds since the Unix epoch; 0: never. */
  get expiresMicros() {
    return this.wanted_ ?? this.expires_;
  }

  /** A number from 0 to 1, as `Math.random()`: recorded with the request. */
  random() {
    return at.host.random();
  }

  /** The first header of that name, whatever its case. */
  header(name) {
    return headerIn(at.host.headers(), name);
  }

  /** The value of a parameter of the query, as it was sent. */
  parameter(name) {
    const pair = this.query_.split("&").find((one) => one.startsWith(`${name}=`));
    return pair?.slice(name.length + 1);
  }

  /** Patches this document itself, after the commit: the next step of a task. */
  selfPatch(body) {
    return this.send("patch", this.link, body);
  }

  /** Posts to a factory or a URL, which creates a document there. */
  create(factory, body) {
    return this.send("post", factory, body);
  }

  /** Patches another document. */
  patch(link, body) {
    return this.send("patch", link, body);
  }

  /** Replaces another document. */
  put(link, body) {
    return this.send("put", link, body);
  }

  /** Deletes another document, or this one. */
  delete(link) {
    return this.send("delete", link);
  }

  /** Gives up what this document has to send with the tag, such as a timer; with the state of this call, or not at all. */
  cancel(tag) {
    this.send("delete", `${this.link}/effects?tag=${encodeURIComponent(tag)}`);
  }

  /** Sends any effect. */
  send(action, to, body) {
    const effect = new Effect(action, to, body);
    (this.effects_ ??= []).push(effect);
    return effect;
  }

  /** Lets the document expire that long from now. */
  expireIn(span) {
    this.wanted_ = expiry(this.nowMicros + millis(span) * 1000, span);
  }

  /** Lets the document expire at a moment: a date, or microseconds since the Unix epoch; 0: never. */
  expireAt(moment) {
    this.wanted_ = expiry(moment instanceof Date ? moment.getTime() * 1000 : moment, moment);
  }

  /** Writes a line to the host's log, with fields if wanted; `at` says from where. */
  log(level, message, fields) {
    write(level, message, fields);
  }

  /** The committed state of another document. Waits, and holds this document's turn meanwhile. */
  read(link) {
    return answered(at.host.read(link));
  }

  /** Runs a direct query and returns the finished query task. Waits, and holds this document's turn meanwhile. */
  query(spec) {
    return answered(at.host.query(stringify(spec)));
  }

  /** Adds a value to a statistic of this document, see `/stats`. */
  stat(name, value) {
    at.host.stat(name, value);
  }
}

// What most calls never set stands here once, and not in each context.
Context.prototype.wanted_ = undefined;
Context.prototype.effects_ = undefined;
// The function that runs: who is at fault if the state is spoiled.
Context.prototype.by_ = undefined;

/** Writes a line to the log. */
export function write(level, message, fields) {
  if (!Object.hasOwn(LEVELS, level)) throw new TypeError(`${level} is no level: ${Object.keys(LEVELS).join(", ")}`);
  note(level, message, { at: at.locate(), ...fields });
}

/** Writes a line to the log with these fields alone. */
export function note(level, message, fields) {
  at.host.log(LEVELS[level], message, stringify(fields));
}

function answered(answer) {
  if (typeof answer === "string") return parse(answer);
  const [status, code, message, pointer] = answer;
  throw new Fault(status, code, message, pointer);
}

/** The answer to an effect that had a reply tag. */
export class Answer {
  constructor(status, from) {
    this.status = status;
    this.from = from;
  }

  /** True for a status of 200 to 299. */
  get isSuccess() {
    return this.status >= 200 && this.status < 300;
  }

  /** The first header of that name. */
  header(name) {
    return headerIn(at.host.answerHeaders(), name);
  }

  /** The body. */
  json() {
    const body = at.host.answerBody();
    if (body === undefined) throw refused(502, "answer-unreadable", `${this.from}: answered without a body`);
    try {
      return valueOf(body);
    } catch (error) {
      throw refused(502, "answer-unreadable", `${this.from}: cannot read the answer: ${error.message}`);
    }
  }

  /** What went wrong, in words: the problem's `detail` or `message`, or the status. */
  get problem() {
    let body = null;
    try {
      body = valueOf(at.host.answerBody() ?? "null");
    } catch {
      // A body that is no JSON says nothing that could be told.
    }
    const words = body?.detail ?? body?.message ?? body?.title;
    return typeof words === "string" ? `${this.from} answered ${this.status}: ${words}` : `${this.from} answered ${this.status}`;
  }
}

/** The answer that a handler gives to its request. */
export class Reply {
  constructor(body, isUnchanged, { status = 0, headers } = {}) {
    this.body = body;
    this.isUnchanged = isUnchanged;
    this.status = status;
    this.headers = headers === undefined ? undefined : Object.entries(headers).flat();
  }
}

/** Answers with a body of its own, a status, headers. The state is committed all the same. */
export function reply(body, options) {
  return new Reply(body, false, options);
}

/** Answers with the state as it was before, and makes no new version. */
export function unchanged(options) {
  return new Reply(undefined, true, options);
}
