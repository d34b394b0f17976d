// The SDK's types: what `import { service, t } from "steward"` offers.

/** A span of time: `"250ms"`, `"3s"`, `"5m"`, `"1h"`, `"30d"`, or a number of milliseconds. */
export type Span = `${number}${"ms" | "s" | "m" | "h" | "d"}` | number;

/** Any value that JSON can hold. An integer that a number cannot hold exactly is a `bigint`, on the way in and on the way out. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

// ---- Shapes ----------------------------------------------------------------------------------------------------------------

/** The shape of a field: what is checked, its JSON Schema, and its type. Each method returns a new one. */
export interface Type<T, Missing extends "required" | "default" | "optional" = "required"> {
  /** Of the type only, never there. */
  readonly type_?: [T, Missing];
  /** The field may be missing. */
  optional(): Type<T, "optional">;
  /** The field may be missing, and has this value then. */
  default(value: T): Type<T, "default">;
  /** Says what it is, for people who read the schema. */
  describe(text: string): this;
}

/** A text; its length counts characters. */
export interface StringType extends Type<string> {
  min(characters: number): StringType;
  max(characters: number): StringType;
  pattern(expression: RegExp): StringType;
}

/** A number. */
export interface NumberType extends Type<number> {
  min(least: number): NumberType;
  max(most: number): NumberType;
}

/** An integer of any size. */
export interface BigIntType extends Type<bigint> {
  min(least: bigint | number): BigIntType;
  max(most: bigint | number): BigIntType;
}

/** A list. */
export interface ListType<T> extends Type<T[]> {
  min(elements: number): ListType<T>;
  max(elements: number): ListType<T>;
}

type AnyType = Type<any, any>;

/** Declared fields. */
export type Fields = { [name: string]: AnyType };

type ValueOf<F> = F extends Type<infer T, any> ? T : never;
type IsOptional<F> = F extends { readonly type_?: [any, "optional"] } ? true : false;

/** The type of an object with these fields. */
export type Shape<F extends Fields> = {
  -readonly [N in keyof F as IsOptional<F[N]> extends true ? never : N]: ValueOf<F[N]>;
} & { -readonly [N in keyof F as IsOptional<F[N]> extends true ? N : never]?: ValueOf<F[N]> };

/** The type of a shape: `type Item = Infer<typeof item>`. */
export type Infer<F> = F extends Fields ? Shape<F> : ValueOf<F>;

/** The shapes of fields. */
export const t: {
  string(): StringType;
  number(): NumberType;
  /** An integer that a number holds exactly: larger ones are refused, never rounded. */
  integer(): NumberType;
  bigint(): BigIntType;
  boolean(): Type<boolean>;
  enum<const W extends readonly string[]>(...words: W): Type<W[number]>;
  list<F extends AnyType>(item: F): ListType<ValueOf<F>>;
  /** An object with any names. */
  map<F extends AnyType>(value: F): Type<Record<string, ValueOf<F>>>;
  object<F extends Fields>(fields: F): Type<Shape<F>>;
  /** Any JSON. */
  json<T = Json>(): Type<T>;
};

// ---- The context -----------------------------------------------------------------------------------------------------------

export type Action = "get" | "post" | "put" | "patch" | "delete";
export type Cause = "client" | "effect" | "start" | "maintenance" | "reply";
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** One request that the host sends after the commit, until it succeeded or was given up. */
export interface Effect {
  /** Sends it that much later. The timer is durable and moves with the document. */
  after(span: Span): this;
  /** Brings the answer back to the reply handler, with this tag. */
  replyTag(tag: string): this;
  header(name: string, value: string): this;
}

/** The request at hand, and what it asks the world to do. Effects go out after the commit, in their order. */
export interface Context {
  /** The document's self-link; of a stateless service the path that was asked for. */
  readonly link: string;
  /** The last segment of the link. */
  readonly key: string;
  /** The document's version before this request. */
  readonly version: number;
  /** False while the document is created: in `create` and in the `start` that follows it. */
  readonly exists: boolean;
  readonly cause: Cause;
  /** Who asks: a self-link of a user, or empty. */
  readonly principal: string;
  /** The time of this call, which stands still meanwhile; `Date.now()` is the same. */
  readonly now: Date;
  /** The same in microseconds since the Unix epoch. */
  readonly nowMicros: number;
  /** When the document will expire, in microseconds since the Unix epoch; 0: never. */
  readonly expiresMicros: number;
  /** A number from 0 to 1, as `Math.random()`: recorded with the request. */
  random(): number;
  /** The first header of that name, whatever its case. */
  header(name: string): string | undefined;
  /** The value of a parameter of the query, as it was sent. */
  parameter(name: string): string | undefined;
  /** Patches this document itself: the next step of a task. */
  selfPatch(body: unknown): Effect;
  /** Posts to a factory or a URL, which creates a document there. */
  create(factory: string, body: unknown): Effect;
  patch(link: string, body: unknown): Effect;
  put(link: string, body: unknown): Effect;
  delete(link: string): Effect;
  /** Gives up what this document has to send with the tag, such as a timer that is not needed any more. */
  cancel(tag: string): void;
  send(action: Action, to: string, body?: unknown): Effect;
  expireIn(span: Span): void;
  /** A date, or microseconds since the Unix epoch; 0: never. */
  expireAt(moment: Date | number): void;
  /** Writes a line to the host's log, with the file and line of this call; `console` does the same. */
  log(level: Level, message: string, fields?: Record<string, unknown>): void;
  /** The committed state of another document. Waits, and holds this document's turn meanwhile. */
  read<T = Json>(link: string): T;
  /** Runs a direct query and returns the finished query task. Waits, and holds this document's turn meanwhile. */
  query<T = Json>(spec: unknown): T;
  /** Adds a value to a statistic of this document, see `/stats`. */
  stat(name: string, value: number): void;
}

/** The answer to an effect that had a reply tag. */
export interface Answer {
  /** 0 if nobody answered until the effect was given up. */
  readonly status: number;
  /** The link or URL that answered. */
  readonly from: string;
  readonly isSuccess: boolean;
  /** What went wrong, in words. */
  readonly problem: string;
  header(name: string): string | undefined;
  json<T = Json>(): T;
}

// ---- Answers and refusals --------------------------------------------------------------------------------------------------

/** An answer other than the state. */
export interface Reply {
  readonly status: number;
}

export interface ReplyOptions {
  status?: number;
  headers?: Record<string, string>;
}

/** Answers with a body of its own; undefined: with the state. The state is committed all the same. */
export function reply(body?: unknown, options?: ReplyOptions): Reply;

/** Answers with the state as it was before, and makes no new version. */
export function unchanged(options?: ReplyOptions): Reply;

/** A refusal: throw it. Anything else that is thrown ends the instance, and is told with its file and line. */
export class Fault extends Error {
  constructor(status: number, code: string, message: string, pointer?: string);
  readonly status: number;
  readonly code: string;
  /** JSON pointer to the field at fault, or empty. */
  readonly pointer: string;
}

/** Refuses with a status, a code in kebab case and a message. */
export function refused(status: number, code: string, message: string): Fault;
/** 400: the field that `pointer` names has a value that cannot be. A leading slash may be left out. */
export function invalid(pointer: string, message: string): Fault;
/** 409: the state does not allow it. */
export function conflict(message: string): Fault;
/** 403: whoever asks may not. */
export function forbidden(message: string): Fault;
/** 404: the part that was asked for is not there. */
export function notFound(message: string): Fault;

// ---- The service -----------------------------------------------------------------------------------------------------------

export type Option =
  | "persistence"
  | "replication"
  | "owner_selection"
  | "idempotent_post"
  | "strict_update_checking"
  | "immutable"
  | "stateless"
  | "instrumentation";

/** What a service says about itself besides its factory. */
export interface About {
  /** Default: the last segment of the factory. */
  name?: string;
  /** Default: 0.1.0. */
  version?: string;
  /** A sentence for people. */
  docs?: string;
  /** `documentKind`; default: the name. */
  kind?: string;
  /** Default: persistence, replication, owner_selection. */
  options?: Option[];
  /** Number of the state's shape; older ones come in through `migrate`. */
  stateVersion?: number;
  /** How many versions before the newest one are kept. */
  retention?: number;
  /** A POST answers 202. */
  task?: boolean;
  /** `start` runs as soon as a node owns a document, or before whatever happens to it first. */
  start?: "eager" | "lazy";
  /** The host patches by RFC 7396, without a handler. */
  patch?: "merge";
  /** The host refuses PUT with 405. Default: `put` decides on it, or without one `create`, as on a POST. */
  put?: "none";
  /** Fields to index instead of all, and as what. */
  index?: Record<string, "string" | "number" | "boolean">;
  /** Hosts outside that effects may address. */
  outbound?: string[];
  limits?: { deadlineMillis?: number; memoryBytes?: number; documentBytes?: number };
  /** An instance for each call. */
  perCall?: boolean;
}

type Done = Reply | void;

/** A handler with nothing but the state. */
export type Handler<S> = (state: S, ctx: Context) => Done;
/** A handler with a body. */
export type BodyHandler<S, B> = (state: S, body: B, ctx: Context) => Done;

interface Bodies<S> {
  <F extends Fields>(kind: string, fields: F, act: BodyHandler<S, Shape<F>>): Service<S>;
  <F extends Fields>(fields: F, act: BodyHandler<S, Shape<F>>): Service<S>;
  (kind: string, act: BodyHandler<S, Json>): Service<S>;
  (act: BodyHandler<S, Json>): Service<S>;
}

/** A service. Each method adds to it and returns it. Handlers change the state that they are given. */
export interface Service<S> {
  /** Declares the fields of the state. */
  state<F extends Fields>(fields: F): Service<Shape<F>>;
  /** Runs on the POST, and on a PUT if there is no `put` (`ctx.exists` is true then); the state is what the client sent. */
  create(act: Handler<S>): Service<S>;
  /** Runs after create, and whenever a node takes ownership or another module takes over. */
  start(act: Handler<S>): Service<S>;
  /** Runs on deletion and expiry. */
  stop(act: Handler<S>): Service<S>;
  get(act: Handler<S>): Service<S>;
  post: Bodies<S>;
  put: Bodies<S>;
  /** Runs on PATCH; the body's `kind` chooses if one is given. */
  patch: Bodies<S>;
  delete: Bodies<S>;
  /** Runs at that interval. */
  every(span: Span, act: Handler<S>): Service<S>;
  /** Runs when an effect with that tag was answered. */
  reply(tag: string, act: (state: S, answer: Answer, ctx: Context, tag: string) => Done): Service<S>;
  /** Runs when an effect with any other tag was answered. */
  reply(act: (state: S, answer: Answer, ctx: Context, tag: string) => Done): Service<S>;
  /** Brings a state of an older version into today's shape. */
  migrate<Old = any>(from: number, act: (old: Old) => S): Service<S>;
  /** Joins two states that two clusters wrote. */
  merge(act: (ours: S, theirs: S) => S): Service<S>;
}

/** Begins a service whose documents live at `factory`. */
export function service(factory: string, about: About & { options: ["stateless"] }): StatelessService;
export function service(factory: string, about?: About): Service<Record<string, Json>>;

/** A service without documents: its handlers answer every path below it, and have no state. */
export interface StatelessService {
  get(act: (ctx: Context) => Done): StatelessService;
  post: StatelessBodies;
  put: StatelessBodies;
  patch: StatelessBodies;
  delete: StatelessBodies;
  reply(tag: string, act: (answer: Answer, ctx: Context, tag: string) => Done): StatelessService;
  reply(act: (answer: Answer, ctx: Context, tag: string) => Done): StatelessService;
}

interface StatelessBodies {
  <F extends Fields>(kind: string, fields: F, act: (body: Shape<F>, ctx: Context) => Done): StatelessService;
  <F extends Fields>(fields: F, act: (body: Shape<F>, ctx: Context) => Done): StatelessService;
  (kind: string, act: (body: Json, ctx: Context) => Done): StatelessService;
  (act: (body: Json, ctx: Context) => Done): StatelessService;
}
