#!/usr/bin/env bash
# Lays a card: the small Debian, the box as its package installs it, and what the driver needs inside.
#
#     lay.sh CACHE BOX CARD [PACKAGE]
#
# BOX takes the program's place, because it alone trusts a simulator. Without a PACKAGE the files of
# systemd/ are installed by hand, as the README says.
set -euo pipefail
cache=$1 box=$2 card=$3 package=${4:-}
here=$(cd "$(dirname "$0")/.." && pwd)
product=$here/../../systemd
root=$(mktemp --directory --tmpdir="$cache" root.XXXXXX)
trap 'rm -rf "$root"' EXIT
cp -a "$cache/root/." "$root"

if [ -n "$package" ]; then
    cp "$package" "$root/tmp/vinculo.deb"
    # Its scripts want /proc; the mount ends with them.
    unshare --mount sh -c "mount -t proc proc '$root/proc' &&
        exec chroot '$root' dpkg -i /tmp/vinculo.deb"
    rm "$root/tmp/vinculo.deb"
else
    units=$root/etc/systemd
    install -D -m 644 -t "$units/system" "$product/vinculo.service"
    install -D -m 644 -t "$units/system.conf.d" "$product/system.conf.d/vinculo.conf"
    install -D -m 644 -t "$units/journald.conf.d" "$product/journald.conf.d/vinculo.conf"
    install -D -m 644 -t "$root/etc/udev/rules.d" "$product/udev/60-vinculo.rules"
    install -D -m 644 -t "$root/etc/sysusers.d" "$product/sysusers.d/vinculo.conf"
    install -D -m 644 -t "$root/etc/tmpfiles.d" "$product/tmpfiles.d/vinculo.conf"
    mkdir -p "$units/system/multi-user.target.wants"
    ln -s ../vinculo.service "$units/system/multi-user.target.wants/"
    chroot "$root" systemd-sysusers vinculo.conf
fi
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
