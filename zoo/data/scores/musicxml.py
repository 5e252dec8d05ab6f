"""MusicXML, plain or compressed, through note_seq, guarded before it and mended after.

note_seq's parser leaves ties as separate notes, puts grace notes at time zero, sounds C flat and
B sharp an octave off, misses a pickup where divisions are fine, carries the last tempo of one part
into the next, and takes every key for major. So it is handed a score without grace notes, in one
tempo, its pitches spelt without such accidentals; ties, tempos, metres and keys are put back into
what it returns.
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
from zoo.data.scores.timeline import clock, signatures

DEPTH = 64  # elements within elements; a score needs ten
DIVISIONS = 10080  # ticks per quarter, for what any tuplet in use divides
USED = {"chord", "duration", "rest", "pitch", "unpitched", "voice", "type", "dot"} | {
    "time-modification"
}
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Element = ElementTree.Element


def read_musicxml(data: bytes, limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """The sequence in a score's bytes, .mxl or plain, and remarks. Raises Refused.

    Repeats are not followed: the sequence is as written, without sections.
    """
    root = _tree(unzip(data, limits) if data.startswith(b"PK") else data)
    if root.tag != "score-partwise":
        raise Refused(
            "not-musicxml", f"A <{root.tag}>, not a <score-partwise>; export it as one."
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
        _join(sequence, ties)
        irregular = _retime(sequence, document, tempos)
    except MemoryError:
        raise
    except Exception as error:  # note_seq lets through whatever int() and find() raise
        said = f"{type(error).__name__}: {error}"
        raise Refused(
            "musicxml-syntax",
            f"note_seq cannot read this score ({said}); save it afresh.",
        ) from error
    counts = {"grace-notes": graces, "irregular-bars": irregular}
    return sequence, {name: count for name, count in counts.items() if count}


def unzip(data: bytes, limits: Limits) -> bytes:
    """The score inside an .mxl file, never unpacking more than `limits.bytes`. Raises Refused."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            container = _tree(_member(archive, "META-INF/container.xml", limits))
            root = container.find(".//rootfile")
            path = "" if root is None else root.get("full-path", "")
            return _member(archive, path, limits)
    except Refused:
        raise
    except (
        Exception
    ) as error:  # zipfile lets through what zlib, struct and codecs raise
        raise Refused(
            "mxl-zip", f"The archive cannot be unpacked ({error}); save it afresh."
        ) from error


def _member(archive: zipfile.ZipFile, name: str, limits: Limits) -> bytes:
    with archive.open(name) as file:
        data = file.read(limits.bytes + 1)
    if len(data) > limits.bytes:
        raise Refused(
            "too-large",
            f"{name} unpacks to over {limits.bytes:,} bytes; raise Limits.bytes.",
        )
    return data


def _tree(data: bytes) -> Element:
    """The document's root, refusing entities, which can expand without end, and deep nesting."""
    builder, parser, depth = ElementTree.TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise Refused(
                "xml-depth", f"Elements nest over {DEPTH} deep; this is no score."
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
            "xml-syntax", f"The XML is broken: {error}; save it afresh."
        ) from error
    return builder.close()


def _prepare(parts: list[Element]) -> tuple[int, list[float], list[Counter[str]]]:
    """Fit a score for note_seq: grace notes left out, the first part's tempos, all notes' ties."""
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
                note[:] = [
                    child for child in note if child.tag in USED
                ]  # the rest costs time
            for sound in measure.findall("direction/sound[@tempo]"):
                if part is parts[0]:
                    tempos.append(float(sound.get("tempo", "")) or 120.0)
                sound.set("tempo", "120")
    return graces, tempos, ties


def _respell(pitch: Element | None) -> None:
    """Spell by another letter a pitch that its accidental carries into the next octave."""
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


def _join(sequence: NoteSequence, ties: list[Counter[str]]) -> None:
    """Make one note of those tied; `ties` are those of the sequence's notes, in order."""
    notes: list[NoteSequence.Note] = []
    held: dict[tuple[int, int], NoteSequence.Note] = {}
    for note, tie in zip(sequence.notes, ties, strict=True):
        before = held.pop((note.part, note.pitch), None)
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
            held[note.part, note.pitch] = note
    kept = [NoteSequence.Note.FromString(note.SerializeToString()) for note in notes]
    del sequence.notes[:]
    sequence.notes.extend(kept)


def _retime(
    sequence: NoteSequence,
    document: musicxml_parser.MusicXMLDocument,
    tempos: list[float],
) -> int:
    """Put tempos, metres and keys right in a sequence read at 120 quarters a minute; irregular
    bars."""

    def ticks(time: float) -> int:
        return round(2 * DIVISIONS * time)

    stated = [ticks(tempo.time) for tempo in sequence.tempos] if tempos else []
    lines = [ticks(sequence.total_time)]
    metres, keys = [], []
    if document.parts:
        measures = document.parts[0].measures
        lines = sorted(
            {*lines, *(ticks(measure.start_time_position) for measure in measures)}
        )
        for measure in measures:
            at = ticks(measure.start_time_position)
            time = measure.xml_measure.find("attributes/time")
            if time is not None and time.find("beats") is not None:
                above, below = (
                    int(time.findtext("beats", "")),
                    int(time.findtext("beat-type", "")),
                )
                metres.append((at, above, below))
            if (key := measure.xml_measure.find("attributes/key")) is not None:
                keys.append((at, *_key(key)))
    found, irregular = signatures(lines, metres, DIVISIONS)

    del sequence.tempos[:]
    seconds = clock(sequence, zip(stated, tempos, strict=True), DIVISIONS)
    del sequence.time_signatures[:]
    for at, above, below in found:
        sequence.time_signatures.add(
            time=seconds(at), numerator=above, denominator=below
        )
    del sequence.key_signatures[:]
    for at, tonic, mode in keys:
        sequence.key_signatures.add(time=seconds(at), key=tonic, mode=mode)
    for event in sequence.text_annotations:
        event.time = seconds(ticks(event.time))
    for note in sequence.notes:
        note.start_time, note.end_time = (
            seconds(ticks(note.start_time)),
            seconds(ticks(note.end_time)),
        )
    sequence.total_time = seconds(ticks(sequence.total_time))
    return irregular


def _key(key: Element) -> tuple[int, int]:
    """The tonic, a pitch class, and the mode of a key; as if it were major where it has none."""
    mode = key.findtext("mode", "").strip().lower()[:3] or "none"
    shift, name = MODES.get(mode, (0, "NOT_SPECIFIED"))
    tonic = 7 * (int(key.findtext("fifths", "")) - shift) % 12
    return tonic, NoteSequence.KeySignature.Mode.Value(name)
