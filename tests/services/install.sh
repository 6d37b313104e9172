#!/bin/sh
# The real services of the tests: installs Debian's packages where their programs are missing.
# Ends with one sentence, and status 1, where something is missing and cannot be installed.

. "${0%install.sh}../debian.sh"

wants docker-registry docker-registry
wants dockerd docker.io
wants skopeo skopeo
wants openssl openssl

install_missing "The tests of images need"
