#!/bin/sh
# What a node is made of: installs Debian's packages where their programs are missing.
# `install.sh missing` only says which packages those are.
# Ends with one sentence, and status 1, where something is missing and cannot be installed.

# On another system `make up` says what there is to say; another cluster needs nothing here.
[ "$(uname)" = Linux ] && [ -z "$JOBQ_TEST_KUBECONFIG" ] || exit 0
. "${0%install.sh}../debian.sh"

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
install_missing "A cluster here needs" "Or name another cluster: JOBQ_TEST_KUBECONFIG."
