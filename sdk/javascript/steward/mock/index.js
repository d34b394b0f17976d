// A host in the memory of a unit test: documents with all their versions, effects, timers, maintenance, restarts.
//
// Promise. One thread, no ports, no waiting. The clock stands until `advance` moves it, effects wait until `settle`, and the same test
// takes the same course every time. What a service may rely on holds here too: a refusal changes nothing, effects of one document go
// out in their order, answers come back with their tags, timers outlive a restart.
//
// Left out: quorum, owners and replication, which no service can see; queries, unless the test answers them; `Date` and `Math.random`
// are the machine's here, `ctx.now` and `ctx.random()` those of the test; an effect that fails is given up at once; the end of a
// deletion, which a real host forgets after seven days.

import { millis } from "../context.js";
import { Fault } from "../fault.js";
import { parse } from "../json.js";
import { World } from "./world.js";

const EFFECTS_IN_A_ROW = 100_000;
const ACTIONS = ["get", "post", "put", "patch", "delete"];

/** What came back. */
export class Response {
  constructor(status, body, headers = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }

  static of(fault) {
    const errors = fault.pointer === "" ? undefined : [{ pointer: fault.pointer, detail: fault.message }];
    return new Response(fault.status, { status: fault.status, code: fault.code, message: fault.message, errors });
  }

  /** The self-link of the document. */
  get link() {
    return this.body?.documentSelfLink ?? "";
  }

  /** The version of the document. */
  get version() {
    return this.body?.documentVersion;
  }

  /** The field at fault. */
  get pointer() {
    return this.body?.errors?.[0]?.pointer ?? "";
  }

  /** What a refusal says. */
  get message() {
    return this.body?.message ?? "";
  }
}

/** The mock host. */
export class Host {
  constructor() {
    this.world_ = new World();
    this.stubs_ = [];
    /** The effects that were carried out, the oldest first: `{ from, action, to, body, tag, response }`. */
    this.sent = [];
    /** What handlers refused that nobody was there to hear. */
    this.refusals = [];
  }

  /** Makes a host with one service. */
  static serving(service) {
    return new Host().with(service);
  }

  /** Adds a service. One whose factory is served already is replaced, and its documents stay: an upgrade. */
  with(service) {
    this.world_.serve(service);
    return this;
  }

  /** Answers effects whose target begins with `prefix`, and to which no service here listens. */
  answering(prefix, answer) {
    this.stubs_.push({ prefix, answer });
    return this;
  }

  /** Answers queries. */
  queries(answer) {
    this.world_.queries = answer;
    return this;
  }

  post(link, body, options) {
    return this.ask("post", link, { body, ...options });
  }

  patch(link, body, options) {
    return this.ask("patch", link, { body, ...options });
  }

  put(link, body, options) {
    return this.ask("put", link, { body, ...options });
  }

  get(link, options) {
    return this.ask("get", link, options);
  }

  delete(link, options) {
    return this.ask("delete", link, options);
  }

  /** Sends any request, with headers and a principal if wanted. */
  ask(action, link, { body, headers = {}, principal = "" } = {}) {
    return this.operate_({ action, link, body, headers: Object.entries(headers).flat(), principal, cause: "client" });
  }

  operate_(asked) {
    const [link, query = ""] = asked.link.split("?");
    this.buryExpired_();
    try {
      const { status, body, headers } = this.world_.operate({ ...asked, link, query });
      const pairs = {};
      for (let index = 0; index < (headers?.length ?? 0); index += 2) pairs[headers[index]] = headers[index + 1];
      return new Response(status, body, pairs);
    } catch (error) {
      if (error instanceof Fault) return Response.of(error);
      throw error;
    }
  }

  /** Carries out the effects that are due, and those that they bring about, until none is left. */
  settle() {
    const { world_: world } = this;
    for (let count = 0; count < EFFECTS_IN_A_ROW; count++) {
      const next = this.next_(world.nowMicros);
      if (next === undefined) return this;
      world.pending.splice(world.pending.indexOf(next), 1);
      this.carryOut_(next);
    }
    throw new Error(`effects cause effects for ever: ${EFFECTS_IN_A_ROW} in a row`);
  }

  next_(until) {
    let first;
    for (const one of this.world_.pending) if (one.due <= until && (first === undefined || one.due < first.due)) first = one;
    return first;
  }

  carryOut_({ from, effect }) {
    const { to, tag, headers = [] } = effect;
    const action = ACTIONS[effect.action];
    const body = effect.body === undefined ? undefined : parse(effect.body);
    const stub = this.world_.served(to) === undefined ? this.stubs_.find(({ prefix }) => to.startsWith(prefix)) : undefined;
    const response = stub ? stub.answer({ action, to, body }) : this.operate_({ action, link: to, body, headers, principal: "", cause: "effect" });
    this.sent.push({ from, action, to, body, tag, response });
    if (tag !== "") this.unasked_(from, "handle-reply", "reply", { tag, status: response.status, from: to, body: response.body, headers: Object.entries(response.headers ?? {}).flat() });
  }

  unasked_(link, handler, cause, answered) {
    try {
      this.world_.runUnasked(link, handler, cause, answered);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.refusals.push(error);
    }
  }

  /** Moves the clock, and does on the way all that falls due: effects, maintenance, expiry. */
  advance(span) {
    const { world_: world } = this;
    const end = world.nowMicros + millis(span) * 1000;
    this.settle();
    for (let moment = this.moment_(); moment !== undefined && moment <= end; moment = this.moment_()) {
      world.nowMicros = Math.max(moment, world.nowMicros);
      this.settle();
      this.maintain_();
      this.buryExpired_();
      this.settle();
    }
    world.nowMicros = end;
    return this.settle();
  }

  /** The next moment at which something falls due. */
  moment_() {
    const { pending, documents } = this.world_;
    const moments = pending.map(({ due }) => due);
    for (const record of documents.values()) {
      if (record.isDeleted) continue;
      const { expires } = record.versions.at(-1);
      if (record.maintenance !== undefined) moments.push(record.maintenance);
      if (expires > 0) moments.push(expires);
    }
    return moments.length === 0 ? undefined : Math.min(...moments);
  }

  maintain_() {
    const { world_: world } = this;
    for (const link of world.alive()) {
      const record = world.documents.get(link);
      if (record.maintenance === undefined || record.maintenance > world.nowMicros) continue;
      this.unasked_(link, "handle-maintenance", "maintenance");
      const interval = world.served(link)?.descriptor.maintenanceIntervalMicros ?? 0;
      record.maintenance = interval > 0 ? world.nowMicros + interval : undefined;
    }
  }

  buryExpired_() {
    const { world_: world } = this;
    for (const link of world.alive()) {
      const { expires } = world.documents.get(link).versions.at(-1);
      if (expires === 0 || expires > world.nowMicros) continue;
      try {
        world.bury(link, { link, query: "", headers: [], principal: "", cause: "maintenance" }, { status: 0 });
        world.documents.get(link).forget();
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.refusals.push(error);
      }
    }
  }

  /** Takes ownership of every document anew, as after a restart or a failover. Effects and timers that wait have outlived it. */
  restart() {
    for (const link of this.world_.alive()) this.unasked_(link, "handle-start", "start");
    return this;
  }

  /** The clock, in microseconds since the Unix epoch. */
  get nowMicros() {
    return this.world_.nowMicros;
  }

  /** Every version of a document that is kept, the oldest first, the newest in the shape of today; none of one that has expired. */
  versions(link) {
    const { first = 0, versions = [] } = this.world_.documents.get(link) ?? {};
    return versions.map((_, index) => this.world_.full(link, first + index));
  }

  /** The links of the documents that live, in order. */
  get links() {
    return this.world_.alive();
  }

  /** The effects that wait, the next one first. */
  get waiting() {
    const waiting = [...this.world_.pending].sort((one, other) => one.due - other.due);
    return waiting.map(({ from, effect }) => ({ from, action: ACTIONS[effect.action], to: effect.to, body: effect.body === undefined ? undefined : parse(effect.body), tag: effect.tag }));
  }

  /** The lines that services logged: `{ level, message, fields }`. */
  get log() {
    return this.world_.lines;
  }

  /** The sum of a statistic. */
  stat(name) {
    return this.world_.stats.get(name) ?? 0;
  }
}
