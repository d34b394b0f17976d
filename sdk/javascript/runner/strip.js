// Takes the types out of TypeScript. Lines stay where they are.
//
// The parser and the transformer are sucrase's, bundled when the runner is made. Of its own entry only what is needed is repeated here: that one
// brings source maps along.

import { HelperManager } from "sucrase/dist/esm/HelperManager.js";
import identifyShadowedGlobals from "sucrase/dist/esm/identifyShadowedGlobals.js";
import NameManager from "sucrase/dist/esm/NameManager.js";
import { parse } from "sucrase/dist/esm/parser/index.js";
import TokenProcessor from "sucrase/dist/esm/TokenProcessor.js";
import RootTransformer from "sucrase/dist/esm/transformers/RootTransformer.js";
import getTSImportedNames from "sucrase/dist/esm/util/getTSImportedNames.js";

// Newer syntax than types is the engine's own.
const OPTIONS = { transforms: ["typescript"], disableESTransforms: true };

/** Returns `{ document }`, the JavaScript, or `{ fault }` with the place of what cannot be understood. */
export function strip(name, text) {
  try {
    globalThis.furthestError = undefined;
    return { document: stripped(text) };
  } catch (error) {
    // Where a function might begin the parser tries both, and complains of the beginning in the end; what it found first lies further on. The
    // recipe makes it keep that.
    const { pos, message } = globalThis.furthestError ?? error;
    // The place may be in the message as well, where nobody looks for it.
    const words = String(message).replace(/ \(\d+:\d+\)$/, "");
    return { fault: { status: 400, code: "syntax", message: `${name}${place(text, pos)}: ${words}`, pointer: "" } };
  }
}

/** Returns line and column of a place in a text. */
function place(text, pos) {
  if (pos === undefined) return "";
  const before = text.slice(0, pos);
  return `:${before.split("\n").length}:${pos - before.lastIndexOf("\n")}`;
}

function stripped(text) {
  const { tokens, scopes } = parse(text, false, true, false);
  const nameManager = new NameManager(text, tokens);
  const helperManager = new HelperManager(nameManager);
  const tokenProcessor = new TokenProcessor(text, tokens, false, true, helperManager);
  identifyShadowedGlobals(tokenProcessor, scopes, getTSImportedNames(tokenProcessor));
  const context = { tokenProcessor, scopes, nameManager, importProcessor: null, helperManager };
  return new RootTransformer(context, OPTIONS.transforms, false, OPTIONS).transform().code;
}
