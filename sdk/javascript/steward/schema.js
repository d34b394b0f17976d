// Shapes of states and bodies: one declaration gives the checks, the JSON Schema, and, by index.d.ts, the types.
//
// A value is taken as it is, and changed in place: defaults are filled in, fields that nobody declared are taken out. What does not
// fit is refused with the JSON pointer of the field.

import { Fault } from "./fault.js";

const { isArray } = Array;
const DIGITS_MAX = Number.MAX_SAFE_INTEGER;

/** A value that does not fit; its pointer grows on the way out of the fields. */
class Mismatch extends Fault {
  constructor(reason) {
    super(400, "validation", reason);
    this.reason = reason;
  }

  /** Tells in which field it was. */
  within(name) {
    this.pointer = `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}${this.pointer}`;
  }

  /** Writes the message for people. */
  finish() {
    const field = this.pointer.slice(1).replaceAll("/", ".");
    this.message = `${field || "body"} ${this.reason}`;
    return this;
  }
}

function found(value) {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return value.length > 40 ? "a longer text" : `the text ${JSON.stringify(value)}`;
  if (isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function wrong(wanted, value) {
  return new Mismatch(`must be ${wanted}, found ${found(value)}`);
}

/** A shape. Each method returns a new one. */
export class Type {
  constructor(rules) {
    this.rules = rules;
    this.isOptional = rules.isOptional === true;
    this.hasDefault = "default" in rules;
    // Whether values are changed when they are taken in: in place, or into others.
    this.changes = false;
    this.converts = false;
  }

  with(more) {
    return new this.constructor({ ...this.rules, ...more });
  }

  /** The field may be missing. */
  optional() {
    return this.with({ isOptional: true });
  }

  /** The field may be missing, and has this value then. */
  default(value) {
    return this.with({ default: value });
  }

  /** Says what it is, for people who read the schema. */
  describe(text) {
    return this.with({ description: text });
  }

  fallback() {
    const value = this.rules.default;
    return typeof value === "object" && value !== null ? structuredCopy(value) : value;
  }

  /** Fills in what is missing by default, and checks nothing: for states that were checked when they were written. */
  restore() {}

  schema() {
    const { description, default: value } = this.rules;
    const schema = this.own();
    if (description !== undefined) schema.description = description;
    if (value !== undefined) schema.default = value;
    return schema;
  }
}

function structuredCopy(value) {
  if (isArray(value)) return value.map(structuredCopy);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, structuredCopy(one)]));
}

class StringType extends Type {
  constructor(rules) {
    super(rules);
    // A character is one unit or two: most texts fit either way, and need not be counted.
    this.fewest = 2 * (rules.min ?? 0);
    this.most = rules.max ?? Infinity;
    this.like = rules.pattern;
  }

  min(characters) {
    return this.with({ min: characters });
  }

  max(characters) {
    return this.with({ max: characters });
  }

  pattern(expression) {
    return this.with({ pattern: expression });
  }

  check(value) {
    if (typeof value !== "string") throw wrong("a text", value);
    const { length } = value;
    if (length < this.fewest || length > this.most) checkLength(characters(value), this.rules.min, this.rules.max, "characters");
    if (this.like !== undefined && !this.like.test(value)) throw wrong(`a text like ${this.like.source}`, value);
  }

  own() {
    const { min, max, pattern } = this.rules;
    return { type: "string", minLength: min, maxLength: max, pattern: pattern?.source };
  }
}

function characters(text) {
  let count = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // The second half of a pair belongs to the character of the first.
    if (unit >= 0xdc00 && unit <= 0xdfff) count--;
  }
  return count;
}

function checkLength(length, min, max, unit) {
  if (min !== undefined && length < min) throw new Mismatch(`must have ${min} ${unit} or more, has ${length}`);
  if (max !== undefined && length > max) throw new Mismatch(`must have ${max} ${unit} or less, has ${length}`);
}

class NumberType extends Type {
  min(least) {
    return this.with({ min: least });
  }

  max(most) {
    return this.with({ max: most });
  }

  check(value) {
    if (typeof value !== "number" || !Number.isFinite(value)) throw wrong("a number", value);
    this.checkBounds(value);
  }

  checkBounds(value) {
    const { min, max } = this.rules;
    if (min !== undefined && value < min) throw wrong(`${min} or more`, value);
    if (max !== undefined && value > max) throw wrong(`${max} or less`, value);
  }

  own() {
    return { type: "number", minimum: this.rules.min, maximum: this.rules.max };
  }
}

class IntegerType extends NumberType {
  constructor(rules) {
    super(rules);
    this.least = rules.min ?? -Infinity;
    this.most = rules.max ?? Infinity;
  }

  check(value) {
    // Nearly all fit into 32 bits, and need no call then.
    if (typeof value !== "number" || ((value | 0) !== value && !Number.isSafeInteger(value))) {
      throw wrong(typeof value === "bigint" || Number.isInteger(value) ? `an integer within ±${DIGITS_MAX}` : "an integer", value);
    }
    if (value < this.least || value > this.most) this.checkBounds(value);
  }

  own() {
    const { min = -DIGITS_MAX, max = DIGITS_MAX } = this.rules;
    return { type: "integer", minimum: min, maximum: max };
  }
}

// What the host keeps digit for digit; larger ones it would round.
const [LEAST_BIGINT, MOST_BIGINT] = [-(2n ** 63n), 2n ** 64n - 1n];

/** Integers of 64 bits, as BigInt. */
class BigIntType extends NumberType {
  constructor(rules) {
    super(rules);
    this.changes = true;
    this.converts = true;
  }

  restoreValue(value) {
    return Number.isInteger(value) ? BigInt(value) : value;
  }

  check(value) {
    if (typeof value !== "bigint") throw wrong("an integer", value);
    if (value < LEAST_BIGINT || value > MOST_BIGINT) throw wrong(`an integer from ${LEAST_BIGINT} to ${MOST_BIGINT}`, value);
    this.checkBounds(value);
  }

  own() {
    const { min = LEAST_BIGINT, max = MOST_BIGINT } = this.rules;
    return { type: "integer", minimum: bound(min), maximum: bound(max) };
  }

  schema() {
    const schema = super.schema();
    if (typeof schema.default === "bigint") schema.default = bound(schema.default);
    return schema;
  }
}

function bound(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

class BooleanType extends Type {
  check(value) {
    if (typeof value !== "boolean") throw wrong("true or false", value);
  }

  own() {
    return { type: "boolean" };
  }
}

class EnumType extends Type {
  check(value) {
    if (!this.rules.words.includes(value)) throw wrong(`one of ${this.rules.words.join(", ")}`, value);
  }

  own() {
    return { enum: [...this.rules.words] };
  }
}

/** Any JSON. */
class JsonType extends Type {
  check(value) {
    if (value === undefined) throw new Mismatch("is required");
    checkNumbers(value, 0);
  }

  own() {
    return {};
  }
}

// What lies deeper is no JSON that a host takes, or has no end: writing it fails.
const DEPTH_MAX = 200;

/** Refuses numbers of which JSON knows nothing, wherever they are: they would be written as null. */
function checkNumbers(value, depth) {
  if (typeof value === "number" && !Number.isFinite(value)) throw wrong("JSON", value);
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return;
  let name = 0;
  try {
    if (isArray(value)) {
      for (; name < value.length; name++) checkNumbers(value[name], depth + 1);
    } else {
      for (name of Object.keys(value)) checkNumbers(value[name], depth + 1);
    }
  } catch (error) {
    if (error instanceof Mismatch) error.within(name);
    throw error;
  }
}

class ListType extends Type {
  constructor(rules) {
    super(rules);
    this.changes = rules.item.changes;
    this.item = rules.item;
    this.least = rules.min ?? 0;
    this.most = rules.max ?? Infinity;
  }

  min(elements) {
    return this.with({ min: elements });
  }

  max(elements) {
    return this.with({ max: elements });
  }

  restore(list) {
    const { item } = this;
    if (!item.changes || !isArray(list)) return;
    for (let index = 0; index < list.length; index++) list[index] = restored(item, list[index]);
  }

  check(list) {
    if (!isArray(list)) throw wrong("a list", list);
    const { item } = this;
    if (list.length < this.least || list.length > this.most) checkLength(list.length, this.rules.min, this.rules.max, "elements");
    let index = 0;
    try {
      for (; index < list.length; index++) item.check(list[index]);
    } catch (error) {
      if (error instanceof Mismatch) error.within(index);
      throw error;
    }
  }

  own() {
    return { type: "array", items: this.rules.item.schema(), minItems: this.rules.min, maxItems: this.rules.max };
  }
}

/** An object with any names, and values of one type. */
class MapType extends Type {
  constructor(rules) {
    super(rules);
    this.changes = rules.value.changes;
  }

  restore(map) {
    const { value } = this.rules;
    if (!value.changes || typeof map !== "object" || map === null) return;
    for (const name of Object.keys(map)) map[name] = restored(value, map[name]);
  }

  check(map) {
    if (typeof map !== "object" || map === null || isArray(map)) throw wrong("an object", map);
    let name = "";
    try {
      for (name of Object.keys(map)) this.rules.value.check(map[name]);
    } catch (error) {
      if (error instanceof Mismatch) error.within(name);
      throw error;
    }
  }

  own() {
    return { type: "object", additionalProperties: this.rules.value.schema() };
  }
}

function restored(type, value) {
  if (type.converts) return type.restoreValue(value);
  if (type.changes) type.restore(value);
  return value;
}

/** An object with declared fields. Every call comes through here: loops count, since iterators make an object for each step. */
export class ObjectType extends Type {
  constructor(rules) {
    super(rules);
    this.entries = Object.entries(rules.fields);
    this.names = this.entries.map(([name]) => name);
    this.types = this.entries.map(([, type]) => type);
    this.known = Object.assign(Object.create(null), rules.fields);
    this.changing = this.names.filter((name) => this.known[name].hasDefault || this.known[name].changes);
    this.changes = this.changing.length > 0;
    this.names.forEach((name, index) => checkDefault(name, this.types[index]));
  }

  restore(object) {
    if (typeof object !== "object" || object === null || isArray(object)) return;
    const { changing, known } = this;
    for (let index = 0; index < changing.length; index++) {
      const name = changing[index];
      const type = known[name];
      const value = object[name];
      if (value === undefined) {
        if (type.hasDefault) object[name] = restored(type, type.fallback());
      } else if (type.converts) {
        object[name] = type.restoreValue(value);
      } else if (type.changes && typeof value === "object") {
        type.restore(value);
      }
    }
  }

  check(object) {
    if (typeof object !== "object" || object === null || isArray(object)) throw wrong("an object", object);
    const { names, types } = this;
    let index = 0;
    try {
      for (; index < names.length; index++) {
        const value = object[names[index]];
        const type = types[index];
        if (value === undefined) {
          if (!type.isOptional) throw new Mismatch("is required");
        } else if (value === null && type.isOptional) {
          delete object[names[index]];
        } else {
          type.check(value);
        }
      }
    } catch (error) {
      if (error instanceof Mismatch) error.within(names[index]);
      throw error;
    }
  }

  /** Takes out what nobody declared. */
  strip(object) {
    const { known } = this;
    for (const name in object) if (!(name in known)) delete object[name];
  }

  /** Returns the first name that nobody declared. */
  stranger(object) {
    const { known } = this;
    for (const name in object) if (!(name in known) && object[name] !== undefined) return name;
    return undefined;
  }

  own() {
    const properties = Object.fromEntries(this.entries.map(([name, type]) => [name, type.schema()]));
    const required = this.entries.filter(([, type]) => !type.isOptional && !type.hasDefault).map(([name]) => name);
    return { type: "object", properties, required: required.length > 0 ? required : undefined };
  }
}

/** Refuses a default of which no state could be made. */
function checkDefault(name, type) {
  if (!type.hasDefault || type.rules.default === undefined) return;
  const wrong = misfit(type, restored(type, type.fallback()));
  if (wrong === undefined) return;
  wrong.within(name);
  throw new TypeError(`the default of ${wrong.finish().message}`);
}

/** Takes in what a client sent: with defaults, without what nobody declared, and only if it fits. */
export function taken(type, value) {
  type.restore(value);
  const wrong = misfit(type, value);
  if (wrong !== undefined) throw wrong;
  type.strip(value);
  return value;
}

/** Takes in what the host kept: with defaults, and without what was declared once and is no more. */
export function recalled(type, value) {
  type.restore(value);
  type.strip(value);
  return value;
}

/** Returns why a value does not fit, with the pointer of the field; nothing if it does. */
export function misfit(type, value) {
  try {
    type.check(value);
  } catch (error) {
    if (error instanceof Mismatch) return error.finish();
    throw error;
  }
  return undefined;
}

/** The shapes of fields. */
export const t = {
  string: () => new StringType({}),
  number: () => new NumberType({}),
  integer: () => new IntegerType({}),
  bigint: () => new BigIntType({}),
  boolean: () => new BooleanType({}),
  enum: (...words) => new EnumType({ words }),
  list: (item) => new ListType({ item }),
  map: (value) => new MapType({ value }),
  object: (fields) => new ObjectType({ fields }),
  json: () => new JsonType({}),
};
