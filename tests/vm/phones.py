"""The simulated WhatsApp, which runs outside the machine, and the phones in it."""

import json
import subprocess
import urllib.error
import urllib.request


class Whatsim:
    def __init__(self, program, log):
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [program, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        ready = json.loads(self.process.stdout.readline())
        self.port = int(ready["ws"].split(":")[2].split("/")[0])
        self.control = ready["control"].rstrip("/")

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.control + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"whatsim: {method} {path}: {error.code} {error.read().decode()}") from None

    def phone(self, number, name):
        self.call("POST", "/phones", {"number": number, "name": name})
        return Phone(self, number, name)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Phone:
    def __init__(self, whatsim, number, name):
        self.whatsim, self.number, self.name = whatsim, number, name

    def _call(self, method, what, body=None):
        return self.whatsim.call(method, f"/phones/{self.number}/{what}", body)

    def scan(self, qr):
        return self._call("POST", "scan", {"qr": qr})["device"]

    def devices(self):
        return self._call("GET", "devices")

    def send(self, to, text):
        return self._call("POST", "send", {"to": to.number, "text": text})["id"]

    def inbox(self):
        return self._call("GET", "inbox")
