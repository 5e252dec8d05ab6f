"""Tunes to a text, by a model of melodies sampled under the rhythm of the words.

The metre, the bars of each line, and where syllables may begin are the grammar that the
model is sampled under (`zoo.data.codecs.text_setting`). Of several candidates those are
kept that the model holds likely and that have stressed syllables on strong beats.
"""

import dataclasses

import numpy as np
from scipy import stats

from zoo.data.codecs.melody import Melody
from zoo.data.codecs.names import require_one_of
from zoo.data.codecs.text_setting import TextSetting, fitted
from zoo.data.lyrics import write_lyrics
from zoo.data.refusal import Refused
from zoo.data.text.lines import sung_lines
from zoo.data.text.reading import ENGINES
from zoo.data.text.syllables import SpokenSyllable
from zoo.errors import UsageError, require
from zoo.inference.continuation import Samples
from zoo.inference.model import Model
from zoo.inference.sampler import Request, Sampler
from zoo.inference.shipped import require_able
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Count, Pieces, Pitch, Seed, Tempo, checked

Text = tuple[tuple[SpokenSyllable, ...], ...]  # lines of syllables

COMPASS = (59, 76)  # B3 to E5, which most voices sing in some octave
BEAT_SYLLABLES = 1.25  # in a line in which most notes last a beat
COMPOUND = 1.6  # as many, where a beat is a dotted quarter
LINE_BARS = (1, 2, 4, 8)
CANDIDATES = 16
TEMPO = 100.0  # quarters per minute


@checked
def compose(
    model: Model,
    text: str,
    n: Pieces = 1,
    seed: Seed = 0,
    *,
    metre: str = "4/4",
    tempo: Tempo = TEMPO,
    compass: tuple[Pitch, Pitch] = COMPASS,
    candidates: Count = CANDIDATES,
    draw: Draw = Draw(),
    engine: str = ENGINES[0],
) -> Samples:
    """Composes tunes to a text, with one note for each syllable.

    Args:
      model: a model of melodies that writes one event at a time.
      text: the words; a line of it takes a number of full bars.
      n: number of tunes.
      seed: seed of the sampling.
      metre: the metre, one of those of the model's codec.
      tempo: quarters per minute.
      compass: the lowest and the highest pitch.
      candidates: tunes to draw for each one that is kept.
      draw: how tokens are sampled from their distribution.
      engine: what pronounces the words, "cmudict" or "espeak".

    Raises:
      UsageError: the text cannot be read or has too many syllables in a line, or the
        model cannot compose to words.
      ZooError: the dictionary is not installed.

    Returns:
      The tunes with their lyrics, the best first, and as `remarks` the words whose
      pronunciation was guessed.
    """
    require_able(
        "compose" in model.verbs,
        f"{model.title} does not write melodies note by note and composes to no words",
        "compose",
    )
    try:
        lines, remarks = sung_lines(text, engine)
        setting = fitted(setting_of(model.codec, lines, metre=metre, compass=compass))
    except Refused as refused:
        raise UsageError(f"the text cannot be sung: {refused.detail}") from refused
    sampler = dataclasses.replace(model.sampler, codec=setting)
    request = Request(length=setting.events, draw=draw)
    rows = sampler.draw(n * candidates, seed, request)
    best = rows[ranking(sampler, setting, rows)[:n]]
    tunes = [setting.decode(row, qpm=tempo) for row in best]
    syllables = [syllable.lyric for line in lines for syllable in line]
    for tune in tunes:
        write_lyrics(tune, syllables)
    return Samples(tunes, remarks=remarks)


def setting_of(
    codec: Melody, lines: Text, *, metre: str, compass: tuple[int, int]
) -> TextSetting:
    """Returns the settings of a text in as few bars to a line as most notes need.

    Raises:
      UsageError: the codec has no such metre, or no such pitches.
    """
    require_one_of(metre, codec.metres, "metre")
    low, high = max(codec.low, compass[0]), min(codec.high, compass[1])
    require(
        low < high,
        f"`compass` is {compass}, and the model writes pitches from {codec.low} to "
        f"{codec.high}: choose a lowest and a highest of these.",
    )
    fields = {
        field.name: getattr(codec, field.name) for field in dataclasses.fields(codec)
    }
    stresses = tuple(tuple(x.stress > 0 for x in line) for line in lines)
    setting = TextSetting(
        **{**fields, "bars": None},
        lines=stresses,
        metre=metre,
        compass=(low, high),
    )
    syllables = max(map(len, lines))
    a_bar = BEAT_SYLLABLES * setting.bar / setting.pulse
    a_bar *= COMPOUND if setting.pulse % 3 == 0 else 1
    enough = (bars for bars in LINE_BARS if bars * a_bar >= syllables)
    return dataclasses.replace(setting, line_bars=next(enough, LINE_BARS[-1]))


def ranking(sampler: Sampler, setting: TextSetting, rows: np.ndarray) -> np.ndarray:
    """Returns the indices of rows [n, t], the best first.

    Rows are ranked by their likelihood, and by the covariance of the stress and the
    accent of their syllables. The sum of both ranks counts.
    """
    stressed = np.array([x for line in setting.lines for x in line])
    accents = np.stack([setting.accent(setting.onset_steps(row)) for row in rows])
    agreement = accents @ (stressed - stressed.mean())  # 0 if all are stressed
    ranks = stats.rankdata(-sampler.rates(rows)) + stats.rankdata(-agreement)
    return np.argsort(ranks, kind="stable")
