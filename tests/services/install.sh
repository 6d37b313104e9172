#!/bin/sh
# The real services of the tests: installs Debian's packages where their programs are missing. Nothing is started.
# Ends with one sentence, and status 1, where something is missing and cannot be installed.

missing=""
wants() { # program, package
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing="$missing $2"
}
wants docker-registry docker-registry
wants dockerd docker.io
wants skopeo skopeo
wants openssl openssl

[ -z "$missing" ] && exit
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests of images need Debian's$missing, and only root can install them here: apt-get install$missing" >&2
    exit 1
fi
echo "installing$missing (once)" >&2
export DEBIAN_FRONTEND=noninteractive
# No service is to be started by its installation: the tests start their own.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; }
{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >&2
status=$?
[ -z "${made:-}" ] || rm -f "$policy"
[ "$status" = 0 ] || echo "The tests of images need Debian's$missing, and apt could not install them (see above)." >&2
exit "$status"
