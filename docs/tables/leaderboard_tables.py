"""Tables of the leaderboards, one for each arena."""

from cells import result

from zoo.evaluation.leaderboard import Entry
from zoo.evaluation.leaderboard_table import page


def leaderboard(arena: str) -> str:
    """Returns all tables of the leaderboard of an arena."""
    published = result(f"leaderboard_{arena}")
    return page([Entry.from_plain(fields) for fields in published["entries"]])
