#!/bin/sh
# Makes runner.wasm.gz: the script runner of Python, out of CPython, the SDK and steward_runner.py.
#
# Needs python3 with venv, and cc; componentize-py, with CPython in it, comes from its registry in the version below. What it makes is
# the same on every machine but for some hundred bytes: the times of the files that Python has read, which it leaves behind in its
# memory. `digest` says what came out the last time, and `sources` of what.
#
#   sdk/python/runner/make.sh            makes it anew and writes both
#   sdk/python/runner/make.sh --check    makes it anew and fails if it differs in more from what is here
set -eu

COMPONENTIZE_PY=0.25.1
TIMES_BYTES_MAX=4096

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work="${STEWARD_RUNNER_WORK:-${TMPDIR:-/tmp}/steward-python-runner}"
mkdir -p "$work" && cd "$work"

# What the runner is made of, by paths in the repository. The mock host, a folder of its own, is for tests alone.
sources() {
    cd "$root" && LC_ALL=C ls sdk/python/steward/*.py sdk/python/runner/*.py sdk/python/runner/*.wit sdk/python/runner/*.c sdk/python/runner/make.sh wit/*.wit
}

tools() {
    [ -x venv/bin/python ] || python3 -m venv venv
    venv/bin/pip install --quiet "componentize-py==$COMPONENTIZE_PY"
    cc -shared -fPIC -O1 -o still.so "$here/still.c"
}

component() {
    rm -rf app wit
    mkdir -p app/steward wit/deps/service
    for source in $(sources); do
        case $source in
        sdk/python/steward/*) cp "$root/$source" app/steward ;;
        sdk/python/runner/*.py) cp "$root/$source" app ;;
        sdk/python/runner/*.wit) cp "$root/$source" wit ;;
        wit/*) cp "$root/$source" wit/deps/service ;;
        esac
    done
    find app wit -exec touch -d @0 {} +
    PYTHONHASHSEED=0 LD_PRELOAD="$work/still.so" venv/bin/componentize-py -q -d wit -w python-runner componentize -p app -o runner.wasm steward_runner
}

tools
component
if [ "${1:-}" = --check ]; then
    gzip -dc "$here/runner.wasm.gz" >here.wasm
    [ "$(wc -c <here.wasm)" = "$(wc -c <runner.wasm)" ] || { echo "the runner has another size than what its sources make" >&2; exit 1; }
    differ=$(cmp -l here.wasm runner.wasm | wc -l)
    [ "$differ" -le $TIMES_BYTES_MAX ] && echo "the runner is what its sources make, but for $differ bytes" && exit 0
    echo "the runner differs in $differ bytes from what its sources make" >&2
    exit 1
fi
made=$(sha256sum <runner.wasm | cut -d' ' -f1)
# Without name and time, so that the same bytes come out.
gzip -9 -n -c runner.wasm >"$here/runner.wasm.gz"
echo "$made" >"$here/digest"
(cd "$root" && sha256sum $(sources)) >"$here/sources"
echo "$made $(wc -c <runner.wasm) bytes, compressed $(wc -c <"$here/runner.wasm.gz")"
