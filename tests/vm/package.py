"""The package in a system that runs: its scripts stop, start and keep the box as its owner would want
them to; and its own program, started with the power as it is shipped."""

import time

from face import lit
from stage import Failure

PACKAGE = "/root/vinculo.deb"
STATE = "/var/lib/vinculo"


def run(stage):
    machine = stage.power_on()
    stage.shop.scan(stage.until("a QR on the display", stage.qr))
    stage.until("the box is online", stage.is_online)
    devices = stage.shop.devices()

    before = pid(machine)
    machine.must(f"dpkg --install {PACKAGE}")
    stage.until("the new program runs", lambda: pid(machine) not in ("0", before))
    answers(stage, devices, stage.ana)
    stage.say("upgraded while it runs: the new program is started, the link is the one it was")

    machine.must("dpkg --remove vinculo")
    if machine.shell("systemctl is-active vinculo")[1] == "active" or machine.status():
        raise Failure("the box goes on though its package is removed")
    stage.ask(stage.luis)
    machine.must(f"dpkg --install {PACKAGE}")
    answers(stage, devices, stage.ana)
    stage.say("removed: it stops; installed again: it starts by itself, answers what waited, the link is there")

    # What is shipped trusts no simulator, and so finds no network here; it must show that all the same.
    machine.must(
        f"systemctl stop vinculo; rm -r {STATE}/*; rm /etc/systemd/system/vinculo.service.d/simulated.conf; sync"
    )
    stage.pull_the_plug()
    machine = stage.power_on()
    stage.until("a picture", lambda: lit(machine), pause=0.1)
    seen = time.monotonic()
    after = seen - machine.kernel_start()
    program = machine.must(f"readlink /proc/{pid(machine)}/exe")
    if program != "/usr/bin/vinculo":
        raise Failure(f"the unit started {program}")
    stage.until("the screen says that there is no internet", lambda: stage.shows("waiting_network"))
    stage.keep("shipped")
    stage.say(f"as it is shipped: first picture {after:.1f} s after the kernel's start, then it says: no internet")

    machine.must("dpkg --purge vinculo")
    left = machine.shell(f"ls -d {STATE} /etc/vinculo /usr/bin/vinculo; id vinculo")[1]
    left = [line for line in left.splitlines() if "No such file" not in line and "no such user" not in line]
    if left or machine.status():
        raise Failure(f"purging leaves something: {left}")
    stage.say("purged: it stops, and leaves no file and no user")


def pid(machine):
    return machine.must("systemctl show vinculo --property=MainPID --value")


def answers(stage, devices, customer):
    """Online with the link it had, and answering."""
    stage.until("the box is online", stage.is_back)
    stage.ask(customer)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    if stage.shop.devices() != devices:
        raise Failure("the link is not the one it was")
