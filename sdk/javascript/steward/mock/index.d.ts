// The types of the mock host: `import { Host } from "steward/mock"`.

import type { Action, Fault, Level, Service, Span, StatelessService } from "../index.js";

/** What came back. */
export class Response {
  constructor(status: number, body?: unknown, headers?: Record<string, string>);
  readonly status: number;
  /** The state with its built-in fields, what the service replied, or the problem. */
  readonly body: any;
  readonly headers: Record<string, string>;
  /** The self-link of the document. */
  readonly link: string;
  readonly version: number;
  /** JSON pointer to the field at fault, or empty. */
  readonly pointer: string;
  readonly message: string;
}

export interface Options {
  headers?: Record<string, string>;
  /** Who asks: a self-link of a user. */
  principal?: string;
}

/** An effect that waits. */
export interface Waiting {
  /** The document that asked for it. */
  from: string;
  action: Action;
  to: string;
  body: any;
  tag: string;
}

/** An effect that was carried out. */
export interface Sent extends Waiting {
  response: Response;
}

/** A host in memory: no ports, a clock of its own. */
export class Host {
  static serving(service: Service<any> | StatelessService): Host;
  /** Adds a service. One whose factory is served already is replaced, and its documents stay: an upgrade. */
  with(service: Service<any> | StatelessService): this;
  /** Answers effects whose target begins with `prefix`, and to which no service here listens. */
  answering(prefix: string, answer: (effect: { action: Action; to: string; body: any }) => Response): this;
  /** Answers queries. */
  queries(answer: (spec: any) => unknown): this;
  /** To a factory: creates a document. */
  post(link: string, body?: unknown, options?: Options): Response;
  patch(link: string, body?: unknown, options?: Options): Response;
  put(link: string, body?: unknown, options?: Options): Response;
  get(link: string, options?: Options): Response;
  delete(link: string, options?: Options): Response;
  ask(action: Action, link: string, options?: Options & { body?: unknown }): Response;
  /** Carries out the effects that are due, and those that they bring about. */
  settle(): this;
  /** Moves the clock, and does on the way all that falls due: effects, maintenance, expiry. */
  advance(span: Span): this;
  /** As after a restart or a failover: `start` runs for every document. */
  restart(): this;
  /** The clock, in microseconds since the Unix epoch. */
  readonly nowMicros: number;
  /** Every version of a document that is kept, the oldest first; none of one that has expired. */
  versions(link: string): any[];
  readonly links: string[];
  readonly sent: Sent[];
  readonly waiting: Waiting[];
  /** What handlers refused that nobody was there to hear. */
  readonly refusals: Fault[];
  readonly log: { level: Level; message: string; fields: Record<string, unknown> }[];
  /** The sum of a statistic. */
  stat(name: string): number;
}
