#!/usr/bin/env bash
# Lays a card: the small Debian, the box as its package installs it, and what the driver needs inside.
#
#     lay.sh CACHE BOX PACKAGE CARD
#
# BOX takes the program's place, because it alone trusts a simulator.
set -euo pipefail
cache=$1 box=$2 package=$3 card=$4
here=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp --directory --tmpdir="$cache" root.XXXXXX)
trap 'rm -rf "$root"' EXIT
cp -a "$cache/root/." "$root"

# It stays there: a story installs it once more. Its scripts want /proc; the mount ends with them.
cp "$package" "$root/root/vinculo.deb"
unshare --mount sh -c "mount -t proc proc '$root/proc' && exec chroot '$root' dpkg --install /root/vinculo.deb"
install -m 755 "$box" "$root/usr/bin/box"
install -D -m 600 -t "$root/etc/vinculo" "$here/guest/vinculo.toml"
install -D -m 644 -t "$root/etc/systemd/system/vinculo.service.d" "$here/guest/simulated.conf"

# The driver's own: an agent that carries out its orders, and the way to the simulator outside.
install -m 755 "$here/guest/agent" "$root/usr/local/bin/agent"
install -m 644 "$here"/guest/*.service "$here"/guest/*.socket "$root/etc/systemd/system/"
install -D -m 644 -t "$root/etc/systemd/network" "$here/guest/80-outside.network"
# A machine that was started before: nothing is set up anew at the first start.
echo 76696e63756c6f76696e63756c6f7669 > "$root/etc/machine-id"
echo vinculo > "$root/etc/hostname"
chroot "$root" systemctl --quiet enable agent.service whatsim.socket status.socket systemd-networkd.service
chroot "$root" systemctl --quiet mask getty@tty1.service getty-static.service serial-getty@ttyAMA0.service

rm -f "$card"
truncate --size=700M "$card"
mkfs.ext4 -q -d "$root" "$card"
