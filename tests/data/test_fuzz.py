"""Mutated MIDI, ABC and MusicXML: no crash, no hang, no refusal without a reason.

The suite runs a short slice. The full run, which also prints what became of the inputs:

    python tests/data/test_fuzz.py --n 2000 --seed 0
"""

import argparse
import collections
import math
import random
import re
import struct
import time

import pytest
import specimens

from zoo.data.proto import NoteSequence
from zoo.data.scores.limits import Limits
from zoo.data.scores.read import read_bytes

LIMITS = Limits(bytes=1 << 20, ticks=1_000_000, notes=10_000)
SECONDS = 5.0  # maximum time for reading a small file
WORDS = {
    "midi": [
        *(b"\xff", b"\x7f", b"\x80", b"\x00", b"\xf0", b"MTrk", b"\x90\x3c\x40"),
        *(
            b"\xff\xff\xff\x7f",
            b"\xff\x51\x03\x00\x00\x01",
            b"\xff\x51\x03\x00\x00\x00",
        ),
        *(
            b"\xff\x58\x04\x00\x00\x00\x00",
            b"\xff\x58\x04\x04\xff\x00\x00",
            b"\xff\x59\x02\x80\x03",
        ),
        *(b"\x00\xff\x05\x03la ", b"\x00\xff\x05\x01\xe9", b"\x00\xff\x05\x00"),
        *(b"\x00\xff\x01\x02@K", b"\x00\xff\x01\x03\\la", b"\x00\xff\x05\x01_"),
        *(b"\xc0\x10", b"\xf8", b"XFIH\x00\x00\x00\x02ab", b"\x00\x01", b"\x00\x02"),
    ],
    "abc": [
        *(
            b"|:",
            b":|",
            b"::",
            b"||",
            b"|1",
            b"[2",
            b"(3",
            b"(9:0:0",
            b"-",
            b">>>",
            b"<",
            b"/////",
        ),
        *(
            b"999",
            b"{",
            b"}",
            b'"',
            b"[",
            b"]",
            b"!",
            b"&",
            b"^^",
            b"",
            b",,,,,",
            b"Z999",
        ),
        *(
            b"\nK:",
            b"\nM:1/64",
            b"[L:64/1]",
            b"\nQ:1/4=9999",
            b"\nV:3\n",
            b"\nP:",
            b"\nX:9\n",
        ),
        *(b"\n\n", b"\\\n", b"=\n", b"\xff", b"\x00", b"\\\nK:D\n", b"\\\nM:9/8\n"),
        *(b"[V:2]", b"[V:1 clef=treble-8]", b"\nV:2 octave=-9\n", b" transpose=99"),
        *(b"\nw: a-b_ c\n", b"\nw:|*~\\-", b"\n+: -- d\\", b"\nw: &#0;\\u0000__|"),
        *(b"\nK:D middle=B", b"\nQ:Andante", b"\nH:told\nby", b"[K:clef=bass+15]"),
    ],
    "musicxml": [
        *(
            b"<",
            b">",
            b"&amp;",
            b"&#0;",
            b"<note>",
            b"</measure>",
            b"-1",
            b"0",
            b"1e9",
            b"nan",
        ),
        *(
            b"<chord/>",
            b"<grace/>",
            b"<rest/>",
            b"<divisions>0</divisions>",
            b"99999999999",
        ),
        *(b"<backup><duration>9</duration></backup>", b"<sound tempo='0'/>"),
        b"<attributes><time><beats>3+2</beats><beat-type>8</beat-type></time></attributes>",
        *(b"<cue/>", b"<octave-change>-9</octave-change>", b"<sound tempo='60'/>"),
        *(b"<lyric><text>a</text></lyric>", b"<lyric><text/><extend/></lyric>"),
        b"<lyric number='x'><syllabic>begin</syllabic><text>&#9;a-</text></lyric>",
        b"<lyric><extend type='stop'/></lyric>",
        *(b"<voice>x</voice>", b"<unpitched/>", b"<tie type='stop'/>", b"0.3333333"),
        b"<harmony><root><root-step>C</root-step></root><kind>other</kind></harmony>",
        b"<metronome><beat-unit>half</beat-unit><per-minute>60</per-minute></metronome>",
        b"<transpose><chromatic>-2</chromatic></transpose><time><senza-misura/></time>",
    ],
}


def seeds() -> dict[str, list[bytes]]:
    score = specimens.musicxml()
    return {
        "midi": [specimens.midi(), rmid(specimens.midi())],
        "abc": [specimens.ABC.encode()],
        "musicxml": [score, score, specimens.mxl(score)],
    }


def rmid(midi: bytes) -> bytes:
    """Returns a MIDI file in a RIFF file."""
    chunk = b"RMIDdata" + struct.pack("<I", len(midi)) + midi
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


def mutate(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Applies one to eight edits; in half of the cases the container is repaired."""
    if data.startswith(b"PK") and rng.random() < 0.8:
        return specimens.mxl(mutate(specimens.musicxml(), kind, rng))
    for _ in range(rng.randint(1, 8)):
        data = rng.choice(EDITS)(data, kind, rng)
    return mend(data) if kind == "midi" and rng.random() < 0.5 else data


def flip(data: bytes, kind: str, rng: random.Random) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def insert(data: bytes, kind: str, rng: random.Random) -> bytes:
    places = [x.end() for x in re.finditer(rb">", data)] if kind == "musicxml" else []
    at = rng.choice(places) if places else rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(WORDS[kind]) + data[at:]


def number(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Replaces a decimal number by another."""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    old = rng.choice(found)
    new = str(rng.choice([-1, 0, 1, 2, 3, 5, 7, 12, 127, 255, 10**6, 10**12])).encode()
    return data[: old.start()] + new + data[old.end() :]


def span(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Deletes, repeats or overwrites a part; of XML, an element with its contents."""
    at = rng.randrange(len(data) + 1)
    to = min(len(data), at + int(rng.expovariate(0.05)))
    if kind == "musicxml":
        found = list(re.finditer(rb"<(\w[\w-]*)\b[^<>]*>.*?</\1>", data, re.DOTALL))
        inner = [x for x in found if x.end() - x.start() < 600]
        at, to = rng.choice(inner).span() if inner else (at, to)
    middle = rng.choice([b"", data[at:to] * rng.randint(2, 40), rng.randbytes(to - at)])
    return data[:at] + middle + data[to:]


def cut(data: bytes, kind: str, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data


def mend(data: bytes) -> bytes:
    """Corrects the track lengths of a MIDI file."""
    data = data[data.find(b"MThd") :] if data.startswith(b"RIFF") else data
    head, *tracks = data.split(b"MTrk")
    head = head[:10] + struct.pack(">H", len(tracks)) + head[12:]
    return head + b"".join(
        b"MTrk" + struct.pack(">I", len(x[4:])) + x[4:] for x in tracks
    )


EDITS = [flip, insert, insert, number, span, cut]


def inputs(n: int, seed: int):
    """Yields `n` mutated files as (kind, bytes), a function of `seed`."""
    rng = random.Random(seed)
    originals = seeds()
    for _ in range(n):
        kind = rng.choice(list(originals))
        yield kind, mutate(rng.choice(originals[kind]), kind, rng)


def outcomes(kind: str, data: bytes) -> list[str]:
    """Returns the result of each piece, and checks the guarantees of readers."""
    begun = time.process_time()
    pieces = read_bytes(data, kind, "fuzz", LIMITS)
    assert time.process_time() - begun < SECONDS
    assert pieces
    for piece in pieces:
        if piece.sequence is None:
            assert piece.refused is not None
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", piece.refused.reason)
            assert piece.refused.detail.endswith(".")
        else:
            assert piece.refused is None
            sound(piece.sequence)
    return [piece.refused.reason if piece.refused else "kept" for piece in pieces]


def sound(sequence: NoteSequence) -> None:
    assert 0 < len(sequence.notes) <= LIMITS.notes
    assert math.isfinite(sequence.total_time)
    for note in sequence.notes:
        assert 0 <= note.pitch <= 127
        assert 0 <= note.start_time < note.end_time <= sequence.total_time + 1e-6
    known = {x.section_id for x in sequence.section_annotations}
    for group in sequence.section_groups:
        assert {x.section_id for x in group.sections} <= known
        assert group.num_times > 0


@pytest.mark.parametrize("seed", range(3))
def test_mutated_files_are_read_or_refused(seed):
    for kind, data in inputs(50, seed):
        assert outcomes(kind, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    failures = 0
    for index, (kind, data) in enumerate(inputs(arguments.n, arguments.seed)):
        try:
            counts[kind].update(outcomes(kind, data))
        except Exception as error:
            failures += 1
            print(
                f"input {index} ({kind}): {type(error).__name__}: {error}\n"
                f"{data[:2000]!r}"
            )
    for kind, found in counts.items():
        print(kind, *(f"{reason}={count}" for reason, count in found.most_common()))
    print(f"{arguments.n} inputs, {failures} failures")
    raise SystemExit(failures > 0)


if __name__ == "__main__":
    main()
