"""One ABC tune into a NoteSequence."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from zoo.data.proto import TICKS, NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.abc import form
from zoo.data.scores.abc.voice import QUARTER, Voice
from zoo.data.scores.limits import Limits
from zoo.data.scores.timeline import Clock, clock, signatures

_FIELD = re.compile(
    r"([A-Za-z+]):(?![|:\]])\s*(.*)"
)  # not a note before a repeat sign, `d:|`
_SWITCH = re.compile(r"\[V:\s*([^\]\s]+)[^\]]*\]")
_APPLIED = "KLMPQ"  # other fields say nothing of the notes

LONGEST = 100_000  # characters in a line of music with its continuations

Line = tuple[int, str]


def read_tune(lines: list[Line], limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """The sequence as written, and what was left out of it. Raises Refused with line and column.

    Each voice becomes a part; metre, key, chord symbols and repeats are those of the first.
    """
    header, body = _header(lines)
    voices = [_read(header, part, limits) for part in _split(body, limits)]
    sequence, irregular = _sequence(header, voices)
    remarks = {
        "grace-notes": sum(voice.graces for voice in voices),
        "irregular-bars": irregular,
    }
    return sequence, {name: count for name, count in remarks.items() if count}


def _header(lines: list[Line]) -> tuple[dict[str, Line], list[Line]]:
    """The fields up to the first K, the last of each holding (titles: all); and what follows."""
    header: dict[str, Line] = {}
    for index, (number, line) in enumerate(lines):
        match = _FIELD.match(line)
        if match is None:
            return header, lines[index:]
        name, value = match[1], match[2].strip()
        if name == "T" and name in header:
            value = f"{header[name][1]}; {value}"
        header[name] = number, value
        if name == "K":
            return header, lines[index + 1 :]
    return header, []


def _split(body: list[Line], limits: Limits) -> list[list[Line]]:
    """The lines of each voice; what stands before the first V belongs to the first voice."""
    voices: dict[str, list[Line]] = {}
    current: list[Line] = []
    before = current
    for number, line in body:
        if line.startswith("V:"):
            line = f"[{line}]"
        pieces = _SWITCH.split(line) if line.startswith("[V:") else [line]
        if pieces[0]:
            current.append((number, pieces[0]))
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
            current = voices.setdefault(name, [] if voices else before)
            if text:
                current.append((number, text))
    if len(voices) > limits.parts:
        raise Refused("too-many-parts", f"{len(voices)} voices; raise Limits.parts.")
    return list(voices.values()) or [before]


def _read(header: dict[str, Line], lines: list[Line], limits: Limits) -> Voice:
    voice, place = Voice(limits), 0
    try:
        for name in "MLQK":
            place, value = header.get(name, (0, ""))
            if place:
                voice.field(name, value)
            elif name == "L" and voice.metre and voice.metre[0] / voice.metre[1] < 0.75:
                voice.field(name, "1/16")
        for number, line in _joined(lines):
            place = number
            match = _FIELD.match(line)
            if match is None:
                voice.music(line)
            elif match[1] in _APPLIED:
                voice.field(match[1], match[2].strip())
        voice.finish()
    except Refused as refused:
        where = f"Line {place}, {refused.detail}; mend the line or leave the tune out."
        raise Refused(refused.reason, where) from None
    return voice


def _joined(lines: list[Line]) -> Iterator[Line]:
    """Lines of music with those they continue: after a backslash, or what mail made of a long line.

    Quoted-printable mail breaks a line after `=`, and writes `=` itself as `=3D` and a space at the
    end of a line as `=20`.
    """
    held = ""
    for number, line in lines:
        if _FIELD.match(line):
            yield number, line
            continue
        line = held + line.removesuffix("=20").replace("=3D", "=")
        if len(line) > LONGEST:
            raise Refused("abc-syntax", f"a line continued over {LONGEST:,} characters")
        held = (
            f"{line[:-1]} "
            if line.endswith("\\")
            else line[:-1]
            if line.endswith("=")
            else ""
        )
        if not held:
            yield number, line
    if held:
        yield lines[-1][0], held


def _sequence(header: dict[str, Line], voices: list[Voice]) -> tuple[NoteSequence, int]:
    sequence, first = NoteSequence(ticks_per_quarter=TICKS), voices[0]
    info = NoteSequence.SourceInfo
    sequence.source_info.source_type = info.SCORE_BASED
    sequence.source_info.encoding_type = info.ABC
    _label(sequence, header)

    end = max(voice.now for voice in voices)
    seconds = clock(sequence, [x for voice in voices for x in voice.tempos], QUARTER)
    sequence.total_time = seconds(end)
    for at, key in dict(first.keys).items():
        if key.tonic is not None:
            mode = NoteSequence.KeySignature.Mode.Value(key.mode)
            sequence.key_signatures.add(time=seconds(at), key=key.tonic, mode=mode)
    metres = [(at, *metre) for at, metre in first.metres if metre]
    stated, irregular = signatures(first.lines, metres, QUARTER)
    for at, above, below in stated:
        sequence.time_signatures.add(
            time=seconds(at), numerator=above, denominator=below
        )
    for at, text in first.harmonies:
        kind = NoteSequence.TextAnnotation.CHORD_SYMBOL
        sequence.text_annotations.add(time=seconds(at), text=text, annotation_type=kind)

    cuts = _form(sequence, first, header.get("P", (0, ""))[1], end, seconds)
    for index, voice in enumerate(voices):
        if len(voices) > 1:
            sequence.part_infos.add(part=index, name=f"voice {index + 1}")
        for start, stop, pitch, velocity in sorted(_divided(voice.notes, cuts)):
            sequence.notes.add(
                start_time=seconds(start),
                end_time=seconds(stop),
                pitch=max(0, pitch),
                velocity=velocity,
                instrument=index,
                part=index,
            )
    return sequence, irregular


def _label(sequence: NoteSequence, header: dict[str, Line]) -> None:
    texts = {name: value for name, (_, value) in header.items() if value}
    metadata = sequence.sequence_metadata
    metadata.title = texts.get("T", "")
    metadata.artist = texts.get("C", "")
    metadata.composers.extend(texts[name] for name in "C" if name in texts)
    metadata.genre.extend(texts[name] for name in "R" if name in texts)
    sequence.collection_name = texts.get("B", "")
    number = re.match(r"\d{1,9}", texts.get("X", ""))
    sequence.reference_number = int(number[0]) if number else 0


def _form(
    sequence: NoteSequence, voice: Voice, order: str, end: int, seconds: Clock
) -> list[int]:
    """Write sections and the order they are played in; the ticks where sections begin."""
    cuts, groups = form.sections(form.plays(voice.marks, end, order), end)
    for index, at in enumerate(cuts):
        sequence.section_annotations.add(time=seconds(at), section_id=index)
    for members, times in groups:
        group = sequence.section_groups.add(num_times=times)
        for member in members:
            group.sections.add(section_id=member)
    return cuts


def _divided(notes: list[list[int]], cuts: list[int]) -> Iterable[list[int]]:
    """The notes, those tied over the beginning of a section struck again there."""
    for start, stop, *sound in notes:
        for cut in cuts[bisect_right(cuts, start) :]:
            if cut >= stop:
                break
            yield [start, cut, *sound]
            start = cut
        yield [start, stop, *sound]
