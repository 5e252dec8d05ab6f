"""The page in headless Chromium: playback, mouse, keyboard, and no network access."""

import os
import pathlib
import shutil

import pytest
from pieces import line, piece

from zoo.listen.page import Section, Track, write_page
from zoo.listen.score.engraver import engrave
from zoo.soundfont.score import TAIL

sync_api = pytest.importorskip(
    "playwright.sync_api",
    reason="no Playwright: install the extra `dev` to test the page",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("ZOO_CHROMIUM") or next(
    filter(None, map(shutil.which, NAMES)), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium to test the listening page: apt-get install -y chromium, "
    "or set ZOO_CHROMIUM to its path",
)
SECONDS = 6.0
MARKUP = '</script><b>A "tune"</b>'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    tune = line([60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65])
    duet = piece(
        (0, 6, 48), instrument=1, program=40, into=line([72, 74, 76], seconds=2.0)
    )
    tunes = [
        Track(MARKUP, tune, caption="6/8, sampled at temperature 1"),
        Track("Two", tune, score=engrave(tune, png=False)),
    ]
    write_page(
        [Section("Tunes", tunes), Section("Real", [Track("Duet", duet)], real=True)],
        path,
        title="Tunes with averyveryverylongwordthatnophonecanshowononeline",
        intro="Listen.",
    )
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A page of two models and real music, which can be listened to blind."""
    path = tmp_path_factory.mktemp("gallery") / "index.html"
    pieces = {"One": 60, "Two": 64, "Real music": 67}
    write_page(
        [
            Section(
                name,
                [Track(f"{name} {i}", line([pitch, pitch + i])) for i in (1, 2)],
                real=name == "Real music",
            )
            for name, pitch in pieces.items()
        ],
        path,
        title="Three",
        intro="Listen.",
        blind=True,
    )
    return path.as_uri()


@pytest.fixture
def opened(browser, address, request):
    """Opens the page; checks at the end that nothing was fetched or logged."""
    yield from visit(browser, address, request)


@pytest.fixture
def blind(browser, gallery, request):
    """Opens the page of several models, as `opened` does."""
    yield from visit(browser, gallery, request)


def visit(browser, address, request):
    context = browser.new_context(**getattr(request, "param", {}))
    tab = context.new_page()
    messages, fetched = [], []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("request", lambda request: fetched.append(request.url))
    tab.goto(address)
    yield tab
    context.close()
    assert messages == []
    assert [url for url in fetched if not url.startswith(("data:", "blob:"))] == [
        address
    ]


def seconds(tab, track=0):
    return tab.evaluate(f"document.querySelectorAll('audio')[{track}].currentTime")


def cursor(tab, track=0):
    """Returns the position of the cursor, from 0 (left) to 1 (right)."""
    return tab.evaluate(
        """track => {
            const find = (name) => document.querySelectorAll(name)[track];
            const box = find('.notes').getBoundingClientRect();
            const line = find('.cursor').getBoundingClientRect();
            return (line.left - box.left - 1) / (box.width - 1);
        }""",
        track,
    )


def wait_until(tab, track, time):
    # a function, because the policy of the page forbids evaluating strings
    tab.wait_for_function(
        "([track, time]) => "
        "document.querySelectorAll('audio')[track].currentTime > time",
        arg=[track, time],
    )


def is_playing(tab, track=0):
    return not tab.evaluate(f"document.querySelectorAll('audio')[{track}].paused")


def test_the_cursor_follows_playback(opened):
    opened.get_by_role("button", name="Play Two").click()
    wait_until(opened, 1, 0.6)
    early = cursor(opened, 1)
    assert opened.locator(".track").nth(1).locator("rect.on").count() == 1
    wait_until(opened, 1, 1.6)
    assert cursor(opened, 1) > early + 0.1
    opened.get_by_role("button", name="Pause Two").click()
    assert not is_playing(opened, 1)
    assert cursor(opened, 1) == pytest.approx(seconds(opened, 1) / SECONDS, abs=0.01)
    length = opened.evaluate("document.querySelectorAll('audio')[1].duration")
    assert length == pytest.approx(SECONDS + TAIL, abs=0.15)


def test_the_note_that_sounds_is_lit_up_in_the_score(opened):
    score = opened.locator(".score")
    assert score.locator(".on").count() == 0
    opened.get_by_role("button", name="Play Two").click()
    for beat in (0, 2):
        wait_until(opened, 1, 0.5 * beat + 0.1)
        opened.get_by_role("button", name="Pause Two").click()
        opened.get_by_role("button", name="Play Two").click()
        lit = score.locator(".on").first.get_attribute("id")
        assert lit == f"track-2-note-{int(seconds(opened, 1) / 0.5) + 1}"
    colours = [
        opened.evaluate(f"getComputedStyle(document.querySelector('{x}')).color")
        for x in (".score .on", ".score .note:not(.on)")
    ]
    assert colours[0] != colours[1]
    opened.get_by_role("button", name="Pause Two").click()
    opened.wait_for_function("() => !document.querySelector('.score .on')")


def test_a_click_on_a_note_seeks(opened):
    opened.locator("#track-2-note-5 use").first.click()
    assert seconds(opened, 1) == pytest.approx(2.0, abs=0.01)


def test_the_audio_is_not_silent(opened):
    """The decoded audio is not silent."""
    loudest = opened.evaluate(
        """async () => {
            const source = document.querySelector('audio').src.split(',')[1];
            const bytes = Uint8Array.from(atob(source), c => c.charCodeAt(0));
            const context = new OfflineAudioContext(2, 1, 32000);
            const audio = await context.decodeAudioData(bytes.buffer);
            const left = audio.getChannelData(0);
            return left.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        }"""
    )
    assert 0.1 < loudest < 1.1


def test_one_plays_at_a_time(opened):
    for track in (0, 2):
        opened.locator(".play").nth(track).click()
        wait_until(opened, track, 0.1)
    assert [is_playing(opened, track) for track in range(3)] == [False, False, True]


def test_playback_stops_at_the_end(opened):
    opened.locator(".roll").first.focus()
    opened.keyboard.press("End")
    opened.keyboard.press("Space")
    opened.wait_for_function("() => document.querySelector('audio').currentTime === 0")
    opened.wait_for_function("() => !document.querySelector('.playing')")
    assert cursor(opened) == pytest.approx(0, abs=0.01)


def test_a_click_seeks(opened):
    box = opened.locator(".notes").first.bounding_box()
    opened.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
    assert seconds(opened) == pytest.approx(SECONDS / 2, abs=0.05)
    assert cursor(opened) == pytest.approx(0.5, abs=0.01)
    opened.locator(".play").first.click()
    wait_until(opened, 0, SECONDS / 2 + 0.3)


def test_keyboard_control(opened):
    opened.keyboard.press("Tab")
    focused = "document.activeElement"
    assert opened.evaluate(f"{focused}.className") == "play"
    assert opened.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"
    opened.keyboard.press("Enter")
    wait_until(opened, 0, 0.2)
    opened.keyboard.press("Space")
    assert not is_playing(opened)
    opened.keyboard.press("Tab")
    assert opened.evaluate(f"{focused}.download").endswith(".mid")
    opened.keyboard.press("Tab")
    assert opened.evaluate(f"{focused}.getAttribute('role')") == "slider"
    opened.keyboard.press("Home")
    assert seconds(opened) == 0
    for key, expected in [("ArrowRight", 1), ("Shift+ArrowRight", 6), ("ArrowLeft", 5)]:
        opened.keyboard.press(key)
        assert seconds(opened) == pytest.approx(expected, abs=0.01)
    assert (
        opened.evaluate(f"{focused}.getAttribute('aria-valuetext')") == "0:05 of 0:06"
    )
    assert float(opened.evaluate(f"{focused}.getAttribute('aria-valuenow')")) == 5
    opened.keyboard.press("Space")
    assert is_playing(opened)


def test_midi_can_be_downloaded(opened):
    with opened.expect_download() as download:
        opened.get_by_role("link", name="Download Two as MIDI").click()
    assert download.value.suggested_filename == "Two.mid"
    assert pathlib.Path(download.value.path()).read_bytes()[:4] == b"MThd"


def test_names_are_escaped(opened):
    assert opened.locator("h3").first.inner_text() == MARKUP
    assert opened.locator("b").count() == 0


PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.mark.parametrize(
    "opened",
    [
        PHONE,
        PHONE | {"color_scheme": "dark"},
        {"viewport": {"width": 1280, "height": 800}},
    ],
    indirect=True,
)
def test_the_layout_fits_the_screen(opened):
    width = opened.viewport_size["width"]
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    for box in (
        item.bounding_box() for item in opened.locator(".play, .midi, .roll").all()
    ):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 26  # large enough to touch
    real, samples = (
        opened.locator(f".{name}").bounding_box() for name in ("real", "samples")
    )
    assert (real["y"] == samples["y"]) == (width > 1000)  # side by side on wide screens


@pytest.mark.parametrize(
    "opened", [{"color_scheme": s} for s in ("light", "dark")], indirect=True
)
def test_text_has_enough_contrast(opened):
    """The contrast is at least 4.5 to 1 (WCAG AA)."""

    def luminance(colour):
        parts = [int(x) / 255 for x in colour[4:-1].split(",")]
        linear = [
            x / 12.92 if x <= 0.04 else ((x + 0.055) / 1.055) ** 2.4 for x in parts
        ]
        return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(*colours):
        dark, light = sorted(map(luminance, colours))
        return (light + 0.05) / (dark + 0.05)

    def style(selector, name):
        return opened.evaluate(
            f"getComputedStyle(document.querySelector('{selector}')).{name}"
        )

    card = style(".track", "backgroundColor")
    for selector in ("h3", ".name p", ".time", ".midi", ".real .midi"):
        assert contrast(style(selector, "color"), card) > 4.5
    assert contrast(style(".intro", "color"), style("body", "backgroundColor")) > 4.5
    assert contrast(style(".play", "color"), style(".play", "backgroundColor")) > 3


def test_blind_listening_counts_the_guesses(blind):
    """Guesses by the origin that each answer reveals, and compares the count."""
    assert blind.locator("section").count() == 3
    blind.get_by_role("button", name="Listen blind").click()
    tracks = blind.locator(".shuffled .track")
    assert tracks.count() == 4  # both real pieces, and as many written ones
    text = blind.locator(".shuffled").inner_text()
    assert not any(name in text for name in ("One", "Two", "Real music"))
    assert blind.locator(".shuffled .midi:visible").count() == 0
    assert blind.locator("section:not(.shuffled):visible").count() == 0
    labels = [
        x.get_attribute("aria-label") for x in blind.locator(".unknown .roll").all()
    ]
    assert labels == [f"Position in piece {i}" for i in range(1, 5)]
    right = 0
    for number in range(1, 5):
        blind.get_by_role("button", name=f"Piece {number} is real").click()
        answer = tracks.nth(number - 1).locator(".guess").inner_text()
        assert answer.startswith("Right") == ("Real music" in answer)
        right += answer.startswith("Right")
    assert right == 2
    assert "2 of 4 right; 0 to go" in blind.locator(".result").inner_text()
    blind.get_by_role("button", name="Play Piece 1").click()
    blind.get_by_role("button", name="Show all pieces").click()
    assert blind.locator(".shuffled, .guess").count() == 0
    names = [x.inner_text() for x in blind.locator("h3").all()]
    assert names == [f"{x} {i}" for x in ("One", "Two", "Real music") for i in (1, 2)]
    assert blind.evaluate(
        "[...document.querySelectorAll('audio')].every(x => x.paused)"
    )


def test_pieces_are_shuffled_differently(blind):
    """Of ten shuffles of four pieces of six, not all are equal."""
    orders = set()
    for _ in range(10):
        blind.locator(".blind .begin").click()
        orders.add(
            blind.evaluate(
                "[...document.querySelectorAll('.shuffled h3')].map(x => x.id)+''"
            )
        )
    assert len(orders) > 1
    blind.get_by_role("button", name="Show all pieces").click()
    assert blind.locator("section").count() == 3


@pytest.mark.parametrize(
    "blind", [PHONE, {"viewport": {"width": 1280, "height": 800}}], indirect=True
)
def test_several_columns_fit_the_screen(blind):
    width = blind.viewport_size["width"]
    assert blind.evaluate("document.documentElement.scrollWidth") <= width
    blind.locator(".blind .begin").click()
    assert blind.evaluate("document.documentElement.scrollWidth") <= width
    for button in blind.locator(".guess button, .blind button:visible").all():
        assert button.bounding_box()["height"] >= 26
