"""Engraved scores within a page: compact, with ids of their own."""

import re

from zoo.listen.score.engraver import Engraving

NOTE_ID = re.compile(r' id="(?!note-|[0-9A-F]{4,5}-)[^"]*"')
CLASS = re.compile(r' class="(?!note"|chord"|definition-scale"|tempo")[^"]*"')
EMPTY = re.compile(r"<g(?: transform=\"[^\"]*\")?(?:/>|></g>)")
# where a section begins, which Verovio's style hides
PLACEHOLDER = re.compile(r'<g[^>]* class="[^"]*placeholder[^>]*><ellipse[^>]*/></g>')
SCALED = re.compile(r"translate\((-?\d+), (-?\d+)\) scale\(0?(\.\d+|1), [\d.]+\)")


def inline(engraving: Engraving, prefix: str) -> str:
    """Returns the SVG of a score to be part of a page.

    Styles are left to the page. Of the ids, those of chords and of symbols remain, with
    `prefix`, because ids are unique in a page.
    """
    svg = engraving.svg[engraving.svg.index("<svg") :]
    svg = re.sub(r"<(desc|style)[^>]*>.*?</\1>", "", svg, flags=re.S)
    svg = CLASS.sub("", NOTE_ID.sub("", PLACEHOLDER.sub("", svg)))
    svg = SCALED.sub(r"translate(\1 \2)scale(\3)", svg)
    while True:  # groups that become empty once others are left out
        shorter = EMPTY.sub("", svg)
        if shorter == svg:
            break
        svg = shorter
    svg = re.sub(r' color="black"| font-family="[^"]*"| overflow="visible"', "", svg)
    svg = re.sub(r"<g>(<(?:use|path)[^<>]*/>)</g>", r"\1", svg)
    svg = svg.replace(' stroke-width="13"', "")  # of staff lines; the page states it
    svg = re.sub(r'(id="|href="#)([^"]*?)(-[a-z]\w*)?"', rf'\1{prefix}\2"', svg)
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1)
