#!/bin/sh
# Makes runner.wasm.gz: the script runner, out of QuickJS, wasi-libc, sucrase, the SDK and runner.c.
#
# Needs cargo, python3 with venv, and node with npm; everything else comes from their registries in the versions below. What it makes
# is the same, byte for byte, on every machine: `digest` says what came out the last time, and --check compares only.
#
#   sdk/javascript/runner/make.sh            makes it anew and writes its digest
#   sdk/javascript/runner/make.sh --check    makes it anew and fails if it differs from what is here
set -eu

ZIG=0.17.1 QUICKJS=0.14.0 WIZER=11.0.3 JCO=1.34.0 SUCRASE=3.35.1 ESBUILD=0.28.2
# rquickjs-sys is QuickJS-ng with wasi-libc for machines without a system; its Rust is not used.
QUICKJS_CRATE="rquickjs-sys-$QUICKJS"
STACK_BYTES=524288

here=$(cd "$(dirname "$0")" && pwd)
sdk=$(dirname "$here")
wit="$here/../../../wit"
work="${STEWARD_RUNNER_WORK:-${TMPDIR:-/tmp}/steward-runner}"
mkdir -p "$work" && cd "$work"

tools() {
    [ -x zig/bin/python ] || python3 -m venv zig
    zig/bin/pip install --quiet "ziglang==$ZIG"
    mkdir -p npm crate/src
    [ -f npm/package.json ] || echo '{"private":true}' >npm/package.json
    npm install --prefix npm --silent --no-audit --no-fund --save-exact \
        "@bytecodealliance/wizer@$WIZER" "@bytecodealliance/jco@$JCO" "sucrase@$SUCRASE" "esbuild@$ESBUILD"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nrquickjs-sys = "=%s"\n[workspace]\n' "$QUICKJS" >crate/Cargo.toml
    : >crate/src/lib.rs
    [ -d "crate/vendor/rquickjs-sys" ] || (cd crate && cargo vendor --quiet --versioned-dirs vendor >/dev/null)
}

# The modules of the SDK as a table of C strings, in the order of their names.
table() {
    # The parser forgets what it found when it goes back to try another reading; the furthest is the one to tell, see strip.js.
    util=npm/node_modules/sucrase/dist/esm/parser/traverser/util.js
    grep -q furthestError $util || sed -i 's/^\( *\)state\.error = err;/\1if (!(pos < globalThis.furthestError?.pos)) globalThis.furthestError = err;\n&/' $util
    grep -q furthestError $util || { echo "sucrase is not as it was: look at $util" >&2; exit 1; }
    npm/node_modules/.bin/esbuild "$here/strip.js" --bundle --format=esm --minify --log-level=error \
        --alias:sucrase="$work/npm/node_modules/sucrase" --outfile=strip.bundle.js
    node - "$sdk/steward" strip.bundle.js >sdk.c <<'NODE'
const fs = require("node:fs");
const [folder, strip] = process.argv.slice(2);
const names = fs.readdirSync(folder).filter((name) => name.endsWith(".js")).sort();
const files = [...names.map((name) => [name, fs.readFileSync(`${folder}/${name}`)]), ["strip.js", fs.readFileSync(strip)]];
const octal = (byte) => "\\" + byte.toString(8).padStart(3, "0");
const plain = (byte) => byte >= 32 && byte < 127 && byte !== 34 && byte !== 92 && byte !== 63;
const row = ([name, bytes]) =>
  `{"steward/${name}", "${[...bytes].map((byte) => (plain(byte) ? String.fromCharCode(byte) : octal(byte))).join("")}"},\n`;
process.stdout.write(`const char *const SDK[][2] = {\n${files.map(row).join("")}{"", ""}};\n`);
NODE
}

core() {
    crate="$work/crate/vendor/$QUICKJS_CRATE"
    cc="zig/bin/python -m ziglang cc --target=wasm32-freestanding $1 -g0 -std=gnu11 -nostdlib -fno-sanitize=all -w
        -DNDEBUG -D_GNU_SOURCE -DEMSCRIPTEN=1 -DFE_DOWNWARD=0 -DFE_UPWARD=0
        -isystem $crate/vendor/wasi-libc/include -I$crate/quickjs"
    for file in quickjs libregexp libunicode dtoa; do $cc -c "$crate/quickjs/$file.c" -o $file.o; done
    for file in runner system; do $cc -c "$here/$file.c" -o $file.o; done
    $cc -c sdk.c -o sdk.o
    zig/bin/python -m ziglang wasm-ld --no-entry --stack-first -z stack-size=$STACK_BYTES --strip-all --gc-sections -o core.wasm \
        runner.o sdk.o quickjs.o libregexp.o libunicode.o dtoa.o system.o -L"$crate/vendor/wasi-libc/lib" -lc
}

component() {
    npm/node_modules/.bin/wizer core.wasm --init-func prepare -o ready.wasm
    cat >component.mjs <<'NODE'
import { readFileSync, writeFileSync } from "node:fs";
import { componentEmbed, componentNew } from "./npm/node_modules/@bytecodealliance/jco-transpile/dist/wasm-tools.js";
const [wit, script] = process.argv.slice(2);
const service = ["types", "host", "service"].map((name) => readFileSync(`${wit}/${name}.wit`, "utf8")).join("\n");
const witSource = `${readFileSync(script, "utf8")}\npackage steward:service@0.1.0 {\n${service}\n}\n`;
const embedded = await componentEmbed({ binary: readFileSync("ready.wasm"), witSource, world: "runner" });
writeFileSync("runner.wasm", await componentNew(embedded));
NODE
    node component.mjs "$wit" "$here/script.wit"
}

tools
table
core "${STEWARD_RUNNER_OPTIMISE:--O2}"
component
made=$(sha256sum <runner.wasm | cut -d' ' -f1)
if [ "${1:-}" = --check ]; then
    [ "$made" = "$(cat "$here/digest")" ] && echo "the runner is what its sources make" && exit 0
    echo "the runner differs from what its sources make: $made" >&2
    exit 1
fi
# Without name and time, so that the same bytes come out.
gzip -9 -n -c runner.wasm >"$here/runner.wasm.gz"
echo "$made" >"$here/digest"
echo "$made $(wc -c <runner.wasm) bytes, compressed $(wc -c <"$here/runner.wasm.gz")"
