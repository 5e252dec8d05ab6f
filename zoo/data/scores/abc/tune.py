"""Conversion of one ABC tune to a NoteSequence."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from zoo.data.lyrics import write_line
from zoo.data.proto import TICKS, NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.abc import form
from zoo.data.scores.abc.lex import TOKEN
from zoo.data.scores.abc.voice import QUARTER, Voice
from zoo.data.scores.limits import Limits
from zoo.data.scores.timeline import Clock, time_signatures, write_tempos

# The lookahead excludes a note before a repeat sign, `d:|`.
_FIELD = re.compile(r"([A-Za-z+]):(?![|:\]])\s*(.*)")
_VOICE_FIELD = re.compile(r"\[V:\s*([^\]\s]+)([^\]]*)\]")
_MUSIC_FIELDS = "KLMPQVWw"  # other fields affect neither notes nor words

MAX_LINE = 100_000  # characters in a line of music with its continuations

Line = tuple[int, str]  # line number in the file, and text


def read_tune(lines: list[Line], limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """Reads a tune as written. Each voice is a part.

    Metres, keys, chord symbols and repeats are those of the first voice.

    Returns:
      The sequence, and counts of remarks.

    Raises:
      Refused: the tune is malformed; `detail` names line and column.
    """
    header, body = _header(lines)
    voices = [_read(header, part, limits) for part in _split(header, body, limits)]
    sequence, irregular = _sequence(header, voices)
    remarks = header.remarks + Counter({"irregular-bars": irregular})
    for voice in voices:
        remarks += voice.remarks
    return sequence, dict(remarks)


@dataclass
class Header:
    """The fields of a tune up to its first K.

    Attributes:
      fields: the last field of each name; all titles are joined.
      voices: the properties of each V field, by the name of the voice.
      remarks: counts of what was left out.
    """

    fields: dict[str, Line] = field(default_factory=dict)
    voices: dict[str, list[Line]] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, number: int, value: str) -> None:
        """Adds a field."""
        if name == "V" and value:
            voice, *properties = value.split(maxsplit=1)
            line = f"V:{' '.join(properties)}"
            self.voices.setdefault(voice, []).append((number, line))
        elif name == "T" and name in self.fields:
            value = f"{self.fields[name][1]}; {value}"
        self.fields[name] = number, value


def _header(lines: list[Line]) -> tuple[Header, list[Line]]:
    """Splits a tune after its first K field, or, without one, before its first music.

    Text after a field of history is part of it (standard 1.6). Other text that is not
    music is left out.
    """
    header, before = Header(), ""
    unfinished = any(line.startswith("K:") for _, line in lines)
    for index, (number, line) in enumerate(lines):
        match = _FIELD.match(line)
        if match is None:
            if unfinished and before == "H":
                continue
            if unfinished and not _is_music(line):
                header.remarks["stray-lines"] += 1
                continue
            return header, lines[index:]
        name, value = match[1], match[2].strip()
        if name == "+":  # continues the field before it
            value = f"{header.fields.get(before, (0, ''))[1]} {value}".strip()
            header.fields[before] = number, value
            continue
        header.add(name, number, value)
        before = name
        if name == "K":
            return header, lines[index + 1 :]
    return header, []


def _is_music(line: str) -> bool:
    """Returns whether a line consists of tokens of music."""
    position = 0
    while position < len(line):
        match = TOKEN.match(line, position)
        if match is None:
            return False
        position = match.end()
    return True


def _split(header: Header, body: list[Line], limits: Limits) -> list[list[Line]]:
    """Splits the body by voices, in the order of the header.

    Lines before the first V belong to the first voice. The lines of a voice begin with
    its properties.
    """
    voices: dict[str, list[Line]] = {}
    current: list[Line] = []
    before = current
    for number, line in body:
        if line.startswith("V:"):
            line = f"[{line}]"
        pieces = [line] if _FIELD.match(line) else _VOICE_FIELD.split(line)
        if pieces[0].strip():
            current.append((number, pieces[0]))
        for name, properties, text in zip(
            pieces[1::3], pieces[2::3], pieces[3::3], strict=True
        ):
            current = voices.setdefault(name, [] if voices else before)
            if properties.strip():
                current.append((number, f"V:{properties}"))
            if text.strip():
                current.append((number, text))
    if len(voices) > limits.parts:
        raise Refused("too-many-parts", f"{len(voices)} voices; raise Limits.parts.")
    if not voices:
        return [next(iter(header.voices.values()), []) + before]
    order = [name for name in header.voices if name in voices]
    order += [name for name in voices if name not in header.voices]
    return [header.voices.get(name, []) + voices[name] for name in order]


def _read(header: Header, lines: list[Line], limits: Limits) -> Voice:
    voice, line_number, before = Voice(limits), 0, ""
    try:
        for name in "MLQK":
            line_number, value = header.fields.get(name, (0, ""))
            if line_number:
                voice.field(name, value)
            elif name == "L" and voice.metre and voice.metre[0] / voice.metre[1] < 0.75:
                voice.field(name, "1/16")
        for number, line in _join_continued(lines):
            line_number = number
            match = _FIELD.match(line)
            if match is None:
                voice.music(line)
            elif match[1] == "+" and before == "w":
                voice.words.field(match[2].strip(), more=True)
            elif match[1] in _MUSIC_FIELDS:
                voice.field(match[1], match[2].strip())
            if match is None or match[1] != "+":
                before = match[1] if match else ""
        voice.finish()
    except Refused as refused:
        detail = (
            f"Line {line_number}, {refused.detail}; correct the line or leave the tune "
            "out."
        )
        raise Refused(refused.reason, detail) from None
    return voice


def _join_continued(lines: list[Line]) -> Iterator[Line]:
    """Joins continued lines of music: after a backslash, or quoted-printable.

    A field between them applies to the music after it (standard 2.1, section 3.3).
    Quoted-printable mail breaks a line after `=`, and encodes `=` as `=3D` and a space
    at the end of a line as `=20`.
    """
    continued, last = "", 0
    for number, line in lines:
        if _FIELD.match(line):
            if continued:
                yield last, continued
            continued = ""
            yield number, line
            continue
        last = number
        line = continued + line.removesuffix("=20").replace("=3D", "=")
        if len(line) > MAX_LINE:
            raise Refused(
                "abc-syntax", f"a line continued over {MAX_LINE:,} characters"
            )
        if line.endswith("\\"):
            continued = f"{line[:-1]} "
        elif line.endswith("="):
            continued = line[:-1]
        else:
            continued = ""
        if not continued:
            yield number, line
    if continued:
        yield last, continued


def _sequence(header: Header, voices: list[Voice]) -> tuple[NoteSequence, int]:
    """Returns the sequence of the voices, and the number of irregular bars."""
    sequence, first = NoteSequence(ticks_per_quarter=TICKS), voices[0]
    info = NoteSequence.SourceInfo
    sequence.source_info.source_type = info.SCORE_BASED
    sequence.source_info.encoding_type = info.ABC
    _write_metadata(sequence, header.fields)

    end = max(voice.position for voice in voices)
    tempos = [tempo for voice in voices for tempo in voice.tempos]
    seconds = write_tempos(sequence, tempos, QUARTER)
    sequence.total_time = seconds(end)
    for position, key in dict(first.keys).items():
        if key.tonic is not None:
            mode = NoteSequence.KeySignature.Mode.Value(key.mode)
            time = seconds(position)
            sequence.key_signatures.add(time=time, key=key.tonic, mode=mode)
    metres = [(position, *metre) for position, metre in first.metres if metre]
    signatures, irregular = time_signatures(first.bar_lines, metres, QUARTER)
    for position, numerator, denominator in signatures:
        sequence.time_signatures.add(
            time=seconds(position), numerator=numerator, denominator=denominator
        )
    kind = NoteSequence.TextAnnotation.CHORD_SYMBOL
    for position, text in first.harmonies:
        time = seconds(position)
        sequence.text_annotations.add(time=time, text=text, annotation_type=kind)

    order = header.fields.get("P", (0, ""))[1]
    starts = _write_form(sequence, first, order, end=end, seconds=seconds)
    for index, voice in enumerate(voices):
        if len(voices) > 1:
            sequence.part_infos.add(part=index, name=f"voice {index + 1}")
        notes = sorted(_split_notes(voice.notes, starts))
        for start, stop, pitch, velocity in notes:
            sequence.notes.add(
                start_time=seconds(start),
                end_time=seconds(stop),
                pitch=max(0, pitch),
                velocity=velocity,
                instrument=index,
                part=index,
            )
        onsets = sorted({note[0] for note in notes} & (voice.words.onsets | {*starts}))
        write_line(
            sequence, (index, 0), ((seconds(x), voice.words.at(x)) for x in onsets)
        )
    return sequence, irregular


def _write_metadata(sequence: NoteSequence, header: dict[str, Line]) -> None:
    texts = {name: value for name, (_, value) in header.items() if value}
    metadata = sequence.sequence_metadata
    metadata.title = texts.get("T", "")
    metadata.artist = texts.get("C", "")
    metadata.composers.extend(texts[name] for name in "C" if name in texts)
    metadata.genre.extend(texts[name] for name in "R" if name in texts)
    sequence.collection_name = texts.get("B", "")
    number = re.match(r"\d{1,9}", texts.get("X", ""))
    sequence.reference_number = int(number[0]) if number else 0


def _write_form(
    sequence: NoteSequence, voice: Voice, order: str, *, end: int, seconds: Clock
) -> list[int]:
    """Writes the sections and their order; returns the starts of the sections."""
    starts, groups = form.sections(form.plays(voice.marks, end, order), end)
    for index, start in enumerate(starts):
        sequence.section_annotations.add(time=seconds(start), section_id=index)
    for members, times in groups:
        group = sequence.section_groups.add(num_times=times)
        for member in members:
            group.sections.add(section_id=member)
    return starts


def _split_notes(notes: list[list[int]], starts: list[int]) -> Iterable[list[int]]:
    """Splits notes that are tied over the start of a section."""
    for onset, offset, *sound in notes:
        for start in starts[bisect_right(starts, onset) :]:
            if start >= offset:
                break
            yield [onset, start, *sound]
            onset = start
        yield [onset, offset, *sound]
