"""MusicXML, plain or compressed, read by note_seq with corrections before and after.

note_seq's parser does not join tied notes, places grace notes at time zero, reads C
flat and B sharp in the wrong octave, misses pickups if divisions are fine, carries the
last tempo of a part into the next, and reads every key as major. It therefore receives
a score without grace notes and tempo changes, with such pitches respelled. Ties,
tempos, metres and keys are restored afterwards.
"""

import io
import tempfile
import zipfile
from collections import Counter
from xml.etree import ElementTree
from xml.parsers import expat

from note_seq import musicxml_parser, musicxml_reader

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.abc.fields import MODES
from zoo.data.scores.limits import Limits
from zoo.data.scores.timeline import time_signatures, write_tempos

MAX_DEPTH = 64  # nesting of elements; a score needs about ten
DIVISIONS = 10080  # ticks per quarter, divisible by all tuplets in use
NOTE_ELEMENTS = {  # the children of <note> that note_seq reads
    "chord",
    "duration",
    "rest",
    "pitch",
    "unpitched",
    "voice",
    "type",
    "dot",
    "time-modification",
}
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Element = ElementTree.Element


def read_musicxml(data: bytes, limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """Reads the bytes of a score, .mxl or plain. Repeats are not expanded.

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
    parts = root.findall("part")
    if len(parts) > limits.parts:
        raise Refused("too-many-parts", f"{len(parts)} parts; raise Limits.parts.")
    if sum(1 for _ in root.iter("note")) > limits.notes:
        raise Refused(
            "too-many-notes", f"Over {limits.notes:,} notes; raise Limits.notes."
        )
    try:
        graces, tempos, ties = _prepare(parts)
        with tempfile.NamedTemporaryFile(suffix=".xml") as file:
            ElementTree.ElementTree(root).write(file)
            file.flush()
            document = musicxml_parser.MusicXMLDocument(file.name)
        sequence = musicxml_reader.musicxml_to_sequence_proto(document)
        _join_ties(sequence, ties)
        irregular = _restore_times(sequence, document, tempos)
    except MemoryError:
        raise
    except Exception as error:  # note_seq does not catch errors of int() and find()
        message = f"{type(error).__name__}: {error}"
        raise Refused(
            "musicxml-syntax",
            f"note_seq cannot read this score ({message}); export it again.",
        ) from error
    counts = {"grace-notes": graces, "irregular-bars": irregular}
    return sequence, {name: count for name, count in counts.items() if count}


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


def _prepare(parts: list[Element]) -> tuple[int, list[float], list[Counter[str]]]:
    """Prepares a score for note_seq, as described above.

    Returns:
      The number of grace notes removed, the tempos of the first part, and the tie marks
      of each note.
    """
    graces = 0
    tempos: list[float] = []
    ties: list[Counter[str]] = []
    for part in parts:
        for measure in part.findall("measure"):
            for note in measure.findall("note"):
                if note.find("grace") is not None:
                    measure.remove(note)
                    graces += 1
                elif note.find("rest") is None:
                    marks = [*note.findall("tie"), *note.findall("notations/tied")]
                    ties.append(Counter(mark.get("type", "") for mark in marks))
                    _respell(note.find("pitch"))
                # note_seq is slow on elements that it does not use.
                note[:] = [child for child in note if child.tag in NOTE_ELEMENTS]
            for sound in measure.findall("direction/sound[@tempo]"):
                if part is parts[0]:
                    tempos.append(float(sound.get("tempo", "")) or 120.0)
                sound.set("tempo", "120")
    return graces, tempos, ties


def _respell(pitch: Element | None) -> None:
    """Respells a pitch whose accidental crosses an octave boundary, as B sharp does."""
    if pitch is None:
        return
    step, alter, octave = (pitch.find(name) for name in ("step", "alter", "octave"))
    if step is None or alter is None or octave is None:
        return
    octaves, semitone = divmod(STEPS[step.text or ""] + int(float(alter.text or 0)), 12)
    if octaves:
        step.text = max(
            (x for x in STEPS if STEPS[x] <= semitone), key=STEPS.__getitem__
        )
        alter.text = str(semitone - STEPS[step.text])
        octave.text = str(int(octave.text or "") + octaves)


def _join_ties(sequence: NoteSequence, ties: list[Counter[str]]) -> None:
    """Joins tied notes; `ties` are the tie marks of each note of `sequence`."""
    notes: list[NoteSequence.Note] = []
    open_ties: dict[tuple[int, int], NoteSequence.Note] = {}
    for note, tie in zip(sequence.notes, ties, strict=True):
        before = open_ties.pop((note.part, note.pitch), None)
        if (
            tie["stop"]
            and before is not None
            and abs(before.end_time - note.start_time) < 1e-6
        ):
            before.end_time = note.end_time
            note = before
        else:
            notes.append(note)
        if tie["start"]:
            open_ties[note.part, note.pitch] = note
    copies = [NoteSequence.Note.FromString(note.SerializeToString()) for note in notes]
    del sequence.notes[:]
    sequence.notes.extend(copies)


def _restore_times(
    sequence: NoteSequence,
    document: musicxml_parser.MusicXMLDocument,
    tempos: list[float],
) -> int:
    """Restores tempos, metres and keys of a sequence that was read at one tempo.

    Returns:
      The number of irregular bars.
    """

    def ticks(time: float) -> int:
        return round(2 * DIVISIONS * time)

    tempo_ticks = [ticks(tempo.time) for tempo in sequence.tempos] if tempos else []
    bar_lines = [ticks(sequence.total_time)]
    metres, keys = [], []
    if document.parts:
        measures = document.parts[0].measures
        bar_lines = sorted(
            {*bar_lines, *(ticks(measure.start_time_position) for measure in measures)}
        )
        for measure in measures:
            position = ticks(measure.start_time_position)
            time = measure.xml_measure.find("attributes/time")
            if time is not None and time.find("beats") is not None:
                numerator = int(time.findtext("beats", ""))
                denominator = int(time.findtext("beat-type", ""))
                metres.append((position, numerator, denominator))
            if (key := measure.xml_measure.find("attributes/key")) is not None:
                keys.append((position, *_key(key)))
    signatures, irregular = time_signatures(bar_lines, metres, DIVISIONS)

    del sequence.tempos[:]
    seconds = write_tempos(sequence, zip(tempo_ticks, tempos, strict=True), DIVISIONS)
    del sequence.time_signatures[:]
    for position, numerator, denominator in signatures:
        sequence.time_signatures.add(
            time=seconds(position), numerator=numerator, denominator=denominator
        )
    del sequence.key_signatures[:]
    for position, tonic, mode in keys:
        sequence.key_signatures.add(time=seconds(position), key=tonic, mode=mode)
    for event in sequence.text_annotations:
        event.time = seconds(ticks(event.time))
    for note in sequence.notes:
        note.start_time = seconds(ticks(note.start_time))
        note.end_time = seconds(ticks(note.end_time))
    sequence.total_time = seconds(ticks(sequence.total_time))
    return irregular


def _key(key: Element) -> tuple[int, int]:
    """Returns the tonic (a pitch class) and the mode of a key, by default major."""
    mode = key.findtext("mode", "").strip().lower()[:3] or "none"
    shift, name = MODES.get(mode, (0, "NOT_SPECIFIED"))
    tonic = 7 * (int(key.findtext("fifths", "")) - shift) % 12
    return tonic, NoteSequence.KeySignature.Mode.Value(name)
