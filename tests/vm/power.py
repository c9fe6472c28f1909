"""A box in a shop: it starts with the power, answers, and bears what shops do to it."""

import os
import random
import time

from stage import Failure

CUTS = int(os.environ.get("CUTS") or 20)
# About as many as two questions and their answers cost.
WRITES = 30


def run(stage):
    first_start(stage)
    cuts(stage)
    hung(stage)
    full(stage)
    worn(stage)
    damaged(stage)


def first_start(stage):
    machine = stage.power_on()
    seen = time_to(stage, machine)
    shown = machine.must("systemctl show vinculo --property=ActiveState,SubState,User,WatchdogUSec --value")
    stage.say(f"process 1 is {machine.must('cat /proc/1/comm')}; the unit: {', '.join(shown.split())}")
    stage.say(f"from the kernel's start: first picture {seen['picture']:.1f} s, QR {seen['qr']:.1f} s")
    stage.shop.scan(seen["text"])
    stage.until("the box is online", stage.is_online)
    stage.ask(stage.ana)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    stage.keep("online")
    before = machine.card.writes
    ask_both(stage)
    stage.until("both are answered", stage.is_answered)
    stage.say(f"linked, online, answering; two questions cost the card {machine.card.writes - before} writes")


def time_to(stage, machine):
    """Seconds from the kernel's start to the first picture and to the QR, seen on the display."""
    seen = {}

    def look():
        picture = machine.look()
        if picture and not picture.is_dark():
            seen.setdefault("picture", time.monotonic())
            seen["text"] = picture.qr()
        return seen.get("text")

    stage.until("a QR on the display", look, pause=0.1)
    seen["qr"] = time.monotonic()
    start = machine.kernel_start()
    return {"picture": seen["picture"] - start, "qr": seen["qr"] - start, "text": seen["text"]}


def cuts(stage, count=CUTS):
    """The power goes without warning, at any moment of a chat or of a start."""
    chance = random.Random(stage.seed)
    stage.say(f"{count} power cuts, seed {stage.seed}")
    device = stage.shop.devices()
    cached, lost, starts = 0, 0, []
    for cut in range(1, count + 1):
        if cut % 3 == 0:
            # The machine starts since the cut before this one.
            when = chance.uniform(0.3, 1.1) * starts[-1]
            time.sleep(when)
            moment = f"{when:.1f} s into a start"
        elif cut % 3 == 1:
            # Chosen by the card's own time: most of what can go wrong goes wrong while it writes.
            writes = chance.randrange(WRITES)
            stage.machine.card.stop_after(writes)
            ask_both(stage)
            stage.machine.card.stopped.wait(10)
            moment = f"{writes} writes after two questions"
        else:
            ask_both(stage)
            when = chance.uniform(0, 2)
            time.sleep(when)
            moment = f"{when:.1f} s after two questions"
        forgot = stage.pull_the_plug()
        cached, lost = cached + forgot[0], lost + forgot[1]
        machine = stage.power_on(seed=stage.seed + cut)
        before = time.monotonic()
        told = f"cut {cut:2}, {moment}: {forgot[1]} of {forgot[0]} unflushed blocks lost"
        if cut % 3 == 2 and cut < count:
            stage.say(f"{told}; cut again")
            continue
        stage.until("the box is online", stage.is_back)
        starts.append(time.monotonic() - before)
        stage.until("every question is answered", stage.is_answered)
        if machine.look().qr() or stage.shop.devices() != device:
            raise Failure("the link is not the one it was")
        stage.nothing_twice()
        stage.say(f"{told}; online after {starts[-1]:.1f} s, all answered once")
    asked = sum(stage.asked.values())
    stage.say(f"{count} cuts survived: {asked} questions, {asked} answers; "
              f"the card forgot {lost} of {cached} unflushed blocks")


def ask_both(stage):
    for customer in (stage.ana, stage.luis):
        stage.ask(customer)


def hung(stage):
    """A service that stands still is started anew."""
    machine = stage.machine
    before = machine.must("systemctl show vinculo --property=MainPID --value")
    machine.must(f"kill -STOP {before}")
    began = time.monotonic()
    stage.ask(stage.ana)
    stage.until("the watchdog acts", lambda: machine.must(
        "systemctl show vinculo --property=NRestarts --value") != "0", pause=1)
    acted = time.monotonic() - began
    stage.until("the box is online", stage.is_back)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    stage.say(f"hung: started anew after {acted:.0f} s, answered after {time.monotonic() - began:.0f} s")


def full(stage):
    """No room on the card: the screen says so, and when there is room again, nothing was lost."""
    machine = stage.machine
    # Root may use the last blocks, which nobody else may: none are left.
    machine.shell("dd if=/dev/zero of=/full bs=64k status=none; dd if=/dev/zero of=/full2 bs=1 count=1 status=none")
    stage.ask(stage.ana)
    machine.must("systemctl restart --no-block vinculo")
    stage.until("the screen says that the card is full", lambda: stage.shows("stopped_full"))
    stage.keep("card-full")
    machine.must("rm /full /full2")
    stage.until("the box is online", stage.is_back)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    stage.say("no room: the screen says so; room again: online by itself, what came meanwhile answered once")


def worn(stage):
    """A card that takes no more writes, which makes the kernel mount it read-only."""
    machine = stage.machine
    machine.must("echo u > /proc/sysrq-trigger; sleep 2; ! touch /touched 2> /dev/null")
    machine.must("systemctl restart --no-block vinculo")
    stage.until("the screen says that the card fails", lambda: stage.shows("card_fault"))
    stage.keep("card-fault")
    stage.pull_the_plug()
    stage.power_on(seed=stage.seed)
    stage.ask(stage.luis)
    stage.until("the box is online", stage.is_back)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    stage.say("read-only: the screen says so; writable again: online and linked")


def damaged(stage):
    """A database that no longer opens is set aside, and the screen says so."""
    machine = stage.machine
    spoil(machine, "log")
    stage.until("the box is online", stage.is_online)
    stage.until("the screen warns", lambda: stage.warns("online_warning", "online"))
    stage.keep("log-damaged")
    stage.ask(stage.ana)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    stage.say("damaged log: set aside, the screen says so, the link goes on")

    before = stage.shop.devices()
    spoil(machine, "link")
    qr = stage.until("a QR on the display", stage.qr)
    stage.shop.scan(qr)
    stage.until("the box is online", stage.is_online)
    stage.until("the screen warns", lambda: stage.warns("online_warning", "online"))
    stage.keep("link-damaged")
    stage.ask(stage.luis)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    added = len(stage.shop.devices()) - len(before)
    stage.say(f"damaged link: set aside, a QR, linked anew ({added} device more on the phone), the screen says so")


def spoil(machine, database):
    machine.must(
        "systemctl stop vinculo; "
        f"db=/var/lib/vinculo/{database}/db; "
        "head --bytes=$(stat --format=%s $db) /dev/urandom | dd of=$db conv=notrunc status=none; "
        "systemctl start --no-block vinculo"
    )
