"""MusicXML, plain or compressed.

Notes sound as transposing parts sound. A bar begins at the same time in all parts.
Repeats are not expanded. What is not understood is left out and counted, except the
pitches and durations of notes.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import zip_longest
from xml.etree import ElementTree
from xml.parsers import expat

from zoo.data.lyrics import write_line
from zoo.data.proto import TICKS, NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits
from zoo.data.scores.musicxml_parts import Part, PartReader
from zoo.data.scores.musicxml_values import Element, instruments
from zoo.data.scores.timeline import Clock, time_signatures, write_tempos

MAX_DEPTH = 64  # nesting of elements; a score needs about ten
DIVISIONS = 10080  # ticks per quarter, divisible by all tuplets in use


def read_musicxml(data: bytes, limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """Reads the bytes of a score, .mxl or plain.

    Returns:
      The sequence, and counts of remarks.

    Raises:
      Refused: the score is malformed or exceeds `limits`.
    """
    root = _parse(unzip(data, limits) if data.startswith(b"PK") else data)
    if root.tag != "score-partwise":
        raise Refused(
            "not-musicxml",
            f"The root is <{root.tag}>, not <score-partwise>; export it as partwise.",
        )
    if (count := len(root.findall("part"))) > limits.parts:
        raise Refused("too-many-parts", f"{count} parts; raise Limits.parts.")
    if sum(1 for _ in root.iter("note")) > limits.notes:
        raise Refused(
            "too-many-notes", f"Over {limits.notes:,} notes; raise Limits.notes."
        )
    parts, starts = _read_parts(root)
    sequence, irregular = _sequence(parts, starts)
    remarks = Counter({"irregular-bars": irregular})
    for part in parts:
        remarks += part.remarks
    return sequence, {name: count for name, count in remarks.items() if count}


def unzip(data: bytes, limits: Limits) -> bytes:
    """Unpacks the score of an .mxl file. Raises Refused beyond `limits.bytes`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            container = _parse(_member(archive, "META-INF/container.xml", limits))
            root = container.find(".//rootfile")
            path = "" if root is None else root.get("full-path", "")
            return _member(archive, path, limits)
    except Refused:
        raise
    except Exception as error:  # zipfile does not catch errors of zlib and struct
        raise Refused(
            "mxl-zip", f"The archive cannot be unpacked ({error}); export it again."
        ) from error


def _member(archive: zipfile.ZipFile, name: str, limits: Limits) -> bytes:
    with archive.open(name) as file:
        data = file.read(limits.bytes + 1)
    if len(data) > limits.bytes:
        raise Refused(
            "too-large",
            f"{name} has over {limits.bytes:,} bytes unpacked; raise Limits.bytes.",
        )
    return data


def _parse(data: bytes) -> Element:
    """Parses a document; refuses entities, which may expand, and deep nesting."""
    builder, parser, depth = ElementTree.TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Refused(
                "xml-depth", f"Elements are nested over {MAX_DEPTH} deep; not a score."
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def entity(name: str, *_: object) -> None:
        raise Refused(
            "xml-entities", f"The document defines an entity ({name}); remove its DTD."
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = builder.data, entity
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Refused(
            "xml-syntax", f"The XML is malformed: {error}; export it again."
        ) from error
    return builder.close()


def _read_parts(root: Element) -> tuple[list[Part], list[Fraction]]:
    """Reads all parts, bar by bar.

    Returns:
      The parts, and the start of each bar in quarters, with the end of the last.
    """
    listed = {part.get("id"): part for part in root.iterfind("part-list/score-part")}
    readers, columns = [], []
    for element in root.findall("part"):
        about = listed.get(element.get("id"))
        name = "" if about is None else about.findtext("part-name") or ""
        readers.append(PartReader(Part(name, instruments(about))))
        columns.append(element.findall("measure"))
    starts = [Fraction(0)]
    for index, row in enumerate(zip_longest(*columns), 1):
        present = [
            reader for reader, x in zip(readers, row, strict=True) if x is not None
        ]
        for reader, measure in zip(readers, row, strict=True):
            if measure is None:
                continue
            try:
                reader.read(measure, starts[-1])
            except ValueError as error:
                raise Refused(
                    "musicxml-syntax",
                    f"Bar {index} of {reader.part.name or 'a part'} has {error}; "
                    "export the score again.",
                ) from error
        starts.append(_bar_line(present))
    return [reader.part for reader in readers], starts


def _bar_line(readers: list[PartReader]) -> Fraction:
    """Returns the end of a bar that all parts have read.

    Rests of a whole bar often have a wrong duration. They count if it is that of the
    metre, or if all parts rest.
    """
    ends = [x.end for x in readers if not x.silent or x.end == x.full]
    return max(ends or [reader.end for reader in readers])


def _sequence(parts: list[Part], starts: list[Fraction]) -> tuple[NoteSequence, int]:
    """Returns the sequence of the parts, and the number of irregular bars.

    Metres and keys are those of the first part that has notes with a pitch.
    """
    sequence = NoteSequence(ticks_per_quarter=TICKS)
    info = NoteSequence.SourceInfo
    sequence.source_info.source_type = info.SCORE_BASED
    sequence.source_info.encoding_type = info.MUSIC_XML
    seconds = write_tempos(sequence, _tempos(parts), DIVISIONS)
    sequence.total_time = seconds(_ticks(starts[-1]))

    pitched = [part for part in parts if any(not note.is_drum for note in part.notes)]
    leaders = [*pitched, *parts]
    metres = next((part.metres for part in leaders if part.metres), [])
    signatures, irregular = time_signatures(
        sorted({*map(_ticks, starts)}),
        [(_ticks(place), above, below) for place, above, below in metres],
        DIVISIONS,
    )
    for position, numerator, denominator in signatures:
        sequence.time_signatures.add(
            time=seconds(position), numerator=numerator, denominator=denominator
        )
    for place, tonic, mode in next((part.keys for part in leaders if part.keys), []):
        time = seconds(_ticks(place))
        sequence.key_signatures.add(time=time, key=tonic, mode=mode)
    _write_parts(sequence, parts, seconds)
    return sequence, irregular


def _tempos(parts: list[Part]) -> Iterator[tuple[int, float]]:
    """Yields the tempos of all parts.

    At one position, those of <sound> replace printed ones, and those of an earlier part
    replace others.
    """
    for part in reversed(parts):
        yield from ((_ticks(position), qpm) for position, qpm in part.metronomes)
    for part in reversed(parts):
        yield from ((_ticks(position), qpm) for position, qpm in part.tempos)


def _write_parts(sequence: NoteSequence, parts: list[Part], seconds: Clock) -> None:
    """Writes notes, chord symbols and lyrics; each part is an instrument."""
    chords = sorted({chord for part in parts for chord in part.chords})
    kind = NoteSequence.TextAnnotation.CHORD_SYMBOL
    for position, text in chords:
        time = seconds(_ticks(position))
        sequence.text_annotations.add(time=time, text=text, annotation_type=kind)
    for index, part in enumerate(parts):
        sequence.part_infos.add(part=index, name=part.name)
        for note in part.notes:
            sequence.notes.add(
                start_time=seconds(_ticks(note.start)),
                end_time=seconds(_ticks(note.end)),
                pitch=min(max(note.pitch, -1), 128),  # refused later if out of range
                velocity=note.velocity,
                program=note.program,
                is_drum=note.is_drum,
                instrument=index,
                part=index,
                voice=note.voice,
            )
        for voice, line in part.words.lines().items():
            onsets = ((seconds(_ticks(place)), word) for place, word in line)
            write_line(sequence, (index, voice), onsets)


def _ticks(position: Fraction) -> int:
    return round(position * DIVISIONS)
