"""Writes generated tables and numbers into the README and the pages of docs/.

python docs/tables/write.py

A table stands between `<!-- name -->` and `<!-- end -->`, on lines of its own; a
number likewise, within a line. All come from the files in experiments/results.
"""

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path

import audio_tables
import game_tables
import latent_tables
import sequence_tables
import speed_tables
import summary_tables
from cells import ROOT

TABLES: dict[str, Callable[[], str]] = {
    "summary": summary_tables.summary,
    "likelihood": sequence_tables.likelihood,
    "polyphonic": sequence_tables.polyphonic,
    "variational": latent_tables.variational,
    "rate": latent_tables.rate,
    "pieces": latent_tables.pieces,
    "attributes": latent_tables.attributes,
    "transfer": latent_tables.transfer,
    "oracle": game_tables.oracle,
    "rows": game_tables.rows,
    "rolls": game_tables.rolls,
    "pairings": game_tables.pairings,
    "sounds": audio_tables.sounds,
    "speed": speed_tables.speed,
    "audio speed": speed_tables.audio_speed,
    **{
        f"figures of {page}": functools.partial(summary_tables.figures_of, page)
        for page in summary_tables.FIGURES
    },
}
NUMBERS: dict[str, Callable[[], str]] = {
    "minutes of music": speed_tables.minutes_of_music,
    "machine": speed_tables.machine,
    "framewise": sequence_tables.framewise,
    "nottingham reconstruction": latent_tables.nottingham_reconstruction,
    "cost deviation": latent_tables.cost_deviation,
    "cost deviation, best of 16": latent_tables.cost_deviation_best,
    "classifier recall": latent_tables.classifier_recall,
    "critic, trained on": game_tables.critic_trained,
    "critic, new": game_tables.critic_new,
    "critic, correlation": game_tables.critic_correlation,
    "mode, real": game_tables.mode_real,
    "mode, generated": game_tables.mode_generated,
    "mode, best of 16": game_tables.mode_best,
    "tonal distance, own": game_tables.tonal_own,
    "tonal distance, shuffled": game_tables.tonal_shuffled,
    "vocoder rate": audio_tables.vocoder_rate,
    "vocoder time": audio_tables.vocoder_time,
    "vocoder named": audio_tables.vocoder_named,
}
BLOCK = re.compile(r"<!-- ([^>]*?) -->.*?<!-- end -->", re.DOTALL)


def pages() -> list[Path]:
    """Returns the files that may hold generated blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def written(text: str) -> str:
    """Returns `text` with every generated block as the results have it.

    Raises:
      KeyError: a block has a name that no function here makes.
    """
    return BLOCK.sub(lambda match: block(match[1]), text)


def block(name: str) -> str:
    """Returns the block `name` between its two marks."""
    if name in TABLES:
        return f"<!-- {name} -->\n\n{TABLES[name]()}\n\n<!-- end -->"
    return f"<!-- {name} -->{NUMBERS[name]()}<!-- end -->"


def main() -> None:
    """Rewrites every page whose blocks are out of date, and names it."""
    for path in pages():
        before = path.read_text()
        after = written(before)
        if after != before:
            path.write_text(after)
            print(f"rewrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
