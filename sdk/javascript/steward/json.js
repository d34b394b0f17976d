// JSON in which no integer loses a digit: what a number cannot hold exactly is a BigInt, on the way in and on the way out.

// Texts without such integers, nearly all, take the engine's own way.
const LONG_DIGITS = /\d{16}/;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const WHOLE = /^-?\d+$/;

/** Returns the value of a JSON text. */
export function parse(text) {
  return LONG_DIGITS.test(text) ? parseExactly(text) : JSON.parse(text);
}

/** Returns the value of what the host hands over: the runner has parsed objects already. */
export function valueOf(given) {
  return typeof given === "string" ? parse(given) : given;
}

function parseExactly(text) {
  const mark = markFor(text);
  const marked = text.replace(TOKENS, (token) =>
    token[0] !== '"' && WHOLE.test(token) && !Number.isSafeInteger(Number(token)) ? `"${mark}${token}"` : token,
  );
  if (marked === text) return JSON.parse(text);
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  );
}

/** Returns the JSON text of a value; undefined if it has none. */
export function stringify(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!holdsBigInt(value, 0)) throw error;
  }
  let mark = "integer:";
  for (;;) {
    const text = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${mark}${one}` : one));
    const marked = new RegExp(`"${mark}(-?\\d+)"`, "g");
    // A text of the value itself that looks like a marked integer shows in a second writing, without the integers.
    const without = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? 0 : one));
    if (!without.includes(`"${mark}`)) return text.replace(marked, "$1");
    mark += ":";
  }
}

function markFor(text) {
  let mark = "integer:";
  while (text.includes(mark)) mark += ":";
  return mark;
}

function holdsBigInt(value, depth) {
  if (typeof value === "bigint") return true;
  if (typeof value !== "object" || value === null || depth > 200) return false;
  return Object.values(value).some((one) => holdsBigInt(one, depth + 1));
}
