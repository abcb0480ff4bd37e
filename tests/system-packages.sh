#!/usr/bin/env bash
# Installs the Debian packages that the tests start, when run as root; otherwise names what is missing.
set -euo pipefail
missing=()
command -v bwrap >/dev/null || missing+=(bubblewrap)
command -v git >/dev/null || missing+=(git)
command -v curl >/dev/null || missing+=(curl)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
# A server that code is fetched from over ssh: the tests start their own.
[ -x /usr/sbin/sshd ] || missing+=(openssh-server)
# The identity provider that people sign in at.
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
# The broker of profile server: the tests start their own, and none of the system's is to run.
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
# An S3-compatible service: Ceph's gateway over one monitor and one OSD.
command -v radosgw >/dev/null || missing+=(radosgw)
command -v ceph-mon >/dev/null || missing+=(ceph-mon)
command -v ceph-osd >/dev/null || missing+=(ceph-osd)
# What watches a node.
command -v prometheus >/dev/null || missing+=(prometheus)
# A clock that tests can set.
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing+=(libfaketime)
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  # In runlevel 1 no package starts its service.
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "These packages are missing, and tests that need them will say so: ${missing[*]}"
  echo "Remedy (as root): apt-get install ${missing[*]}"
fi
