"""Metres: barlines agree with time signatures, and the normal form is idempotent."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.data.codecs.metre import Span, bar_steps, metre_spans, time_signatures
from zoo.data.proto import Metre
from zoo.data.refusal import Refused

KNOWN = ((2, 4), (3, 4), (4, 4), (6, 4), (3, 8), (6, 8), (9, 8))


def barlines(spans, end):
    """Returns the first step of each bar."""
    lines = []
    for span, stop in zip(spans, [x.start for x in spans[1:]] + [end], strict=True):
        lines += range(span.start, stop, bar_steps(span.metre, 4))
    return lines


def restated(written):
    return [Metre(start / 4, *metre) for start, metre in written]


@st.composite
def layouts(draw, metres=KNOWN):
    """Spans of whole bars and of cut ones."""
    start, spans = 0, []
    for metre in draw(st.lists(st.sampled_from(metres), min_size=1, max_size=6)):
        spans.append(Span(start, metre))
        bar = max(1, 16 * metre[0] // metre[1])
        start += bar * draw(st.integers(0, 3)) + draw(
            st.sampled_from([0, 0, 2, 4, bar // 2, bar - 4])
        )
        start = max(start, spans[-1].start + 1)
    return spans, start


@given(layouts())
def test_signatures_put_bars_where_the_spans_have_them(layout):
    spans, end = layout
    assert barlines(time_signatures(spans, end, 4), end) == barlines(spans, end)


@given(layouts((*KNOWN, (1, 4), (1, 8), (1, 2), (7, 16))))
@example(([Span(0, (3, 4)), Span(20, (1, 4)), Span(24, (1, 4)), Span(28, (4, 4))], 60))
@example(([Span(0, (3, 4)), Span(12, (2, 4)), Span(24, (2, 4))], 25))
def test_the_normal_form_is_a_fixed_point_that_adds_no_barline(layout):
    stated, end = layout
    try:
        once = metre_spans(restated(stated), end, KNOWN, 4)
    except Refused as refused:
        if refused.reason != "metre":
            raise
        return
    assert once[0].start == 0
    assert all(span.metre in KNOWN for span in once)
    assert metre_spans(restated(time_signatures(once, end, 4)), end, KNOWN, 4) == once
    first = next((x.start for x in stated[1:]), end)
    if (
        first % bar_steps(stated[0].metre, 4) == 0
    ):  # or else the piece begins with a pickup
        assert set(barlines(once, end)) <= set(barlines(stated, end))


@pytest.mark.parametrize(
    ("stated", "end", "expected"),
    [
        ([(0, 3, 4)], 120, [(0, (3, 4))]),
        ([(0, 1, 8), (2, 6, 8)], 98, [(0, (6, 8)), (2, (6, 8))]),  # a pickup
        (
            [(0, 4, 4), (36, 3, 4)],
            72,
            [(0, (4, 4)), (4, (4, 4)), (36, (3, 4))],
        ),  # unstated
        (
            [(0, 4, 4), (16, 3, 4), (28, 1, 4), (32, 4, 4)],
            64,
            [(0, (4, 4))],
        ),  # split by a repeat
        ([(0, 4, 4), (32, 3, 4)], 44, [(0, (4, 4))]),  # the last bar is short
        ([(0, 4, 4), (32, 6, 8)], 44, [(0, (4, 4)), (32, (6, 8))]),  # no cut bar of 4/4
        ([(0, 4, 4), (32, 3, 4)], 56, [(0, (4, 4)), (32, (3, 4))]),
        (
            [(0, 4, 4), (32, 3, 4), (44, 4, 4)],
            76,
            [(0, (4, 4)), (44, (4, 4))],
        ),  # a cut bar
        ([(0, 1, 2), (32, 4, 4)], 64, [(0, (2, 4)), (32, (4, 4))]),  # an odd name
        ([(0, 4, 4), (16, 4, 4)], 64, [(0, (4, 4))]),  # stated twice
    ],
)
def test_metres_are_read_as_a_musician_would(stated, end, expected):
    metres = [Metre(start / 4, *fraction) for start, *fraction in stated]
    assert metre_spans(metres, end, KNOWN, 4) == [Span(*x) for x in expected]


@pytest.mark.parametrize("metre", [(5, 8), (1, 64), (2, 16)])
def test_other_metres_are_refused(metre):
    with pytest.raises(Refused) as refused:
        metre_spans([Metre(0, *metre)], 100, KNOWN, 4)
    assert refused.value.reason == "metre"
