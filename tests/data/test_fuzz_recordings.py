"""Crafted and mutated recordings: no crash, no hang, no refusal without a reason.

The suite runs a short slice. The full run, which also prints what became of the inputs:

    python tests/data/test_fuzz_recordings.py --n 2000 --seed 0
"""

import argparse
import collections
import functools
import io
import random
import re
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo.data.audio.decode import Decoded, Decoder
from zoo.data.audio.recordings import RecordingLimits
from zoo.data.corpora.workers import read_all
from zoo.data.refusal import Refused

RATE, LENGTH = 16_000, 8_000
LIMITS = RecordingLimits(duration=600.0, seconds=10.0, memory=256 << 20)
KINDS = [
    *[("wav", subtype) for subtype in ("PCM_16", "PCM_U8", "FLOAT", "IMA_ADPCM")],
    *[("flac", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS"), ("ogg", "OPUS")],
    ("mp3", "MPEG_LAYER_III"),
]
WORST = {"crash", "timeout", "too-much-memory", "reader-failed"}
ABSURD = [0, 1, 2, 3, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1]
# where the headers of a format have their claims: what precedes, offset, layout
CLAIMS = {
    "wav": [
        *[(b"fmt ", 10, "<H"), (b"fmt ", 12, "<I"), (b"fmt ", 16, "<I")],
        *[(b"fmt ", 8, "<H"), (b"fmt ", 20, "<H"), (b"fmt ", 22, "<H")],
        *[(b"data", 4, "<I"), (b"RIFF", 4, "<I"), (b"fmt ", 4, "<I")],
    ],
    "flac": [
        *[(b"fLaC", 8, ">H"), (b"fLaC", 10, ">H"), (b"fLaC", 18, ">I")],
        *[(b"fLaC", 22, ">I"), (b"fLaC", 5, ">H")],
    ],
    "ogg": [
        *[(b"vorbis", 11, "<I"), (b"vorbis", 10, "<B"), (b"vorbis", 28, "<B")],
        *[(b"OpusHead", 9, "<B"), (b"OpusHead", 12, "<I"), (b"OggS", 6, "<I")],
        *[(b"OggS", 18, "<I"), (b"OggS", 26, "<B")],
    ],
    "mp3": [
        *[(b"Info", 8, ">I"), (b"Info", 12, ">I"), (b"\xff\xfb", 2, ">B")],
        *[(b"Xing", 8, ">I"), (b"\xff\xfb", 3, ">B"), (b"ID3", 6, ">I")],
    ],
}


@functools.cache
def original(kind: str, subtype: str, channels: int) -> bytes:
    """Returns a quarter of a second of a tone."""
    tone = 0.5 * np.sin(np.arange(12_000) / 20)
    file = io.BytesIO()
    file.name = f"a.{kind}"
    samples = np.repeat(tone[:, None], channels, axis=1)
    soundfile.write(file, samples, 48_000, subtype=subtype)
    return file.getvalue()


def claim(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Writes an absurd number where the header has a claim."""
    marker, offset, layout = rng.choice(CLAIMS[kind])
    places = [x.start() for x in re.finditer(re.escape(marker), data)]
    if not places:
        return data
    at, size = rng.choice(places) + offset, struct.calcsize(layout)
    value = rng.choice([*ABSURD, rng.getrandbits(32)]) % (1 << 8 * size)
    return data[:at] + struct.pack(layout, value) + data[at + size :]


def flip(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Inverts a bit, more often one of the header."""
    if not data:
        return data
    at = rng.randrange(min(len(data), rng.choice([64, 512, len(data)])))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def span(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Deletes, repeats or overwrites a part."""
    at = rng.randrange(len(data) + 1)
    to = min(len(data), at + int(rng.expovariate(0.01)))
    middle = rng.choice([b"", data[at:to] * rng.randint(2, 20), rng.randbytes(to - at)])
    return data[:at] + middle + data[to:]


def cut(data: bytes, kind: str, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def splice(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Continues with the data of another format."""
    other = original(*rng.choice(KINDS), 1)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def mend(data: bytes) -> bytes:
    """Corrects the checksums of the pages of an OGG file."""
    first, *pages = data.split(b"OggS")
    mended = [first]
    for page in pages:
        whole = b"OggS" + page[:18] + b"\0\0\0\0" + page[22:]
        size = 27 + sum(whole[27 : 27 + whole[26]]) + whole[26] if page[22:] else 0
        checksum = struct.pack("<I", crc(whole[:size]))
        mended.append(whole[4:22] + checksum + whole[26:])
    return b"OggS".join(mended)


def crc(data: bytes) -> int:
    """Returns the checksum of an OGG page (RFC 3533)."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ CRC[value >> 24 ^ byte]
    return value


def crc_of(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = value << 1 ^ (0x104C11DB7 if value & 1 << 31 else 0)
    return value


CRC = [crc_of(byte) for byte in range(256)]
EDITS = [claim, claim, claim, flip, span, cut, splice]


def inputs(n: int, seed: int):
    """Yields `n` mutated files as (suffix, bytes), a function of `seed`."""
    rng = random.Random(seed)
    for _ in range(n):
        kind, subtype = rng.choice(KINDS)
        data = original(kind, subtype, rng.choice([1, 2]))
        for _ in range(rng.randint(1, 4)):
            data = rng.choice(EDITS)(data, kind, rng)
        yield kind, mend(data) if kind == "ogg" else data


def test_checksums_of_unchanged_pages_are_right():
    data = original("ogg", "VORBIS", 1)
    assert mend(data) == data


def outcomes(folder: Path, n: int, seed: int):
    """Yields the kind, the path and the result of each file, which is checked."""
    (folder / "samples").mkdir()
    paths = []
    for number, (kind, data) in enumerate(inputs(n, seed)):
        paths.append(folder / f"{number}.{kind}")
        paths[-1].write_bytes(data)
    decoder = Decoder(folder / "samples", RATE, LENGTH, limits=LIMITS)
    for path, result in read_all(paths, decoder, LIMITS, 1):
        check(decoder, result)
        yield path.suffix[1:], path, result


def check(decoder: Decoder, result: Decoded | Refused) -> None:
    if isinstance(result, Refused):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", result.reason)
        assert result.detail.endswith(".")
        return
    assert 0 < result.samples <= RATE * (LIMITS.duration + 1)
    assert len(result.excerpts) == -(-result.samples // LENGTH)
    written = (decoder.folder / result.file).stat().st_size
    assert result.offset + 2 * result.samples <= written
    assert result.remarks.keys() <= {"silent", "clipped", "truncated"}


def fate(result: Decoded | Refused) -> str:
    return result.reason if isinstance(result, Refused) else "kept"


@pytest.mark.parametrize("seed", range(2))
def test_crafted_recordings_are_read_or_refused(tmp_path, seed):
    fates = collections.Counter(fate(x) for *_, x in outcomes(tmp_path, 60, seed))
    assert fates.total() == 60
    assert fates["kept"]
    assert not WORST & fates.keys()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(Path(folder), arguments.n, arguments.seed)
        for kind, path, result in found:
            counts[kind][fate(result)] += 1
            if fate(result) in WORST:
                failures += 1
                print(f"input {path.name}: {result}\n{path.read_bytes()[:600]!r}")
    for kind, fates in counts.items():
        print(kind, *(f"{reason}={count}" for reason, count in fates.most_common()))
    print(f"{arguments.n} inputs, {failures} failures")
    raise SystemExit(failures > 0)


if __name__ == "__main__":
    main()
