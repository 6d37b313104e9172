#!/bin/sh
# What stands in front of the JupyterHub of the tests: fetches configurable-http-proxy into node_modules beside this
# file, exactly as package-lock.json says, unless it is there.
# Ends with one sentence, and status 1, where it cannot.

cd "$(dirname "$0")" || exit 1
cmp -s package-lock.json node_modules/.jobq-lock && exit
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "The tests of JupyterHub need Node 20 or newer, with npm: put them on PATH" >&2
    exit 1
fi
echo "fetching configurable-http-proxy (once; about 9 MB)" >&2
{ npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.jobq-lock; } >&2 || {
    echo "The tests of JupyterHub need configurable-http-proxy, and npm could not fetch it (see above)" >&2
    exit 1
}
