#!/usr/bin/env bash
# The kernel, and the GPIO chip that Debian's kernels lack: gpio-sim and the simulated interrupts it
# stands on, from Debian's own source of the same version, against Debian's own headers.
#
#     kernel.sh CACHE RELEASE     leaves CACHE/vmlinuz and CACHE/modules/*.ko
set -euo pipefail
cache=$1 release=$2
work="$cache/kernel"
rm -rf "$work" "$cache/modules"
mkdir -p "$work/sim" "$cache/modules"
for package in "$cache"/debs/linux-{image,headers,kbuild}-*.deb; do
    dpkg-deb -x "$package" "$work"
done
cp "$work/boot/vmlinuz-$release" "$cache/vmlinuz"

# The headers name places in the root of a machine they are installed on.
headers="$work/usr/src/linux-headers-$release"
sed -i "s|/usr/src|$work/usr/src|" "$headers/Makefile"
dpkg-deb --fsys-tarfile "$cache"/debs/linux-source-*.deb |
    tar -xO ./usr/src/linux-source-6.1.tar.xz |
    tar -xJ -C "$work/sim" --strip-components=3 --wildcards \
        '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/kernel/irq/irq_sim.c'
# What a module may not call, by what it may.
sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' "$work/sim/irq_sim.c"
# The headers describe a kernel without either, and would hide what is declared for them.
printf 'obj-m := gpio-simulated.o\ngpio-simulated-y := gpio-sim.o irq_sim.o\n' > "$work/sim/Makefile"
make -s -C "$headers" M="$work/sim" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
    CC=aarch64-linux-gnu-gcc modules > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
cp "$work/sim/gpio-simulated.ko" "$cache/modules/"

# What the first steps of the machine need, in the order in which it can be loaded.
tree="$work/lib/modules/$release"
depmod -b "$work" "$release"
for module in virtio_pci virtio_mmio virtio_blk ext4 virtio_console virtio_net virtio_gpu configfs; do
    modprobe --dirname "$work" --set-version "$release" --show-depends "$module" |
        sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' > "$work/order"
while read -r file; do
    cp "$file" "$cache/modules/"
    basename "$file"
done < "$work/order" > "$cache/modules/order"
echo gpio-simulated.ko >> "$cache/modules/order"
[ -d "$tree" ]
rm -rf "$work"
