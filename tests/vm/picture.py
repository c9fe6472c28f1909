"""What is on the machine's display, and what a phone's camera makes of it."""

import struct
import subprocess
import zlib

SIZE = (480, 320)


class Picture:
    """Pixels of three bytes."""

    def __init__(self, pixels):
        self.pixels = pixels

    @staticmethod
    def read(path):
        """Reads what the emulator dumped (PPM); None unless the kernel drives the display: before that
        the emulator shows something of its own, in another size."""
        with open(path, "rb") as file:
            kind, size, most, pixels = file.read().split(b"\n", 3)
        if (kind, size, most) != (b"P6", b"%d %d" % SIZE, b"255"):
            return None
        return Picture(pixels)

    @staticmethod
    def decode(png):
        """Reads a PNG of three bytes a pixel, as `vinculo render` writes it."""
        at, packed = 8, b""
        while at < len(png):
            length, kind = struct.unpack(">I4s", png[at : at + 8])
            data = png[at + 8 : at + 8 + length]
            if kind == b"IHDR" and data[:10] != struct.pack(">IIBB", *SIZE, 8, 2):
                raise ValueError("a PNG of another kind")
            packed += data if kind == b"IDAT" else b""
            at += length + 12
        return Picture(unfilter(zlib.decompress(packed), SIZE[0] * 3))

    def has(self, sample, plain):
        """What makes `sample` another picture than `plain` is there."""
        return sample.pixels != plain.pixels and all(
            self.pixels[at] == sample.pixels[at]
            for at in range(len(sample.pixels))
            if sample.pixels[at] != plain.pixels[at]
        )

    def is_dark(self):
        return not any(self.pixels)

    def qr(self):
        """The QR's text, read by zbar; None if there is none."""
        read = subprocess.run(
            ["zbarimg", "--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "png:-"],
            input=self.png(), capture_output=True,
        )
        return read.stdout.decode().strip() or None

    def png(self):
        width, height = SIZE
        rows = (self.pixels[y * width * 3 : (y + 1) * width * 3] for y in range(height))
        chunks = (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 1)),
            (b"IEND", b""),
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )

    def save(self, path):
        with open(path, "wb") as file:
            file.write(self.png())


def unfilter(data, stride):
    """Undoes a PNG's filters: each byte was told as its difference from what is known around it."""
    pixels, above = bytearray(), bytes(stride)
    for at in range(0, len(data), stride + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + stride])
        for x in range(stride):
            left, corner = (row[x - 3], above[x - 3]) if x >= 3 else (0, 0)
            row[x] = (row[x] + guess(kind, left, above[x], corner)) & 255
        pixels += row
        above = row
    return bytes(pixels)


def guess(kind, left, up, corner):
    if kind == 4:
        by = left + up - corner
        return min((left, up, corner), key=lambda known: abs(by - known))
    return (0, left, up, (left + up) // 2)[kind]
