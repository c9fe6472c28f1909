"""What both runs stand on: a machine with a fresh card, the simulator, the shop's phone and customers,
and one line printed for each thing that was seen."""

import base64
import os
import shutil
import time

from machine import Machine
from phones import Whatsim
from picture import Picture

QUESTION, ANSWER = "¿Qué horario tienen?", "De 8 a 18."
# An emulated processor shares this machine with whatever else runs.
PATIENCE = 600


class Failure(Exception):
    pass


class Stage:
    def __init__(self, cache, run, whatsim):
        self.cache, self.run, self.began = cache, run, time.monotonic()
        self.whatsim = Whatsim(whatsim, f"{run}/whatsim.log")
        self.shop = self.whatsim.phone("573000000001", "Tienda Azul")
        self.ana = self.whatsim.phone("573000000002", "Ana")
        self.luis = self.whatsim.phone("573000000003", "Luis")
        self.asked = {self.ana: 0, self.luis: 0}
        self.machine = None
        self.pictures, self.samples = 0, {}
        self.seed = int(os.environ.get("SEED") or time.time())
        shutil.copyfile(f"{cache}/card", f"{run}/card")

    def say(self, what):
        print(f"[{time.monotonic() - self.began:6.1f} s] {what}", flush=True)

    def power_on(self, seed=0):
        self.machine = Machine(self.cache, self.run, self.whatsim.port, seed)
        return self.machine

    def pull_the_plug(self):
        machine, self.machine = self.machine, None
        return machine.pull_the_plug()

    def until(self, what, probe, patience=PATIENCE, pause=0.25):
        """Waits until `probe` returns something; returns it."""
        began = time.monotonic()
        while True:
            seen = probe()
            if seen:
                return seen
            if time.monotonic() - began > patience:
                raise Failure(f"not within {patience} s: {what}")
            time.sleep(pause)

    def keep(self, name):
        """Keeps what is on the display, for people to look at."""
        picture = self.machine.look()
        if picture:
            self.pictures += 1
            picture.save(f"{self.run}/{self.pictures:02}-{name}.png")
        return picture

    def qr(self):
        """What a camera in front of the display reads."""
        picture = self.machine.look()
        return picture and picture.qr()

    def sample(self, screen):
        """The picture of a screen, as the box's own command draws it."""
        if screen not in self.samples:
            png = self.machine.must(
                f"box render {screen} --board framebuffer --out /run/sample.png && base64 -w0 /run/sample.png"
            )
            self.samples[screen] = Picture.decode(base64.b64decode(png))
        return self.samples[screen]

    def shows(self, screen):
        """This very screen is on the display."""
        picture, sample = self.machine.look(), self.sample(screen)
        return picture and picture.pixels == sample.pixels

    def warns(self, screen, plain):
        """What makes `screen` another than `plain` is on the display."""
        picture = self.machine.look()
        return picture and picture.has(self.sample(screen), self.sample(plain))

    def is_online(self):
        status = self.machine.status()
        return status and status["link"] == "online" and status

    def is_back(self):
        """Online again with the link it had; a box that asks to be linked has lost it."""
        status = self.machine.status()
        if status and status["link"] in ("linking", "resting", "unlinked"):
            raise Failure(f"the link is lost: {status['link']}")
        return self.is_online()

    def ask(self, customer):
        customer.send(self.shop, QUESTION)
        self.asked[customer] += 1

    def answers(self, customer):
        return [got for got in customer.inbox() if got["text"] == ANSWER]

    def is_answered(self):
        return all(len(self.answers(customer)) >= asked for customer, asked in self.asked.items())

    def nothing_twice(self):
        """As the phones see it: one answer to a question."""
        for customer, asked in self.asked.items():
            answers = self.answers(customer)
            if len(answers) != asked:
                raise Failure(f"{customer.name} asked {asked} times and has {len(answers)} answers")
            if len({answer["id"] for answer in answers}) != asked:
                raise Failure(f"{customer.name} has an answer that came twice")

    def close(self):
        if self.machine:
            self.pull_the_plug()
        self.whatsim.stop()

    def autopsy(self):
        """What to look at after a failure."""
        if not self.machine:
            return
        try:
            self.keep("failure")
            self.machine.shell("systemctl kill --signal=CONT vinculo")
            print(self.machine.shell("systemctl status --no-pager vinculo; journalctl -b -n 80 --no-pager")[1])
        except Exception as error:
            print(f"the machine does not answer: {error}")
        shutil.copyfile(f"{self.run}/serial.log", f"{self.run}/failed-serial.log")
