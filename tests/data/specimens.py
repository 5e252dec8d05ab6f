"""Small files of each type with known contents."""

import io
import zipfile

from note_seq import midi_io

from zoo.data.proto import NoteSequence

ABC = """X:1
T:Fuzz
M:6/8
L:1/8
Q:3/8=96
K:Dmix
A|:"D"d2{e}f (3gfe d>c|[M:3/4]B-B/ c// [D2F2]- [DF] z|1 ~A3 e3:|2 !ff!A3 D3|]
P:B
[K:Gm]g4-|g2 _b2 ^f2|Z2|x2 .G,2 g'2::"^text"A6|]
w: some words

X:2
T:Voices
M:C|
K:none
V:1
C4 D4|E8|
V:2
C,8&G,8|D,8|
"""

SCORE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.0 Partwise//EN"
    "partwise.dtd">
<score-partwise version="3.0">
 <part-list>
  <score-part id="P1"><part-name>One</part-name></score-part>
  <score-part id="P2"><part-name>Two</part-name></score-part>
 </part-list>
 <part id="P1">{}</part>
 <part id="P2">{}</part>
</score-partwise>
"""
ATTRIBUTES = (
    "<attributes><divisions>8</divisions><key><fifths>1</fifths><mode>major</mode></key>"
    "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
)
SLOWER = '<direction><direction-type/><sound tempo="60"/></direction>'


def note(pitch: str | None, eighths: int, *extra: str) -> str:
    """Returns a MusicXML note such as `note("Cb4", 2)`, or a rest.

    `extra` is some of "start", "stop" and "grace".
    """
    inside = "<rest/>"
    if pitch:
        alter = {"": "", "b": "<alter>-1</alter>", "#": "<alter>1</alter>"}[pitch[1:-1]]
        inside = (
            f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
        )
    if "grace" in extra:
        return f"<note><grace/>{inside}<voice>1</voice></note>"
    ties = "".join(f'<tie type="{x}"/>' for x in extra)
    chosen = (
        f"<duration>{4 * eighths}</duration>{ties}<voice>1</voice><type>eighth</type>"
    )
    return f"<note>{inside}{chosen}</note>"


def measures(*inside: str) -> str:
    return "".join(f'<measure number="{i}">{x}</measure>' for i, x in enumerate(inside))


def musicxml() -> bytes:
    """Returns two parts in 3/4.

    They have a pickup, a tie over a bar line, C flat, a grace note and two tempos.
    """
    one = measures(
        ATTRIBUTES + note("D4", 2),
        note("Cb5", 4) + note("A4", 0, "grace") + note("G4", 2, "start"),
        SLOWER + note("G4", 2, "stop") + note("B#4", 4),
    )
    two = measures(
        ATTRIBUTES + note(None, 2),
        note("G3", 6),
        note("D3", 6),
    )
    return SCORE.format(one, two).encode()


def mxl(score: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles>'
            "</container>",
        )
        archive.writestr("score.xml", score)
    return file.getvalue()


def midi() -> bytes:
    """Returns two instruments, a tempo change, 3/4, and a drum."""
    sequence = NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=3, denominator=4)
    sequence.key_signatures.add(key=NoteSequence.KeySignature.G)
    sequence.tempos.add(qpm=120)
    sequence.tempos.add(qpm=90, time=1.5)
    for index, pitch in enumerate((60, 64, 67, 72)):
        sequence.notes.add(
            pitch=pitch,
            velocity=80,
            start_time=index / 2,
            end_time=index / 2 + 0.5,
            program=4,
        )
        sequence.notes.add(
            pitch=35, velocity=99, start_time=index / 2, end_time=index / 2 + 0.1,
            instrument=9, is_drum=True,
        )  # fmt: skip
    sequence.control_changes.add(control_number=64, control_value=100, time=0.25)
    sequence.total_time = 2
    file = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(sequence).write(file)
    return file.getvalue()
