#!/bin/sh
# The browser of tests/browser: prints its path, and installs Debian's where there is none.
# $CHROMIUM names another. Ends with one sentence, and status 1, where there is none and none can be installed.

find_it() {
    for name in chromium google-chrome google-chrome-stable "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        command -v "$name" && return
    done
    return 1
}

if [ -n "${CHROMIUM:-}" ]; then
    command -v "$CHROMIUM" && exit
    echo "The browser tests need Chromium, and CHROMIUM=$CHROMIUM is no program: name one, or unset it." >&2
    exit 1
fi
find_it && exit
way_out="put chromium or google-chrome on PATH, or name it: make CHROMIUM=/path/to/chrome ..."
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium, and only root can install it here, with apt: $way_out" >&2
    exit 1
fi
echo "installing Chromium (once; about 120 MB)" >&2
export DEBIAN_FRONTEND=noninteractive
# Fonts: DejaVu for text and signs, Noto for what people print.
{ apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core fonts-noto-color-emoji; } >&2 &&
    find_it || {
    echo "The browser tests need Chromium, and apt could not install it (see above): $way_out" >&2
    exit 1
}
