#!/bin/sh
# What a node is made of, from Debian: installs the packages whose programs are missing. Nothing is started.
# `install.sh missing` only says which packages those are.
# Ends with one sentence, and status 1, where something is missing and cannot be installed.

# On another system `make up` says what there is to say; another cluster needs nothing here.
[ "$(uname)" = Linux ] && [ -z "$JOBQ_TEST_KUBECONFIG" ] || exit 0
missing=""
wants() { # program, package: what is there already stays as it is, whoever has installed it
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] || missing="$missing $2"
}
wants containerd containerd
wants runc runc
wants docker-registry docker-registry
wants /usr/lib/cni/ptp containernetworking-plugins
wants iptables iptables
wants ip iproute2
wants nsenter util-linux
wants mount mount
wants sysctl procps
wants wget wget # goes into the image of Ray

[ "$1" = missing ] && echo "${missing# }" && exit
[ -z "$missing" ] && exit
other="Or name another cluster: JOBQ_TEST_KUBECONFIG."
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "A cluster here needs Debian's$missing, and only root can install them: apt-get install$missing. $other" >&2
    exit 1
fi
echo "installing$missing (once)" >&2
export DEBIAN_FRONTEND=noninteractive
# No service is to be started by its installation: the cluster starts its own.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; }
# A Docker Engine lives on the same containerd and runc, of Debian or of Docker: neither is replaced or removed.
{ apt-get update -qq && apt-get install -qq -y --no-install-recommends --no-upgrade --no-remove $missing; } >&2
status=$?
[ -z "${made:-}" ] || rm -f "$policy"
[ "$status" = 0 ] || echo "A cluster here needs Debian's$missing, and apt could not install them (see above). $other" >&2
exit "$status"
