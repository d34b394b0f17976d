// From texts to values and back, for one call.

import { Answer, Context, Reply, at, note } from "./context.js";
import { Fault, invalid, refused } from "./fault.js";
import { parse, stringify, valueOf } from "./json.js";
import { misfit, recalled, taken } from "./schema.js";

/** The handlers by number, as runner.c counts them. */
export const HANDLERS = [
  "handle-create",
  "handle-start",
  "handle-stop",
  "handle-get",
  "handle-post",
  "handle-put",
  "handle-patch",
  "handle-delete",
  "handle-maintenance",
  "handle-reply",
];
const [CREATE, START, STOP, GET, , PUT] = HANDLERS.keys();
const MAINTENANCE = 8;
const REPLY = 9;

/** Runs a handler and returns its outcome, or `{ fault }`. Throws what is no refusal. */
export function call(service, handler, document, ctx, tag, status, from) {
  try {
    return conclude(service, handler, document, ctx, tag, status, from);
  } catch (error) {
    if (error instanceof Fault) return { fault: error };
    throw error;
  }
}

function conclude(service, handler, document, ctx, tag, status, from) {
  const { shape } = service;
  const isStateless = service.isStateless;
  const given = isStateless ? undefined : valueOf(document);
  if (!isStateless && shape !== undefined) {
    if (handler === CREATE) taken(shape, given);
    else recalled(shape, given);
  }
  const wanted = handler === CREATE || handler === PUT ? bodyOf()?.documentExpirationTimeMicros : undefined;
  // What a client wants is for the host to judge, as far as the number reaches it.
  if (typeof wanted === "number") ctx.wanted_ = whole(wanted);
  const maybe = handler === START || handler === STOP || handler === MAINTENANCE || handler === REPLY;
  const before = maybe && !isStateless ? stringify(given) : undefined;
  const reply = act(service, handler, given, ctx, tag, status, from);
  const outcome = {
    document: undefined,
    status: reply?.status ?? 0,
    headers: reply?.headers,
    reply: reply?.body === undefined ? undefined : stringify(reply.body),
    effects: ctx.effects_,
    expires: ctx.wanted_,
  };
  if (!isStateless && handler !== GET && reply?.isUnchanged !== true) {
    const after = written(shape, given, ctx.by_, bodyOf);
    if (after !== before) outcome.document = after;
  }
  return outcome;
}

function whole(micros) {
  if (Number.isSafeInteger(micros)) return micros;
  throw invalid("documentExpirationTimeMicros", "documentExpirationTimeMicros must be whole microseconds since 1970; 0 is never");
}

/** Returns the text of a state that fits; `by` is the function that has left it so, if there was one, and `sent` returns the body. */
function written(shape, state, by, sent) {
  if (shape !== undefined) {
    const wrong = misfit(shape, state);
    if (wrong !== undefined) throw holdsSame(sent?.(), state, wrong.pointer) ? wrong : spoiled(wrong.pointer.slice(1).split("/")[0], wrong.message, by);
    const stranger = shape.stranger(state);
    if (stranger !== undefined) throw spoiled(stranger, `the state has no field ${stranger}: declare it in .state({ … })`, by);
  }
  return stringify(state);
}

/** Whether a state has taken over what the body has at the same place: then it is the client who is to mend it. */
function holdsSame(body, state, pointer) {
  let [sent, held] = [body, state];
  for (const step of pointer.slice(1).split("/")) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    [sent, held] = [sent?.[name], held?.[name]];
  }
  return sent !== undefined && typeof sent === typeof held && stringify(sent) === stringify(held);
}

/** Returns the failure of a service that has spoiled its own state, and tells the log: no client can do anything about it. */
function spoiled(field, reason, by) {
  const place = placeIn(by, field);
  const message = `the service has left a state that does not fit: ${reason}${place === "" ? "" : ` at ${place}`}`;
  note("error", message, place === "" ? {} : { at: place });
  return refused(500, "guest-outcome", message);
}

/** Returns the one line of a function in which a field is assigned, else its first, as `counter.ts:12`; nothing where the engine tells no lines. */
function placeIn(act, field) {
  if (typeof act?.fileName !== "string") return "";
  const name = /^\w+$/.test(field) ? field : "(?!)";
  const assigns = new RegExp(`\\.${name}\\s*(?:(?:[-+*/%&|^?]|[*&|?<]{2}|>{2,3})?=(?![=>])|\\+\\+|--)|(?:\\+\\+|--)[\\w.]*\\.${name}\\b`);
  const lines = [...String(act).split("\n").entries()].filter(([, line]) => assigns.test(line));
  return `${act.fileName}:${act.lineNumber + (lines.length === 1 ? lines[0][0] : 0)}`;
}

function bodyOf() {
  try {
    return valueOf(at.host.body());
  } catch (error) {
    throw refused(400, "validation", `the body is no JSON: ${error.message}`);
  }
}

/** Returns what the handler answers. */
function act(service, handler, state, ctx, tag, status, from) {
  const name = HANDLERS[handler];
  const plain = service.plain[name];
  if (plain !== undefined) {
    ctx.by_ = plain;
    return plainly(state === undefined ? plain(ctx) : plain(state, ctx), name);
  }
  // Without one, creating is taking the state in, with its defaults.
  if (handler === CREATE) return undefined;
  if (handler === REPLY) {
    const answers = service.replies.get(tag) ?? service.replies.get("");
    if (answers === undefined) throw refused(501, "not-implemented", `handle-reply is not there for the tag ${JSON.stringify(tag)}`);
    const answer = new Answer(status, from);
    ctx.by_ = answers;
    return plainly(state === undefined ? answers(answer, ctx, tag) : answers(state, answer, ctx, tag), name);
  }
  const kinds = service.requests[name];
  if (kinds === undefined) throw refused(501, "not-implemented", `${name} is not there`);
  const body = bodyOf();
  const { body: shape, act: acts } = chosen(kinds, body);
  const input = shape === undefined ? body : taken(shape, body ?? {});
  ctx.by_ = acts;
  return plainly(state === undefined ? acts(input, ctx) : acts(state, input, ctx), name);
}

function chosen(kinds, body) {
  const kind = typeof body?.kind === "string" ? body.kind : "";
  const found = kinds.get(kind) ?? kinds.get("");
  if (found !== undefined) return found;
  const what = body?.kind == null ? "no kind" : `the kind ${stringify(body.kind)}`;
  throw new Fault(400, "unknown-kind", `kind must be one of ${[...kinds.keys()].join(", ")}, found ${what}`, "/kind");
}

/** Returns the reply of a handler that has done its work. */
function plainly(returned, name) {
  if (returned === undefined || returned instanceof Reply) return returned;
  if (typeof returned?.then === "function") throw new TypeError(`${name} must not be async: what the host offers answers at once`);
  throw new TypeError(`${name} returns nothing, reply(…) or unchanged(): it changes the state that it is given`);
}

/** Returns `{ document }`, the state in today's shape. */
export function migrate(service, document, from) {
  const act = service.migrations.get(from);
  return stated(service, act, () => {
    if (act === undefined) throw refused(501, "not-implemented", `migrate is not there for state version ${from}`);
    return act(parse(document));
  });
}

/** Returns `{ document }`, one state made of two. */
export function merge(service, ours, theirs) {
  return stated(service, service.joins, () => {
    const [one, other] = [parse(ours), parse(theirs)];
    if (service.shape !== undefined) for (const state of [one, other]) recalled(service.shape, state);
    return service.joins(one, other);
  });
}

function stated(service, by, make) {
  try {
    const state = make();
    service.shape?.restore(state);
    return { document: written(service.shape, state, by) };
  } catch (error) {
    if (error instanceof Fault) return { fault: error };
    throw error;
  }
}
