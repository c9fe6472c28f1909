"""The face and the button: what a person in front of the box sees and does, with a real kernel between
the box and its display and button."""

import time

from stage import Failure


def run(stage):
    machine = stage.power_on()
    first = stage.until("a picture", lambda: lit(machine), pause=0.1)
    stage.say("the display shows something")
    qr = stage.until("a QR on the display", stage.qr)
    stage.keep("qr")
    stage.say("the QR is read off the display")

    pressed = time.monotonic()
    machine.press(0.2)
    stage.until("the press is heard", lambda: "action=Link" in machine.journal())
    fresh = stage.until("another QR", lambda: another(stage.qr(), qr))
    stage.say(f"a press renews the QR: {time.monotonic() - pressed:.1f} s")

    device = stage.shop.scan(fresh)
    stage.until("the box is online", stage.is_online)
    if stage.until("the QR is gone", lambda: stage.machine.look()).qr():
        raise Failure("the QR is still on the display though the link is made")
    stage.keep("online")
    stage.say(f"the shop's phone scans it, the box is online as device {device}, the QR is gone")
    stage.ask(stage.ana)
    stage.until("an answer", stage.is_answered)
    stage.keep("answered")
    stage.say("Ana writes and reads the answer")

    machine.button(True)
    time.sleep(2.5)
    stage.keep("hold")
    machine.button(False)
    time.sleep(1)
    if not stage.is_online() or not stage.shop.devices():
        raise Failure("a hold that was let go of early unlinked the box")
    stage.say("a hold let go of after 2.5 s changes nothing")

    machine.press(5.6)
    stage.keep("held")
    stage.until("the phone has no linked device", lambda: not stage.shop.devices())
    stage.say("held for five seconds: the phone lists no linked device")
    qr = stage.until("a fresh QR", lambda: another(stage.qr(), fresh))
    stage.keep("fresh")
    stage.say("a fresh QR is on the display")
    stage.shop.scan(qr)
    stage.until("the box is online again", stage.is_online)
    stage.ask(stage.luis)
    stage.until("an answer", stage.is_answered)
    stage.nothing_twice()
    stage.say("linked anew, Luis is answered, nobody was answered twice")


def lit(machine):
    picture = machine.look()
    return picture and not picture.is_dark()


def another(qr, than):
    return qr if qr and qr != than else None
