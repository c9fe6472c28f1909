#!/usr/bin/env bash
# A small Debian for arm64 with systemd, as a folder. The packages' scripts run under qemu-user.
#
#     root.sh CACHE     leaves CACHE/root
set -euo pipefail
cache=$1

# The kernel must know who runs programs of another processor; the file comes with qemu-user-static.
if ! [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
    [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register
fi

rm -rf "$cache/root"
mmdebstrap --quiet --variant=essential --arch=arm64 --include=systemd-sysv,udev,kmod \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$cache/root" "$cache/apt/sources.list"
rm -rf "$cache/root"/var/lib/apt/lists/* "$cache/root"/var/cache/apt/*
