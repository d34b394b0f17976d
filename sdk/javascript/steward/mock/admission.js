// What the host itself asks of a request and of a state, whatever the service says to it: the expiry in a body, what it takes to create
// anew what was deleted, and the patterns of the state's schema.

import { invalid, refused } from "../fault.js";
import { stringify } from "../json.js";

const EXPIRY = "documentExpirationTimeMicros";
const VERSION = "documentVersion";
const FORCE = "xn-force-index-update";
const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

/** Returns the expiry that a body asks for; nothing if it says nothing of it. */
export function expiryIn(body) {
  const wanted = wholeIn(body, EXPIRY);
  if (wanted === undefined) return undefined;
  if (wanted >= 0) return Number(wanted);
  throw invalid(EXPIRY, `${EXPIRY} is ${wanted}: it must be 0 (never) or microseconds since the Unix epoch`);
}

/** Returns a built-in field that is a whole number; nothing if the body says nothing of it. */
function wholeIn(body, field) {
  const wanted = body?.[field];
  if (wanted === undefined || wanted === null) return undefined;
  const isWhole = typeof wanted === "bigint" || Number.isInteger(wanted);
  if (isWhole && BigInt(wanted) >= LEAST && BigInt(wanted) <= MOST) return wanted;
  throw invalid(field, `${field} is ${stringify(wanted)}: it must be a whole number of 64 bits`);
}

/** Refuses to create what was deleted, at that version, unless a header or a higher version asks for it; nothing deleted refuses nothing. */
export function checkRevival({ link, body, headers }, deletion) {
  const named = wholeIn(body, VERSION);
  if (deletion === undefined || named > deletion || forces(headers)) return;
  const remedy = `create it anew with ${VERSION} ${deletion + 1} or higher, or with the header Pragma: ${FORCE}`;
  throw refused(409, "marked-deleted", `${link} was deleted, at version ${deletion}: ${remedy}`);
}

/** Whether a creation forgets the versions before it. */
export function forgets({ headers, cause }) {
  return forces(headers) || cause !== "client";
}

/** Whether the headers, names and values in turn, have the directive of the pragma by which something is created anew. */
function forces(headers) {
  const isForcing = (value) => value.split(/[,;]/).some((directive) => directive.trim() === FORCE);
  return headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "pragma" && isForcing(headers[index + 1]));
}

/** Refuses a state that breaks a pattern: by 400 if the body has the same text at the same place, else as a failure of the service. */
export function checkPatterns(schema, state, body) {
  const wrong = misfit(schema, state, []);
  if (wrong === undefined) return;
  const { path, pattern, found } = wrong;
  const reason = `${path.join(".")} must be a text like ${pattern}, found the text ${JSON.stringify(found)}`;
  const pointer = path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  const sent = path.reduce((value, step) => value?.[step], body);
  if (sent === found) throw invalid(pointer, reason);
  throw refused(500, "guest-outcome", `the service has left a state that does not fit: ${reason}`);
}

/** The host knows the text of a pattern and not its flags, and reads it as of Unicode. */
function misfit(schema, value, path) {
  if (typeof schema !== "object" || schema === null) return undefined;
  if (typeof value === "string") {
    const { pattern } = schema;
    return pattern !== undefined && !compiled(pattern)?.test(value) ? { path, pattern, found: value } : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const inside = Array.isArray(value) ? schema.items : (schema.properties?.[name] ?? schema.additionalProperties);
    const wrong = misfit(inside, item, [...path, name]);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const known = new Map();

/** Returns the expression of a pattern; nothing for one that cannot be read so, of which the test's output tells. */
function compiled(pattern) {
  if (!known.has(pattern)) known.set(pattern, readable(pattern));
  return known.get(pattern);
}

/** The host matches in one pass: it refuses a service whose patterns look around, or back at what a group has matched. */
function looksAround(pattern) {
  const plain = pattern.replace(/\\(?![1-9]|k<)./gsu, "").replace(/\[[^\]]*\]/gu, "");
  return /\(\?<?[=!]|\\[1-9k]/u.test(plain);
}

function readable(pattern) {
  if (looksAround(pattern)) throw new TypeError(`the host will refuse the pattern ${pattern}: it looks around or back; say it by several`);
  try {
    return new RegExp(pattern, "u");
  } catch (error) {
    console.warn(`the host alone checks the pattern ${pattern}: ${error.message}`);
    return undefined;
  }
}
