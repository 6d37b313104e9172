# What tests need of Debian, as functions for the scripts that say it: nothing is started, and what is there stays as it
# is, whoever has installed it.

missing=""

wants() { # program, package
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] || missing="$missing $2"
}

install_missing() { # who needs it, as the beginning of a sentence; the way out, as a sentence of its own or ""
    [ -z "$missing" ] && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$1 Debian's$missing, and only root can install them, with apt: apt-get install$missing.${2:+ $2}" >&2
        return 1
    fi
    echo "installing$missing (once)" >&2
    # No service is to be started by its installation: the tests start their own.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; }
    # A Docker Engine, of Debian or of Docker, may live on the same containerd and runc: nothing is replaced or removed.
    {
        apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends --no-upgrade --no-remove $missing
    } >&2
    status=$?
    [ -z "${made:-}" ] || rm -f "$policy"
    [ "$status" = 0 ] || echo "$1 Debian's$missing, and apt could not install them (see above).${2:+ $2}" >&2
    return "$status"
}
