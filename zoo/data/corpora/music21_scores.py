"""The scores that are installed with music21.

They are located by path, because importing music21 takes seconds.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from zoo.data.corpora.sources import File, Source
from zoo.data.scores.read import SUFFIXES
from zoo.errors import ZooError

MUSIC21_LICENCE = (
    "The encoding has no licence of its own; music21 distributes it by permission of "
    "its encoders and states no further terms (music21 corpus/license.txt). The music "
    "is in the public domain."
)


def _music21() -> Path:
    """Returns the folder of scores of the installed music21."""
    spec = importlib.util.find_spec("music21")
    if spec is None or spec.origin is None:
        raise ZooError(
            "This corpus needs music21, which is not installed: pip install music21."
        )
    folder = Path(spec.origin).parent / "corpus"
    if not folder.is_dir():
        raise ZooError(
            f"The installed music21 lacks its scores ({folder} is missing): "
            "pip install --force-reinstall music21."
        )
    return folder


def _book(
    folder: str,
    pattern: str,
    style: Callable[[Path], str],
    *,
    citation: str,
    licence: str,
    voices: int | None = None,
    notice: str = "",
) -> Source:
    """Lists the files of one folder of music21's corpus."""
    paths = sorted(
        path for path in (_music21() / folder).glob(pattern) if path.suffix in SUFFIXES
    )
    if not paths:
        raise ZooError(
            f"The installed music21 has no scores in corpus/{folder}: "
            "pip install --force-reinstall music21."
        )
    files = tuple(
        File(path, path.name, style(path), size=path.stat().st_size) for path in paths
    )
    return Source(
        folder,
        files,
        citation=citation,
        licence=licence,
        voices=voices,
        notice=notice,
    )


def tunes() -> list[Source]:
    """Dance tunes and airs from three printed collections, about 4,200."""
    return [
        _book(
            "oneills1850",
            "*.abc",
            lambda _: "irish",
            citation="Francis O'Neill, Music of Ireland: Eighteen Hundred and Fifty "
            "Melodies (Chicago, 1903), transcribed to ABC by the volunteers whom the "
            "tunes' Z: fields name.",
            licence=MUSIC21_LICENCE,
        ),
        _book(
            "ryansMammoth",
            "*.abc",
            lambda _: "new_england",
            citation="William Bradbury Ryan, Mammoth Collection (Boston: Elias Howe, "
            "1883), reprinted as Cole's One Thousand Fiddle Tunes, contributed in ABC "
            "by Ray Davies, John Walsh, Bob Puckette, John Chambers and others whom "
            "the tunes' Z: fields name.",
            licence=MUSIC21_LICENCE,
        ),
        _book(
            "airdsAirs",
            "*.abc",
            lambda _: "scottish",
            citation="James Aird, A Selection of Scotch, English, Irish and Foreign "
            "Airs, six volumes (Glasgow, 1778-1801), transcribed to ABC by Jack "
            "Campin, www.campin.me.uk, 2003-9.",
            licence=MUSIC21_LICENCE,
        ),
    ]


ESSEN_STYLES = {
    "han": "chinese",
    "irl": "irish",
    "lot": "lorraine",  # Lothringen
    "lux": "luxembourg",
    "folkHaydn": "scottish",  # songs that Haydn arranged for publishers in Edinburgh
}
ESSEN_TEST_PREFIX = "t"  # test0, test1, testd, teste: the encoders' tests, not music


def essen() -> list[Source]:
    """Folk songs of the Essen collection, about 8,500, mostly German."""

    def style(path: Path) -> str:
        return next(
            (s for stem, s in ESSEN_STYLES.items() if path.stem.startswith(stem)),
            "german",
        )

    return [
        _book(
            "essenFolksong",
            f"[!{ESSEN_TEST_PREFIX}]*.abc",
            style,
            citation="The Essen Folksong Collection (www.esac-data.org), encoded under "
            "Helmut Schaffrath and continued by Ewa Dahlig-Turek; ABC by Seymour "
            "Shlien.",
            licence="Non-commercial use only: the legal status is unclear, because "
            "many people encoded it, and Ewa Dahlig-Turek permits non-commercial "
            "distribution and use (music21 corpus/essenFolksong/license.txt).",
            notice="The Essen folk songs are for non-commercial use only; treat models "
            "that are trained on them likewise.",
        )
    ]


def chorales() -> list[Source]:
    """Four-voice chorales of J. S. Bach, about 365."""
    return [
        _book(
            "bach",
            "bwv*.*",
            lambda _: "bach",
            citation="J. S. Bach's four-part chorales, encoded by Margaret Greentree "
            "(jsbchorales.net), as MusicXML in music21.",
            licence="The scores are marked (c) 2004 Margaret Greentree, used by "
            "permission, and have no licence; music21 distributes them by that "
            "permission (music21 corpus/license.txt). The music is in the public "
            "domain.",
            voices=4,
        )
    ]
