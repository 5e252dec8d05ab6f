"""Near-duplicate detection, so that variants of a tune share a split.

A piece is reduced to its top line, the line to steps of (interval, rhythm), which are
invariant to key, octave and tempo, and the steps to overlapping shingles. Two pieces
are variants if the Jaccard index of their shingles is at least `MIN_JACCARD`. Variants
of variants are grouped (union-find), and a group is assigned to the split by its
smallest fingerprint.

A piece is represented by a bottom-k sketch (Broder, "On the resemblance and containment
of documents", 1997): the `SKETCH_SIZE` smallest hashes of its shingles. The index is
exact for tunes and an estimate for longer pieces. Sketches are computed while pieces
are read, on any number of machines. One process groups them, with about 5 kB per piece:
a million pieces in 5 GB. Unlike splits by a hash of each piece, music that is added to
a corpus may join two groups, and then moves one of them to the other's split.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from zoo.data.proto import NoteSequence

T = TypeVar("T")
# Steps in a shingle of intervals alone, which dotted and even versions share.
INTERVAL_SHINGLE = 6
RHYTHM_SHINGLE = 4  # steps in a shingle of intervals and rhythm
SKETCH_SIZE = 256  # hashes of a sketch
MIN_JACCARD = 0.12  # at 0.1, stock phrases of a repertoire begin to join its tunes
# Pairs are compared if they share 3 of their 32 smallest hashes.
INDEX_HASHES, MIN_SHARED = 32, 3
MAX_NEIGHBOURS = 32  # pieces with a common hash that each one is compared with
BLOCK = 1024  # pieces whose pairs are in memory at a time
SPLITS = {"train": 0.9, "validation": 0.05, "test": 0.05}
# With fewer groups of variants, a split by hash may lack a whole style or metre.
FEW_GROUPS = 100
MAX_NAMES = 6  # styles and metres named in a sentence


def fingerprint(sequence: NoteSequence) -> str:
    """Returns a hash of the top line, invariant to key, octave and tempo."""
    intervals, rhythms = melody_steps(sequence)
    return hashlib.blake2b(
        np.stack([intervals, rhythms]).tobytes(), digest_size=16
    ).hexdigest()


def melody_steps(sequence: NoteSequence) -> tuple[np.ndarray, np.ndarray]:
    """Returns intervals mod 12 and rhythms of the top line, uint64 [notes - 1] each.

    The top line is the highest pitch at each onset, drums only if there are no other
    notes. Repeated pitches are joined, because variants differ most in repetitions. The
    rhythm is the ratio of successive inter-onset intervals, in half octaves.
    """
    pitched = [note for note in sequence.notes if not note.is_drum] or sequence.notes
    notes = sorted((round(note.start_time, 3), note.pitch) for note in pitched)
    line = sorted(dict(notes).items())  # keeps the highest pitch of each onset
    onsets = np.array([onset for onset, _ in line], np.float64)
    pitches = np.array([pitch for _, pitch in line], np.int64)
    changes = np.diff(pitches, prepend=-1) != 0
    gaps = np.diff(onsets[changes])
    ratios = np.zeros(len(gaps), np.int64)
    ratios[1:] = np.rint(2 * np.log2(gaps[1:] / gaps[:-1]))
    return (np.diff(pitches[changes]) % 12).astype(np.uint64), ratios.astype(np.uint64)


def sketch(sequence: NoteSequence) -> np.ndarray:
    """Returns the smallest distinct hashes of the shingles, ascending, uint64 [k]."""
    intervals, rhythms = melody_steps(sequence)
    both = _mix(intervals ^ _mix(rhythms))
    hashes = np.concatenate(
        [_shingles(intervals, INTERVAL_SHINGLE), _shingles(both, RHYTHM_SHINGLE)]
    )
    return np.unique(hashes)[:SKETCH_SIZE]


def resemblance(a: np.ndarray, b: np.ndarray) -> float:
    """Estimates the Jaccard index of two pieces' shingles from their sketches."""
    both = np.sort(np.concatenate([a, b]))
    shared = both[1:] == both[:-1]
    # the smallest hashes of the union
    smallest = np.arange(1, len(both)) - np.cumsum(shared) < SKETCH_SIZE
    return float(
        shared[smallest].sum() / max(min(len(both) - shared.sum(), SKETCH_SIZE), 1)
    )


def groups(sketches: Sequence[np.ndarray]) -> list[int]:
    """Returns for each piece the index of its group of variants."""
    parent = list(range(len(sketches)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in _candidates(sketches):
        a, b = root(i), root(j)
        if a != b and resemblance(sketches[i], sketches[j]) >= MIN_JACCARD:
            parent[max(a, b)] = min(a, b)
    return [root(i) for i in range(len(sketches))]


def assign(
    fingerprints: Sequence[str],
    sketches: Sequence[np.ndarray],
    preassigned: Sequence[str] = (),
    kinds: Sequence[Collection[str]] = (),
) -> list[str]:
    """Assigns each piece to a split; variants share a split.

    Args:
      fingerprints: `fingerprint` of each piece.
      sketches: `sketch` of each piece.
      preassigned: the split of each piece, "" if it is free. Free variants of a
        preassigned piece follow it.
      kinds: the style and metre of each piece, see `assign_groups`.

    Returns:
      The split of each piece. With three or more groups of variants, no split is empty.
    """
    group_of, preassigned = groups(sketches), preassigned or [""] * len(sketches)
    pairs = list(zip(group_of, preassigned, strict=True))
    fixed = {group: split for group, split in pairs if split}
    smallest: dict[int, str] = {}
    for group, digest in zip(group_of, fingerprints, strict=True):
        smallest[group] = min(digest, smallest.get(group, digest))
    kinds_of: dict[int, set[str]] = defaultdict(set)
    for group, names in zip(group_of, kinds, strict=False):
        kinds_of[group].update(names)
    splits = assign_groups(smallest, fixed, kinds_of)
    return [split or splits[group] for group, split in pairs]


def assign_groups(
    digests: Mapping[T, str],
    fixed: Mapping[T, str] = MappingProxyType({}),
    kinds: Mapping[T, Collection[str]] = MappingProxyType({}),
) -> dict[T, str]:
    """Assigns each group to a split by its digest, unless it is in `fixed`.

    Args:
      digests: the digest of each group.
      fixed: the split of some groups.
      kinds: the styles and metres in each group. With at most `FEW_GROUPS` groups,
        every split has each kind of which there are three groups, if no split loses
        another kind by it.

    Returns:
      The split of each group. With three or more groups, none is empty.
    """
    position = {group: _uniform(digest) for group, digest in digests.items()}
    splits = {group: fixed.get(group) or _split(x) for group, x in position.items()}
    free = sorted(splits.keys() - fixed.keys(), key=position.__getitem__)
    train = [group for group in free if splits[group] == "train"]
    for split in ("test", "validation"):  # may be empty if there are few groups
        if split not in splits.values() and len(train) > 1:
            splits[train.pop()] = split
    if len(splits) <= FEW_GROUPS:
        _spread(splits, free, kinds)
    return splits


def _spread(
    splits: dict[T, str], free: Sequence[T], kinds: Mapping[T, Collection[str]]
) -> None:
    """Moves groups from the end of `free` to splits that lack one of their kinds.

    Kinds of fewer than three groups stay where they are. No split loses a kind by it.
    """
    of = {group: kinds.get(group, ()) for group in splits}
    counts = {split: Counter[str]() for split in SPLITS}
    for group, split in splits.items():
        counts[split].update(of[group])
    total = sum(counts.values(), Counter[str]())
    common = sorted(kind for kind, count in total.items() if count >= len(SPLITS))
    for split in ("test", "validation", "train"):
        for kind in common:
            if counts[split][kind]:
                continue
            last_first = [g for g in reversed(free) if splits[g] != split]
            for group in sorted(last_first, key=lambda g: splits[g] != "train"):
                source = counts[splits[group]]
                if kind in of[group] and all(source[name] > 1 for name in of[group]):
                    source.subtract(of[group])
                    counts[split].update(of[group])
                    splits[group] = split
                    break


def missing_kinds(
    splits: Sequence[str], kinds: Sequence[Collection[str]]
) -> dict[str, list[str]]:
    """Returns the kinds that each split lacks, by the split and kinds of each piece."""
    found = {split: set[str]() for split in SPLITS}
    for split, names in zip(splits, kinds, strict=True):
        found[split].update(names)
    whole = set.union(*found.values())
    return {split: sorted(whole - names) for split, names in found.items()}


def split_notices(splits: Sequence[str], kinds: Sequence[Collection[str]]) -> list[str]:
    """Returns a sentence for each split that is empty or lacks a style or metre.

    There are none for a large corpus, in which rare kinds are expected.
    """
    if len(splits) > FEW_GROUPS:
        return []
    notices = []
    for split, names in missing_kinds(splits, kinds).items():
        if split not in splits:
            notices.append(
                f"The {split} split is empty: it needs at least three pieces that are "
                "not variants of each other."
            )
        elif names:
            more = f" and {len(names) - MAX_NAMES} more" if names[MAX_NAMES:] else ""
            notices.append(
                f"The {split} split has no piece of {', '.join(names[:MAX_NAMES])}"
                f"{more}: add pieces, so that there are three of each that are not "
                "variants of each other."
            )
    return notices


def _uniform(digest: str) -> float:
    """Hashes a digest to [0, 1), because a group's smallest is not uniform."""
    rehashed = hashlib.blake2b(digest.encode(), digest_size=6).digest()
    return int.from_bytes(rehashed) / 2**48


def _split(position: float) -> str:
    """Returns the split at a position in [0, 1)."""
    for split, share in SPLITS.items():
        position -= share
        if position < 0:
            return split
    return "test"


def _shingles(codes: np.ndarray, width: int) -> np.ndarray:
    """Hashes every `width` successive codes, or all codes if there are fewer."""
    width = min(width, len(codes))
    hashes = np.full(len(codes) - width + 1 if width else 0, width, np.uint64)
    for i in range(width):
        hashes = _mix(hashes ^ codes[i : i + len(hashes)])
    return hashes


def _mix(x: np.ndarray) -> np.ndarray:
    """Hashes by the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _candidates(sketches: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yields pairs of pieces that share at least `MIN_SHARED` of their smallest hashes.

    The pieces with a hash, in the order of their sketches, are paired with the next
    `MAX_NEIGHBOURS`: all pairs for a rare hash, similar pieces for a frequent one.
    Pairs are in memory for one block of pieces at a time.
    """
    order = sorted(range(len(sketches)), key=lambda i: sketches[i][:4].tolist())
    keys = [sketches[i][:INDEX_HASHES] for i in order]
    starts = np.cumsum([0, *map(len, keys)])
    holders = np.repeat(np.arange(len(keys)), np.diff(starts))
    hashes = np.concatenate([np.zeros(0, np.uint64), *keys])
    by_hash = np.argsort(hashes, kind="stable")
    position = np.argsort(by_hash)
    hashes, holders = hashes[by_hash], holders[by_hash]
    for block in range(0, len(keys), BLOCK):
        at = position[starts[block] : starts[min(block + BLOCK, len(keys))]]
        pairs = []
        for offset in range(1, MAX_NEIGHBOURS + 1):
            at = at[at + offset < len(hashes)]
            at = at[hashes[at] == hashes[at + offset]]
            pairs.append(holders[at] * len(keys) + holders[at + offset])
        unique, shared = np.unique(np.concatenate(pairs), return_counts=True)
        for pair in unique[shared >= MIN_SHARED].tolist():
            first, second = divmod(pair, len(keys))
            yield order[first], order[second]
