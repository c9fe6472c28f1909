"""A real mail server on loopback: STARTTLS, login, and every mail into a file.

usage: server.py CERT KEY USER PASSWORD DIR

Says "port N" once it listens, "mail FILE" for every mail it has taken, "refused" for every login
it has not. Ends when its input ends.
"""

import email
import email.policy
import pathlib
import socket
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

cert, key, user, password, directory = sys.argv[1:]


def say(line):
    print(line, flush=True)


class Box:
    """Keeps what arrives as it arrived, and below it as a person reads it."""

    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        path = pathlib.Path(directory) / f"{self.count}.eml"
        path.write_bytes(envelope.content)
        read = path.with_suffix(".txt")
        read.write_text(
            f"To: {', '.join(envelope.rcpt_tos)}\n"
            f"From: {mail['from']}\nSubject: {mail['subject']}\n"
            f"Message-ID: {mail['message-id']}\nAuto-Submitted: {mail['auto-submitted']}\n"
            f"TLS: {session.ssl is not None}\n\n{mail.get_content()}"
        )
        say(f"mail {read}")
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login.decode() == user and data.password.decode() == password
    if not good:
        say("refused")
    return AuthResult(success=good, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
# The controller calls itself at its port and so wants to know it beforehand.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
controller = Controller(
    Box(),
    hostname="127.0.0.1",
    port=port,
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
)
controller.start()
say(f"port {port}")
sys.stdin.read()
controller.stop()
