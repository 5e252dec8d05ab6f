"""Reports: addition, printing, JSON and errors."""

import io

import pytest
import tunes
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from zoo.data.corpora.records import Record
from zoo.data.corpora.report import Report
from zoo.data.refusal import Refused
from zoo.errors import ZooError

EVENTS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["kept", "empty", "too-long"]),
        st.integers(40, 80),
    ),
    max_size=8,
)


def made_of(events) -> Report:
    report = Report(spec="some")
    for source, fate, pitch in events:
        if fate == "kept":
            sequence = tunes.sequence([(pitch, 0.1), (pitch + 1, 0.2)])
            sequence.time_signatures.add(numerator=3, denominator=4)
            report.keep(
                source, f"style {pitch % 3}", sequence, {"grace-notes": pitch % 2 + 1}
            )
        else:
            report.drop(source, f"{source}/{pitch}", Refused(fate, f"It is {fate}."))
    return report


@settings(max_examples=40, deadline=None)
@given(EVENTS, EVENTS, EVENTS)
def test_addition_is_associative_and_commutative(a, b, c):
    whole = made_of(a + b + c)
    x, y, z = made_of(a), made_of(b), made_of(c)
    assert (x + y) + z == x + (y + z) == z + (y + x) == whole
    assert whole + Report() == whole


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_a_saved_report_is_the_same_report(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("report") / "report.json"
    report = made_of(events)
    report.save(path)
    assert Report.load(path) == report


def test_a_printed_report_has_the_counts():
    report = made_of(
        [("a", "kept", 60), ("a", "kept", 61), ("a", "empty", 62), ("b", "empty", 63)]
    )
    report.milliseconds = 5_400_000
    out = io.StringIO()
    report.print(Console(file=out, width=120))
    for words in (
        "66.7",
        "1.5 hours",
        "60 to 62",
        "3/4 2",
        "empty",
        "a/62: It is empty.",
        "grace",
    ):
        assert words in out.getvalue()


def test_names_and_details_are_text_not_markup():
    report = Report(spec="folder:[red]a[/red]")
    sequence = tunes.sequence([(60, 0.5)])
    report.keep("[b]", "[/i] jigs\x1b[2J", sequence)
    report.drop("[b]", "a[/b].abc", Refused("no-key", "K:[/b] \x1b[31m:bell:."))
    report.licences = {"[b]": "[/x]"}
    out = io.StringIO()
    report.print(Console(file=out, width=120))
    for words in ("[red]a[/red]", "[/i] jigs[2J 1", "K:[/b] [31m:bell:.", "[b]: [/x]"):
        assert words in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert [*report.list_drops()] == [
        "dropped as no-key: a[/b].abc: K:[/b] [31m:bell:."
    ]


def test_every_drop_is_kept():
    report = made_of([("a", "empty", pitch) for pitch in range(40, 60)])
    assert len(report.reasons.pieces["empty"]) == 20
    assert len([*Report.from_json(report.to_json()).list_drops()]) == 20


def test_a_pickup_is_not_a_metre():
    sequence = tunes.sequence([(60, 0.25)] * 25)
    sequence.time_signatures.add(numerator=1, denominator=8)
    sequence.time_signatures.add(time=0.25, numerator=6, denominator=8)
    report = Report()
    report.keep("a", "jig", sequence)
    assert report.metres == {"6/8": 1}


def test_the_error_without_music_names_the_most_frequent_reason():
    report = made_of([("a", "empty", 60), ("a", "too-long", 61), ("b", "too-long", 62)])
    with pytest.raises(
        ZooError, match=r"2 of 3 pieces were dropped as too-long.*It is too-long\."
    ):
        report.require_music()
    with pytest.raises(ZooError, match="contains no music"):
        Report(spec="some").require_music()
    made_of([("a", "kept", 60)]).require_music()


class High:
    """A codec that refuses notes below middle C."""

    def fit(self, sequence):
        if min(note.pitch for note in sequence.notes) < 60:
            raise Refused("too-low", "It goes below middle C.")


def test_refusals_of_a_codec():
    pieces = [
        Record(str(p), "", "", licence="", sequence=tunes.sequence([(p, 1.0)]))
        for p in (50, 55, 70)
    ]
    report = Report(spec="some").with_codec(High(), pieces)
    assert report.refusals["High"].counts == {"too-low": 2}
    assert report.refusals["High"].most_frequent == (
        "too-low",
        2,
        "50: It goes below middle C.",
    )
    out = io.StringIO()
    report.print(Console(file=out, width=120))
    assert "High would refuse" in out.getvalue()
