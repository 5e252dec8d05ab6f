"""The table of shipped models, and their cards."""

from pathlib import Path

from cells import ROOT

from zoo.inference.shipped import HEAD, shipped
from zoo.runner.card import card_page, table

CARDS = ROOT / "docs" / "models" / "cards"


def models() -> str:
    """Returns the table of shipped models, each with a link to its card."""
    rows = [[f"[{x.name}]({x.name}.md)", *x.cells[1:]] for x in shipped()]
    return table(list(HEAD), rows)


def cards() -> dict[Path, str]:
    """Returns the text of each shipped model's card, by the path of its page."""
    return {CARDS / f"{entry.name}.md": card_page(entry) for entry in shipped()}
