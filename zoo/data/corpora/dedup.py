"""Which pieces are variants of one tune, so that none straddles training and test.

A piece is reduced to its top line, the line to steps of (interval, rhythm) that know neither key,
octave nor tempo, and the steps to overlapping shingles. Two pieces are variants where the Jaccard
index of their shingles reaches `ALIKE`; variants of variants belong together (union-find), and a
whole group goes to the split that its smallest fingerprint names.

What is kept of a piece for this is a bottom-k sketch (Broder, "On the resemblance and containment
of documents", 1997): the `SKETCH` smallest hashes of its shingles. Tunes are compared exactly and
longer pieces by an estimate. Sketches are made as pieces are read, on any number of machines;
grouping them is the work of one process, in about 5 kB a piece: a million pieces in 5 GB. The price
of groups over a fixed hash of each piece is that music added to a corpus can join two of them, and
then moves one to the other's split.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from zoo.data.proto import NoteSequence

T = TypeVar("T")
INTERVALS = (
    6  # steps in a shingle of intervals alone: dotted and even versions share these
)
RHYTHMS = 4  # steps in a shingle of intervals and rhythm
SKETCH = 256  # hashes kept
ALIKE = (
    0.12  # at 0.1 the stock phrases of a repertoire begin to chain its tunes together
)
KEYS, SHARED = 32, 3  # pairs are compared that share 3 of their 32 smallest hashes
NEAR = 32  # holders of a common hash that each is compared with
BLOCK = 1024  # pieces
SPLITS = {"train": 0.9, "validation": 0.05, "test": 0.05}


def fingerprint(sequence: NoteSequence) -> str:
    """32 hex digits shared by all transpositions, octave shifts and tempi of one top line."""
    intervals, rhythms = steps(sequence)
    return hashlib.blake2b(
        np.stack([intervals, rhythms]).tobytes(), digest_size=16
    ).hexdigest()


def steps(sequence: NoteSequence) -> tuple[np.ndarray, np.ndarray]:
    """From each note of the top line to the next: interval mod 12, and rhythm; uint64 [notes - 1].

    The top line is the highest pitch at each onset, percussion aside unless there is nothing else,
    and repeated pitches joined: whether a note is written once or twice is what variants differ in
    most. Rhythm is the ratio of one gap between onsets to the gap before, in half octaves.
    """
    heard = [note for note in sequence.notes if not note.is_drum] or sequence.notes
    notes = sorted((round(note.start_time, 3), note.pitch) for note in heard)
    line = sorted(dict(notes).items())  # of an onset's ascending pitches the last stays
    onsets = np.array([onset for onset, _ in line], np.float64)
    pitches = np.array([pitch for _, pitch in line], np.int64)
    changes = np.diff(pitches, prepend=-1) != 0
    gaps = np.diff(onsets[changes])
    ratios = np.zeros(len(gaps), np.int64)
    ratios[1:] = np.rint(2 * np.log2(gaps[1:] / gaps[:-1]))
    return (np.diff(pitches[changes]) % 12).astype(np.uint64), ratios.astype(np.uint64)


def sketch(sequence: NoteSequence) -> np.ndarray:
    """uint64 [at most SKETCH]: the smallest hashes of the piece's shingles, ascending, distinct."""
    intervals, rhythms = steps(sequence)
    both = _mix(intervals ^ _mix(rhythms))
    hashes = np.concatenate([_shingles(intervals, INTERVALS), _shingles(both, RHYTHMS)])
    return np.unique(hashes)[:SKETCH]


def resemblance(a: np.ndarray, b: np.ndarray) -> float:
    """The Jaccard index of two pieces' shingles, from their sketches."""
    both = np.sort(np.concatenate([a, b]))
    shared = both[1:] == both[:-1]
    smallest = (
        np.arange(1, len(both)) - np.cumsum(shared) < SKETCH
    )  # of the hashes of either
    return float(shared[smallest].sum() / max(min(len(both) - shared.sum(), SKETCH), 1))


def groups(sketches: Sequence[np.ndarray]) -> list[int]:
    """For each piece an index shared by all those that resemble it, directly or through others."""
    parent = list(range(len(sketches)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in _candidates(sketches):
        a, b = root(i), root(j)
        if a != b and resemblance(sketches[i], sketches[j]) >= ALIKE:
            parent[max(a, b)] = min(a, b)
    return [root(i) for i in range(len(sketches))]


def assign(
    fingerprints: Sequence[str],
    sketches: Sequence[np.ndarray],
    given: Sequence[str] = (),
) -> list[str]:
    """The split of each piece. Variants share one; none is empty where there are three groups.

    A piece whose split is `given`, not "", is in that one, and so are variants of which none is.
    """
    label, given = groups(sketches), given or [""] * len(sketches)
    fixed = {group: split for group, split in zip(label, given, strict=True) if split}
    smallest: dict[int, str] = {}
    for group, digest in zip(label, fingerprints, strict=True):
        smallest[group] = min(digest, smallest.get(group, digest))
    chosen = placed(smallest, fixed)
    return [split or chosen[group] for group, split in zip(label, given, strict=True)]


def placed(
    digests: Mapping[T, str], fixed: Mapping[T, str] = MappingProxyType({})
) -> dict[T, str]:
    """The split of each group by its digest, unless it is `fixed`; of three or more, no split is
    left with none."""
    place = {group: _uniform(digest) for group, digest in digests.items()}
    chosen = {group: fixed.get(group) or _split(at) for group, at in place.items()}
    free = (g for g in chosen if chosen[g] == "train" and g not in fixed)
    train = sorted(free, key=place.__getitem__)
    for split in ("test", "validation"):  # a handful of files may leave one without any
        if split not in chosen.values() and len(train) > 1:
            chosen[train.pop()] = split
    return chosen


def _uniform(digest: str) -> float:
    """A number in [0, 1), hashed again: the smallest of several digests is no longer uniform."""
    again = hashlib.blake2b(digest.encode(), digest_size=6).digest()
    return int.from_bytes(again) / 2**48


def _split(place: float) -> str:
    for split, share in SPLITS.items():
        place -= share
        if place < 0:
            return split
    return "test"


def _shingles(codes: np.ndarray, width: int) -> np.ndarray:
    """A hash of every `width` successive codes; of all of them where there are fewer."""
    width = min(width, len(codes))
    hashes = np.full(len(codes) - width + 1 if width else 0, width, np.uint64)
    for i in range(width):
        hashes = _mix(hashes ^ codes[i : i + len(hashes)])
    return hashes


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on every bit."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _candidates(sketches: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs that share some of their smallest hashes, in memory for one block of pieces at a time.

    The holders of a hash, in the order of their sketches, are paired with the `NEAR` next ones: all
    with all for a rare hash, like with like for one that thousands hold.
    """
    order = sorted(range(len(sketches)), key=lambda i: sketches[i][:4].tolist())
    keys = [sketches[i][:KEYS] for i in order]
    starts = np.cumsum([0, *map(len, keys)])
    holders = np.repeat(np.arange(len(keys)), np.diff(starts))
    hashes = np.concatenate([np.zeros(0, np.uint64), *keys])
    by_hash = np.argsort(hashes, kind="stable")
    place = np.argsort(by_hash)
    hashes, holders = hashes[by_hash], holders[by_hash]
    for block in range(0, len(keys), BLOCK):
        at = place[starts[block] : starts[min(block + BLOCK, len(keys))]]
        pairs = []
        for offset in range(1, NEAR + 1):
            at = at[at + offset < len(hashes)]
            at = at[hashes[at] == hashes[at + offset]]
            pairs.append(holders[at] * len(keys) + holders[at + offset])
        found, shared = np.unique(np.concatenate(pairs), return_counts=True)
        for pair in found[shared >= SHARED].tolist():
            first, second = divmod(pair, len(keys))
            yield order[first], order[second]
