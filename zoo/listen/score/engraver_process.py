"""The process that engraves: it reads MEI from standard input, and writes SVG and PNG.

It imports nothing of this package, so that it starts quickly. The request is JSON with
"mei", "width", whether a "png" is needed, and the "font" of texts with its files
"fonts". The answer has "svg" and "png" in base 64, or "error".
"""

import base64
import json
import re
import sys

MEMORY = 2 << 30  # bytes of address space, beyond that of the libraries
MAX_HEIGHT = 60_000  # of a page, in tenths of a millimetre
ZOOM = 1.5  # pixels of the PNG, for one of the SVG
MAX_PIXELS = 12_000  # height of the PNG, so that it can be opened
OPTIONS = {
    "adjustPageHeight": True,
    "breaks": "auto",
    "footer": "none",
    "lyricWordSpace": 3.6,  # fonts of texts are wider than that of Verovio
    "pageHeight": MAX_HEIGHT,
    "pageMarginBottom": 60,
    "pageMarginLeft": 60,
    "pageMarginRight": 60,
    "pageMarginTop": 60,
    "scale": 40,
    "spacingStaff": 10,
    "svgFormatRaw": True,
    "svgRemoveXlink": True,
    "svgViewBox": True,
    "xmlIdSeed": 1,
}


def engrave(request: dict) -> dict:
    """Returns the answer to a request."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    header = "auto" if "<title>" in request["mei"] else "none"
    toolkit.setOptions(OPTIONS | {"pageWidth": request["width"], "header": header})
    if not toolkit.loadData(request["mei"]):
        return {"error": "Verovio cannot read its MEI"}
    svg = toolkit.renderToSVG(1)
    return {"svg": svg} | ({"png": picture(svg, request)} if request["png"] else {})


def picture(svg: str, request: dict) -> str:
    """Returns the PNG of an SVG, in base 64."""
    import resvg_py

    box = re.search(r'viewBox="0 0 \d+ (\d+)"', svg)
    height = int(box[1]) if box else MAX_PIXELS
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        background="white",
        zoom=min(ZOOM, MAX_PIXELS / height),
        font_files=request["fonts"],
        skip_system_fonts=True,
        serif_family=request["font"],
        font_family=request["font"],
    )
    return base64.b64encode(bytes(png)).decode()


def limit_memory() -> None:
    """Limits the address space, on systems that can."""
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    except (ImportError, ValueError, OSError):
        return


def main() -> None:
    """Answers the request on standard input, on standard output."""
    limit_memory()
    request = json.loads(sys.stdin.buffer.read())
    try:
        answer = engrave(request)
    except Exception as error:  # the other process says so
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
