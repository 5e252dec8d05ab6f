"""TensorBoard's event files: a checksummed record for each scalar, written as it comes.

The format is TensorFlow's TFRecord of `Event` protocol buffers, of which a curve needs four fields.
No thread and no queue: a full disk is an error here and now, not a hang at the end of the run.
"""

import os
import pathlib
import struct
import time

POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
DOUBLE, VARINT, BYTES, FLOAT = 1, 0, 2, 5  # wire types
START = (
    1  # SessionLog.START: what an earlier file says from this step on no longer counts
)


def remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = [remainder(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def checksum(data: bytes) -> bytes:
    """The masked CRC of a TFRecord."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, kind: int, value: float | bytes) -> bytes:
    """One field of a protocol buffer."""
    tag = varint(number << 3 | kind)
    if isinstance(value, bytes):
        return tag + varint(len(value)) + value
    if kind == VARINT:
        return tag + varint(int(value))
    return tag + struct.pack("<d" if kind == DOUBLE else "<f", value)


def event(wall: float, step: int, *rest: bytes) -> bytes:
    return record(b"".join([field(1, DOUBLE, wall), field(2, VARINT, step), *rest]))


def scalar(wall: float, step: int, name: str, value: float) -> bytes:
    """`Event{wall_time, step, summary{value{tag, simple_value}}}`."""
    point = field(1, BYTES, name.encode()) + field(2, FLOAT, value)
    return event(wall, step, field(5, BYTES, field(1, BYTES, point)))


class Board:
    """An event file in `directory`; a resumed run takes over from those before it at `start`."""

    def __init__(self, directory: pathlib.Path, start: int):
        directory.mkdir(parents=True, exist_ok=True)
        now = time.time()
        path = directory / f"events.out.tfevents.{now:.6f}.{os.getpid()}"
        self.file = path.open("wb", buffering=0)
        self.file.write(event(now, 0, field(3, BYTES, b"brain.Event:2")))
        self.file.write(event(now, start, field(7, BYTES, field(1, VARINT, START))))

    def add(self, name: str, value: float, step: int) -> None:
        self.file.write(scalar(time.time(), step, name, value))

    def close(self) -> None:
        self.file.close()
