// A service in the making: its state, its handlers, and what it says about itself.

import { millis } from "./context.js";
import { ObjectType, Type } from "./schema.js";

const DEFAULTS = ["PERSISTENCE", "REPLICATION", "OWNER_SELECTION"];

/** Begins a service whose documents live at `factory`. */
export function service(factory, about = {}) {
  return new Service(factory, about);
}

function shape(fields) {
  return fields instanceof Type ? fields : new ObjectType({ fields });
}

/** Reads the arguments of a handler: a kind if wanted, the fields of its body if wanted, and the function. */
function arranged(what, given) {
  const rest = [...given];
  const kind = typeof rest[0] === "string" ? rest.shift() : "";
  const body = typeof rest[0] === "object" && rest[0] !== null ? shape(rest.shift()) : undefined;
  const [act] = rest;
  if (typeof act !== "function" || rest.length !== 1) {
    throw new TypeError(`${what}(…) takes a kind if wanted, the fields of the body if wanted, and a function`);
  }
  return { kind, body, act };
}

function only(what, act) {
  if (typeof act !== "function") throw new TypeError(`${what}(…) takes a function`);
  return act;
}

/** A service. Each method adds to it and returns it. */
export class Service {
  constructor(factory, about) {
    if (typeof factory !== "string" || !factory.startsWith("/")) throw new TypeError(`service(…) takes the path of its factory, such as "/core/counters"`);
    this.factory = factory;
    this.about = about;
    // Each call asks.
    this.isStateless = this.has("STATELESS");
    this.shape = undefined;
    this.plain = {};
    this.requests = {};
    this.replies = new Map();
    this.migrations = new Map();
    this.joins = undefined;
    this.interval = 0;
  }

  /** Declares the fields of the state. */
  state(fields) {
    this.shape = shape(fields);
    return this;
  }

  /** Runs on the POST, and on a PUT if there is no `put` (`ctx.exists` is true then); the state is what the client sent. */
  create(act) {
    return this.add("handle-create", "create", act);
  }

  /** Runs after create, and whenever a node takes ownership or another module takes over. */
  start(act) {
    return this.add("handle-start", "start", act);
  }

  /** Runs on deletion and expiry. */
  stop(act) {
    return this.add("handle-stop", "stop", act);
  }

  /** Answers GET. */
  get(act) {
    return this.add("handle-get", "get", act);
  }

  /** Runs on POST; the body's `kind` chooses if one is given. */
  post(...given) {
    return this.take("handle-post", "post", given);
  }

  /** Runs on PUT. */
  put(...given) {
    return this.take("handle-put", "put", given);
  }

  /** Runs on PATCH; the body's `kind` chooses if one is given. */
  patch(...given) {
    return this.take("handle-patch", "patch", given);
  }

  /** Runs on DELETE. */
  delete(...given) {
    return this.take("handle-delete", "delete", given);
  }

  /** Runs at an interval: `250ms`, `3s`, `5m`, `1h`, `30d`. */
  every(span, act) {
    this.interval = millis(span);
    return this.add("handle-maintenance", "every", act);
  }

  /** Runs when an effect with that tag, or any tag, was answered. */
  reply(...given) {
    const [tag, act] = given.length === 1 ? ["", given[0]] : given;
    this.replies.set(tag, only("reply", act));
    return this;
  }

  /** Brings a state of an older version into today's shape. */
  migrate(from, act) {
    this.migrations.set(from, only("migrate", act));
    return this;
  }

  /** Joins two states that two clusters wrote. */
  merge(act) {
    this.joins = only("merge", act);
    return this;
  }

  add(handler, what, act) {
    if (Object.hasOwn(this.plain, handler)) throw new TypeError(`${what}(…) is there twice`);
    this.plain[handler] = only(what, act);
    return this;
  }

  take(handler, what, given) {
    const { kind, body, act } = arranged(what, given);
    const kinds = (this.requests[handler] ??= new Map());
    if (kinds.has(kind)) throw new TypeError(kind === "" ? `${what}(…) is there twice` : `${what}("${kind}", …) is there twice`);
    kinds.set(kind, { body, act });
    return this;
  }

  /** Returns the options as the host spells them. */
  options() {
    return (this.about.options ?? DEFAULTS).map((word) => word.toUpperCase());
  }

  has(option) {
    return this.options().includes(option);
  }

  handlers() {
    const listed = [...Object.keys(this.plain), ...Object.keys(this.requests)];
    // With defaults, the state that is kept is not the one that was sent.
    if (this.shape?.changing.length > 0 && !listed.includes("handle-create")) listed.push("handle-create");
    if (this.replies.size > 0) listed.push("handle-reply");
    if (this.migrations.size > 0) listed.push("migrate");
    if (this.joins !== undefined) listed.push("merge");
    return listed;
  }

  /** Returns the descriptor. */
  descriptor() {
    const { name, version = "0.1.0", docs, kind, stateVersion, retention, task, start, patch, put, index, outbound, limits, perCall } = this.about;
    const words = this.options();
    if (put !== undefined && put !== "none") throw new TypeError(`put takes "none": PUT is decided on by put(…), by create(…), or by nobody`);
    if (put === "none" && this.requests["handle-put"] !== undefined) throw new TypeError(`put(…) would never run: the service says put: "none"`);
    if (this.interval > 0 && !words.includes("PERIODIC_MAINTENANCE")) words.push("PERIODIC_MAINTENANCE");
    const actions = {};
    for (const [handler, kinds] of Object.entries(this.requests)) {
      actions[handler] = Object.fromEntries([...kinds].map(([one, { body }]) => [one, body?.schema() ?? { type: "object" }]));
    }
    return {
      name: name ?? this.factory.slice(this.factory.lastIndexOf("/") + 1),
      version,
      factory: this.factory,
      documentKind: kind,
      stateVersion,
      readsStateVersions: [...this.migrations.keys()],
      stateSchema: this.shape?.schema(),
      actions,
      handlers: this.handlers(),
      options: words,
      start,
      maintenanceIntervalMicros: this.interval * 1000,
      versionRetention: retention,
      index: index === undefined ? undefined : Object.entries(index).map(([path, type]) => ({ path, type })),
      capabilities: outbound === undefined ? undefined : { outbound },
      limits,
      isolation: perCall === true ? "per-call" : undefined,
      patch,
      put,
      task,
      docs: docs ?? "",
    };
  }
}
