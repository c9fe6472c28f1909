"""Carries one connection out of the machine to a port of this one: `relay.py PORT`. The emulator
starts it for each connection and speaks through its standard input."""

import os
import socket
import sys
import threading


def carry(read, write):
    while True:
        data = read()
        if not data:
            return
        while data:
            data = data[write(data) :]


outside = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
outside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def inwards():
    carry(lambda: outside.recv(65536), lambda data: os.write(1, data))
    os._exit(0)


threading.Thread(target=inwards, daemon=True).start()
carry(lambda: os.read(0, 65536), outside.send)
os._exit(0)
