"""The machine's SD card, as the emulator reaches it: an NBD server on a Unix socket.

It has what a real card has and a file has not: a cache that forgets. What was written since the last
flush may be gone after the power is cut, block by block, in any order and in any of the versions it
went through. What was flushed is there.
"""

import os
import random
import socket
import struct
import threading

BLOCK = 4096
OPTION, REPLY = 0x49484156454F5054, 0x3E889045565A9
REQUEST, ANSWER = 0x25609513, 0x67446698
EXPORT_NAME, ABORT, INFO, GO = 1, 2, 6, 7
READ, WRITE, DISCONNECT, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6
FORCE_UNIT_ACCESS = 1
# Understands flags, flushes, forced unit access, trims, zeroes.
ABILITIES = 1 | 4 | 8 | 32 | 64


class Card:
    """A card in a slot. `cut` is what the end of the power does to it. One that is not honest says
    that it has flushed and has not: a box on it must lose something, or the test tests nothing."""

    def __init__(self, path, slot, seed, honest=True):
        self.honest = honest
        self.file = open(path, "r+b", buffering=0)
        self.size = os.fstat(self.file.fileno()).st_size
        self.chance = random.Random(seed)
        # By block: the versions it had since the last flush, the newest last.
        self.cached = {}
        self.writes = 0
        self.last_write = None
        self.stopped = threading.Event()
        self.slot = slot
        if os.path.exists(slot):
            os.remove(slot)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(slot)
        self.listener.listen()
        self.gone = threading.Event()
        self.fault = None
        threading.Thread(target=self._serve, daemon=True).start()

    def stop_after(self, writes):
        """Takes no more than so many writes from now on: the moment to pull the plug."""
        self.last_write = self.writes + writes

    def cut(self):
        """Waits until the machine is gone, and forgets. Returns how many blocks were cached and how
        many of them are lost, at least in their newest version."""
        self.gone.wait(30)
        if self.fault:
            raise self.fault
        lost = 0
        for block, versions in self.cached.items():
            kept = self.chance.randrange(len(versions) + 1)
            lost += kept < len(versions)
            if kept:
                self._keep(block, versions[kept - 1])
        cached = len(self.cached)
        self.close()
        return cached, lost

    def close(self):
        self.listener.close()
        self.file.close()

    def _serve(self):
        try:
            peer, _ = self.listener.accept()
            with peer:
                self._shake_hands(peer)
                while self._answer(peer):
                    pass
        except (ConnectionError, EOFError):
            pass
        except Exception as fault:  # shown by whoever waits for the end
            self.fault = fault
        self.gone.set()

    def _shake_hands(self, peer):
        peer.sendall(b"NBDMAGIC" + struct.pack(">QH", OPTION, 1 | 2))
        take(peer, 4)
        while True:
            _, option, length = struct.unpack(">QII", take(peer, 16))
            take(peer, length)
            if option in (GO, INFO):
                export = struct.pack(">HQH", 0, self.size, ABILITIES)
                peer.sendall(struct.pack(">QIII", REPLY, option, 3, len(export)) + export)
                peer.sendall(struct.pack(">QIII", REPLY, option, 1, 0))
                if option == GO:
                    return
            elif option == EXPORT_NAME:
                peer.sendall(struct.pack(">QH", self.size, ABILITIES))
                return
            else:
                peer.sendall(struct.pack(">QIII", REPLY, option, 0x80000001, 0))
                if option == ABORT:
                    raise EOFError

    def _answer(self, peer):
        _, flags, kind, cookie, at, length = struct.unpack(">IHHQQI", take(peer, 28))
        data = b""
        if kind == DISCONNECT:
            return False
        if kind == READ:
            data = self._read(at, length)
        elif kind in (WRITE, WRITE_ZEROES):
            written = take(peer, length) if kind == WRITE else bytes(length)
            if self.writes == self.last_write:
                self.stopped.set()
                while peer.recv(1 << 16):
                    pass
                return False
            self.writes += 1
            self._write(at, written, flags & FORCE_UNIT_ACCESS)
        elif kind == FLUSH and self.honest:
            self._flush()
        peer.sendall(struct.pack(">IIQ", ANSWER, 0, cookie) + data)
        return True

    def _read(self, at, length):
        first, last = at // BLOCK, (at + length - 1) // BLOCK
        whole = bytearray(os.pread(self.file.fileno(), (last - first + 1) * BLOCK, first * BLOCK))
        for block in range(first, last + 1):
            if block in self.cached:
                start = (block - first) * BLOCK
                whole[start : start + BLOCK] = self.cached[block][-1]
        start = at - first * BLOCK
        return bytes(whole[start : start + length])

    def _write(self, at, data, through):
        first, last = at // BLOCK, (at + len(data) - 1) // BLOCK
        start = at - first * BLOCK
        if start or len(data) % BLOCK:
            whole = bytearray(self._read(first * BLOCK, (last - first + 1) * BLOCK))
            whole[start : start + len(data)] = data
            data = bytes(whole)
        for block in range(first, last + 1):
            piece = data[(block - first) * BLOCK : (block - first + 1) * BLOCK]
            if through and self.honest:
                self.cached.pop(block, None)
                self._keep(block, piece)
            else:
                self.cached.setdefault(block, []).append(piece)

    def _flush(self):
        for block, versions in self.cached.items():
            self._keep(block, versions[-1])
        self.cached.clear()

    def _keep(self, block, data):
        os.pwrite(self.file.fileno(), data, block * BLOCK)


def take(peer, length):
    taken = bytearray()
    while len(taken) < length:
        more = peer.recv(min(length - len(taken), 1 << 20))
        if not more:
            raise EOFError
        taken += more
    return bytes(taken)
