"""The machine: Debian's arm64 kernel under qemu with the hardware of a small board, in the hands of a
driver that sees its screen, orders it about through a serial door, and pulls its plug."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

from card import Card
from picture import Picture

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = (
    "console=ttyAMA0 quiet panic=1 net.ifnames=0 systemd.show_status=no "
    # What the profile of the framebuffer asks for: no console on the glass.
    "fbcon=map:9 vt.global_cursor_default=0"
)
BUTTON = "/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio21/pull"


class Machine:
    """A machine with its power on. `cache` holds kernel and initramfs, `run` its card and doors."""

    def __init__(self, cache, run, whatsim_port, seed=0):
        self.run = run
        honest = os.environ.get("CARD") != "lies"
        self.card = Card(f"{run}/card", f"{run}/slot", seed, honest)
        self.web = free_port()
        relay = f"{sys.executable} {HERE}/relay.py {whatsim_port}"
        for door in ("monitor", "driver"):
            if os.path.exists(f"{run}/{door}"):
                os.remove(f"{run}/{door}")
        arguments = [
            "nice", "-n", "10", "qemu-system-aarch64",
            "-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg", "-smp", "1", "-m", "512",
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", f"{cache}/vmlinuz", "-initrd", f"{cache}/initramfs", "-append", KERNEL,
            "-serial", f"file:{run}/serial.log",
            "-qmp", f"unix:{run}/monitor,server=on,wait=off",
            "-device", "virtio-gpu-pci,xres=480,yres=320",
            "-drive", f"if=none,id=card,format=raw,cache=writeback,file=nbd:unix:{run}/slot",
            "-device", "virtio-blk-pci,drive=card",
            # Nothing but the simulator can be reached from inside.
            "-netdev", "user,id=net,restrict=on"
            f",guestfwd=tcp:10.0.2.100:7000-cmd:{relay}"
            f",hostfwd=tcp:127.0.0.1:{self.web}-10.0.2.15:9080",
            "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=driver,path={run}/driver,server=on,wait=off",
            "-device", "virtserialport,chardev=driver,name=driver",
        ]
        self.began = time.monotonic()
        with open(f"{run}/qemu.log", "ab") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.monitor = self._door("monitor")
        self._heard(self.monitor)
        self._monitor("qmp_capabilities")
        self.driver = self._door("driver")
        self.shells = threading.Lock()
        self.ready = False

    def _door(self, name):
        door = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + 10
        while True:
            try:
                door.connect(f"{self.run}/{name}")
                return door.makefile("rwb")
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError(f"qemu does not start: see {self.run}/qemu.log") from None
                time.sleep(0.02)

    def _heard(self, door):
        line = door.readline()
        if not line:
            raise RuntimeError("the machine went off by itself")
        return line

    def _monitor(self, command, **arguments):
        self.monitor.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.monitor.flush()
        while True:
            said = json.loads(self._heard(self.monitor))
            if "error" in said:
                raise RuntimeError(f"{command}: {said['error']['desc']}")
            if "return" in said:
                return said["return"]

    def look(self):
        """What is on the display now; None while no program drives it."""
        path = f"{self.run}/screen.ppm"
        self._monitor("screendump", filename=path)
        return Picture.read(path)

    def shell(self, order):
        """Carries out a line of shell inside, as root; returns its status and what it said."""
        with self.shells:
            while not self.ready:
                self.ready = self._heard(self.driver) == b"ready\n"
            self.driver.write(order.encode() + b"\n")
            self.driver.flush()
            status, _, said = self._heard(self.driver).partition(b" ")
        return int(status), base64.b64decode(said).decode(errors="replace").strip()

    def must(self, order):
        status, said = self.shell(order)
        if status:
            raise RuntimeError(f"inside, {order!r} ended with {status}: {said}")
        return said

    def kernel_start(self):
        """When the kernel started, on this machine's monotonic clock."""
        up = float(self.must("cut -d' ' -f1 /proc/uptime"))
        return time.monotonic() - up

    def status(self):
        """The box's status page; None while there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/status", timeout=5) as page:
                return json.load(page)
        except (OSError, ValueError):
            return None

    def button(self, down):
        self.must(f"echo {'pull-down' if down else 'pull-up'} > {BUTTON}")

    def press(self, seconds):
        self.button(True)
        time.sleep(seconds)
        self.button(False)

    def journal(self):
        return self.must("journalctl --boot --unit vinculo --output short-monotonic --no-pager --quiet")

    def pull_the_plug(self):
        """Kills the machine; returns what the card forgot."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for door in (self.monitor, self.driver):
            door.close()
        return self.card.cut()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
