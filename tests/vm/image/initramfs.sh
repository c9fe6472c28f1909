#!/usr/bin/env bash
# The first steps of the machine: busybox, the modules, and `init` beside this file.
#
#     initramfs.sh CACHE     leaves CACHE/initramfs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$1
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,dev,proc,sys,root,modules}
dpkg-deb --fsys-tarfile "$cache"/debs/busybox-static_*.deb | tar -xO --wildcards './*bin/busybox' > "$work/bin/busybox"
cp "$cache"/modules/* "$work/modules/"
cp "$here/init" "$work/init"
chmod 755 "$work/bin/busybox" "$work/init"
(cd "$work" && find . | cpio --quiet --create --format=newc | gzip -1) > "$cache/initramfs"
