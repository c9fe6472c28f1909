"""Real servers on loopback: mail with STARTTLS, mail with TLS from the first byte, and a receiver of
webhooks over https. Logins and signatures are checked; all that is taken goes into files.

usage: server.py CERT KEY USER PASSWORD SECRET DIR

Says "ports STARTTLS TLS HTTPS" once they listen, "mail FILE" and "hook FILE" for what was taken,
"refused" for every login and every signature that was not. Ends when its input ends.
"""

import email
import email.policy
import hashlib
import hmac
import http.server
import json
import logging
import pathlib
import socket
import ssl
import sys
import threading
import time
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

# It says much about clients that hang up, which is what half of them do here.
logging.disable()
warnings.simplefilter("ignore")

cert, key, user, password, secret, directory = sys.argv[1:]


def say(line):
    print(line, flush=True)


class Box:
    """Keeps what arrives as it arrived, and below it as a person reads it."""

    count = 0

    def __init__(self, protection):
        self.protection = protection

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        Box.count += 1
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        path = pathlib.Path(directory) / f"{Box.count:02}.eml"
        path.write_bytes(envelope.content)
        read = path.with_suffix(".txt")
        read.write_text(
            f"To: {', '.join(envelope.rcpt_tos)}\n"
            f"From: {mail['from']}\nSubject: {mail['subject']}\n"
            f"Message-ID: {mail['message-id']}\nAuto-Submitted: {mail['auto-submitted']}\n"
            f"Protected: {self.protection(session)}\n\n{mail.get_content()}"
        )
        say(f"mail {read}")
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login.decode() == user and data.password.decode() == password
    if not good:
        say("refused")
    return AuthResult(success=good, handled=False)


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is signed and fresh, as the README tells receivers to."""

    count = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        stamp = self.headers["x-vinculo-timestamp"]
        own = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(f"sha256={own}", self.headers["x-vinculo-signature"])
        if not signed or abs(time.time() - int(stamp)) > 300:
            say("refused")
            return self.answer(401)
        Receiver.count += 1
        path = pathlib.Path(directory) / f"{Receiver.count:02}.json"
        path.write_text(json.dumps(json.loads(body), indent=2, ensure_ascii=False) + "\n")
        say(f"hook {path}")
        self.answer(204)

    def answer(self, code):
        self.send_response(code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


def free_port():
    # A controller calls itself at its port and so wants to know it beforehand.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
starttls = Controller(
    Box(lambda session: "after STARTTLS" if session.ssl is not None else "not at all"),
    hostname="127.0.0.1",
    port=free_port(),
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
)
tls = Controller(
    Box(lambda session: "from the first byte"),
    hostname="127.0.0.1",
    port=free_port(),
    ssl_context=context,
    auth_required=True,
    # The server does not see the protection around it.
    auth_require_tls=False,
    authenticator=authenticate,
)
receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
starttls.start()
tls.start()
say(f"ports {starttls.port} {tls.port} {receiver.server_port}")
sys.stdin.read()
starttls.stop()
tls.stop()
