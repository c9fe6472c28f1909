#!/usr/bin/env bash
# A small Debian for arm64 with systemd, as a folder. The packages' scripts run under qemu-user,
# which .ci/emulate has prepared.
#
#     root.sh CACHE     leaves CACHE/root
set -euo pipefail
cache=$1

rm -rf "$cache/root"
mmdebstrap --quiet --variant=essential --arch=arm64 --include=systemd-sysv,udev,kmod \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$cache/root" "$cache/apt/sources.list"
rm -rf "$cache/root"/var/lib/apt/lists/* "$cache/root"/var/cache/apt/*
