"""Scalars as TensorBoard event files, without TensorFlow.

The format is a TFRecord file of `Event` protocol buffers. Records are written at once,
without a thread or a queue, so that a full disk raises immediately.
"""

import os
import pathlib
import struct
import time

POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
DOUBLE, VARINT, BYTES, FLOAT = 1, 0, 2, 5  # wire types
START = 1  # SessionLog.START: TensorBoard drops earlier events from this step on
FILE_VERSION = b"brain.Event:2"


def remainder(byte: int) -> int:
    """Returns the CRC-32C table entry of a byte."""
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = [remainder(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C checksum (RFC 3720)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def checksum(data: bytes) -> bytes:
    """Returns the masked CRC of a TFRecord."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """Encodes a TFRecord: length and data, each with a checksum."""
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)


def varint(value: int) -> bytes:
    """Encodes an integer in base 128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, kind: int, value: float | bytes) -> bytes:
    """Encodes one field of a protocol buffer."""
    tag = varint(number << 3 | kind)
    if isinstance(value, bytes):
        return tag + varint(len(value)) + value
    if kind == VARINT:
        return tag + varint(int(value))
    return tag + struct.pack("<d" if kind == DOUBLE else "<f", value)


def event(wall_time: float, step: int, *fields: bytes) -> bytes:
    """Encodes an `Event` as a record."""
    header = [field(1, DOUBLE, wall_time), field(2, VARINT, step)]
    return record(b"".join([*header, *fields]))


def scalar(wall_time: float, step: int, name: str, value: float) -> bytes:
    """Encodes `Event{wall_time, step, summary{value{tag, simple_value}}}`."""
    point = field(1, BYTES, name.encode()) + field(2, FLOAT, value)
    return event(wall_time, step, field(5, BYTES, field(1, BYTES, point)))


class EventWriter:
    """Writes an event file."""

    def __init__(self, directory: pathlib.Path, start: int):
        """Creates a file that replaces the events of earlier files from `start` on."""
        directory.mkdir(parents=True, exist_ok=True)
        now = time.time()
        path = directory / f"events.out.tfevents.{now:.6f}.{os.getpid()}"
        self.file = path.open("wb", buffering=0)
        self.file.write(event(now, 0, field(3, BYTES, FILE_VERSION)))
        self.file.write(event(now, start, field(7, BYTES, field(1, VARINT, START))))

    def add(self, name: str, value: float, step: int) -> None:
        """Appends a scalar."""
        self.file.write(scalar(time.time(), step, name, value))

    def close(self) -> None:
        self.file.close()
