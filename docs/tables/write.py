"""Writes generated tables and numbers into the README and the pages of docs/.

PYTHONPATH=benchmarks python docs/tables/write.py

A generated block stands between `<!-- name -->` and `<!-- end -->`: a table on lines of
its own, a number within a line. Values are from the files in experiments/results. Cards
of shipped models are generated as a whole, from the records in their files.
"""

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path

import audio_tables
import game_tables
import latent_tables
import leaderboard_tables
import sequence_tables
import speed_tables
import summary_tables
import weight_tables
from cells import ROOT

TABLES: dict[str, Callable[[], str]] = {
    "summary": summary_tables.summary,
    "likelihood": sequence_tables.likelihood,
    "polyphonic": sequence_tables.polyphonic,
    "variational": latent_tables.autoencoders,
    "rate": latent_tables.rate_by_beta,
    "priors": latent_tables.priors,
    "pieces": latent_tables.latent_sequences,
    "attributes": latent_tables.attribute_steering,
    "transfer": latent_tables.style_transfer,
    "oracle": game_tables.oracle,
    "rows": game_tables.note_rows,
    "rolls": game_tables.piano_rolls,
    "pairings": game_tables.game_losses,
    "sounds": audio_tables.reconstructions,
    "speed": speed_tables.speed,
    "audio speed": speed_tables.audio_speed,
    "shipped models": weight_tables.models,
    **{
        f"leaderboard of {arena}": functools.partial(
            leaderboard_tables.leaderboard, arena
        )
        for arena in ("tunes", "chorales")
    },
    **{
        f"figures of {page}": functools.partial(summary_tables.figures_of, page)
        for page in summary_tables.FIGURES
    },
}
NUMBERS: dict[str, Callable[[], str]] = {
    "minutes of music": speed_tables.minutes_of_music,
    "machine": speed_tables.device,
    "framewise": sequence_tables.framewise,
    "nottingham reconstruction": latent_tables.nottingham_reconstruction,
    "inverted": latent_tables.inverted,
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
    "vocoder named": audio_tables.vocoder_classified,
}
BLOCK = re.compile(r"<!-- ([^>]*?) -->.*?<!-- end -->", re.DOTALL)


def pages() -> list[Path]:
    """Returns the files that may contain generated blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rewrite(text: str) -> str:
    """Returns `text` with all generated blocks up to date.

    Raises:
      KeyError: a block has an unknown name.
    """
    return BLOCK.sub(lambda match: block(match[1]), text)


def block(name: str) -> str:
    """Returns the block `name`, with its two marks."""
    if name in TABLES:
        return f"<!-- {name} -->\n\n{TABLES[name]()}\n\n<!-- end -->"
    return f"<!-- {name} -->{NUMBERS[name]()}<!-- end -->"


def main() -> None:
    """Rewrites pages that are out of date, and prints their names."""
    cards = weight_tables.cards()
    for path in {*pages(), *cards}:
        before = path.read_text() if path.exists() else ""
        after = cards.get(path) or rewrite(before)
        if after != before:
            path.write_text(after)
            print(f"rewrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
