#!/bin/sh
# Installs vinculo from this folder, or takes it away again. It says what it does before it does it.
#
#     sudo ./install.sh           install, or upgrade; the link and the configuration stay
#     sudo ./install.sh --undo    take it away; the link and the configuration stay
#     sudo ./install.sh --purge   take it away with the link and the configuration
#
# ROOT=/mnt installs into a system that is mounted there. YES=1 asks nothing.
set -eu
cd "$(dirname "$0")"
root=${ROOT:-}
state=/var/lib/vinculo
# Where each file goes.
files="
bin/vinculo /usr/local/bin/vinculo
systemd/vinculo.service /etc/systemd/system/vinculo.service
systemd/vinculo.service.d/backoff.conf /etc/systemd/system/vinculo.service.d/backoff.conf
systemd/system.conf.d/vinculo.conf /etc/systemd/system.conf.d/vinculo.conf
systemd/journald.conf.d/vinculo.conf /etc/systemd/journald.conf.d/vinculo.conf
systemd/udev/60-vinculo.rules /etc/udev/rules.d/60-vinculo.rules
systemd/sysusers.d/vinculo.conf /etc/sysusers.d/vinculo.conf
systemd/tmpfiles.d/vinculo.conf /etc/tmpfiles.d/vinculo.conf
man/vinculo.1 /usr/local/share/man/man1/vinculo.1
completions/vinculo.bash /usr/local/share/bash-completion/completions/vinculo
doc/copyright /usr/local/share/doc/vinculo/copyright
"

sure() {
    [ -z "${YES:-}" ] || return 0
    printf 'Do this? [y/N] '
    read -r answer || answer=
    case $answer in
        y | Y | yes | s | S | si | sí) ;;
        *) echo "Nothing was changed."; exit 1 ;;
    esac
}

# A system that is mounted somewhere has nothing running.
live() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

[ -w "$root/etc" ] || { echo "run this with sudo" >&2; exit 77; }

case ${1:-} in
    "")
        command -v systemd-sysusers > /dev/null || { echo "this system has no systemd" >&2; exit 69; }
        echo "These files are written:"
        echo "$files" | while read -r from to; do [ -z "$to" ] || echo "    $root$to"; done
        echo "The user vinculo and the groups gpio, spi and i2c are made, and the service is started."
        sure
        echo "$files" | while read -r from to; do
            [ -n "$to" ] || continue
            mode=644
            [ "$from" != bin/vinculo ] || mode=755
            # Beside the old one first: the program may be running.
            mkdir -p "$(dirname "$root$to")"
            install -m $mode "$from" "$root$to.new"
            mv "$root$to.new" "$root$to"
        done
        sed -i 's|/usr/bin/vinculo|/usr/local/bin/vinculo|' "$root/etc/systemd/system/vinculo.service"
        systemd-sysusers ${root:+--root="$root"} vinculo.conf
        systemd-tmpfiles ${root:+--root="$root"} --create vinculo.conf
        systemctl ${root:+--root="$root"} --quiet enable vinculo.service
        if live; then
            udevadm control --reload && udevadm trigger
            systemctl daemon-reload
            systemctl restart vinculo.service
        fi
        echo "Installed. Next, name the display and the button: sudo vinculo setup-board"
        ;;
    --undo | --purge)
        echo "These files are deleted:"
        echo "$files" | while read -r from to; do [ -z "$to" ] || echo "    $root$to"; done
        echo "What setup-board added to config.txt goes as well."
        [ "$1" = --undo ] || echo "    $root$state and $root/etc/vinculo: the link, every message, the configuration"
        [ "$1" = --purge ] || echo "$root$state and $root/etc/vinculo stay, with the link and the configuration."
        sure
        if live; then systemctl stop vinculo.service || true; fi
        systemctl ${root:+--root="$root"} --quiet disable vinculo.service || true
        [ ! -x "$root/usr/local/bin/vinculo" ] || "$root/usr/local/bin/vinculo" setup-board --undo --yes --root "${root:-/}" ||
            echo "what setup-board added could not be taken back; see config.txt" >&2
        echo "$files" | while read -r from to; do [ -z "$to" ] || rm -f "$root$to"; done
        rmdir "$root/etc/systemd/system/vinculo.service.d" "$root/usr/local/share/doc/vinculo" 2> /dev/null || true
        if [ "$1" = --purge ]; then
            rm -rf "$root$state" "$root/etc/vinculo"
            userdel ${root:+--prefix "$root"} vinculo 2> /dev/null || true
        fi
        if live; then systemctl daemon-reload; fi
        echo "Done. The groups gpio, spi and i2c stay: others may use them."
        ;;
    *) echo "usage: $0 [--undo | --purge]" >&2; exit 64 ;;
esac
