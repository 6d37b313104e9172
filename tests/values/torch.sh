#!/bin/sh
# A PyTorch for tests/values: prints a folder for PYTHONPATH, and installs Debian's (150 MB, no graphics card) where none is.
# $TORCH names another folder. Ends with one sentence, and status 1, where there is none and none can be installed.

if [ -n "${TORCH:-}" ]; then
    [ -d "$TORCH/torch" ] && echo "$TORCH" && exit
    echo "The tests of tensors need PyTorch, and TORCH=$TORCH holds none: name another folder, or unset it." >&2
    exit 1
fi
packages=/usr/lib/python3/dist-packages
folder=$(cd "$(dirname "$0")/../.." && pwd)/build/torch/site-packages
if [ ! -d "$packages/torch" ]; then
    if [ "$(id -u)" != 0 ] || ! apt-cache policy python3-torch 2>/dev/null | grep -q 'Candidate: [0-9]'; then
        echo "The tests of tensors need PyTorch, and apt cannot install it here: name its folder, TORCH=/path/to/site-packages." >&2
        exit 1
    fi
    echo "installing PyTorch (once; about 150 MB)" >&2
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-torch; } >&2 || exit 1
fi
# Only these: what else lies there is older than what .venv has.
mkdir -p "$folder" && for part in torch torchgen functorch; do ln -sfn "$packages/$part" "$folder/$part"; done
echo "$folder"
