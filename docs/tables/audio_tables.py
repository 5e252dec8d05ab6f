"""Tables of audio: reconstructions compared with Griffin & Lim's."""

from cells import means, result

from zoo.errors import markdown

DISTANCES = ("distance", "log_mel", "cents")
NOTES, MUSIC = "all notes", "chorales, synthesised"
VARIANTS = {  # experiment: what distinguishes it from vocoder_notes
    "vocoder_refined": "after training against a critic",
    "vocoder_mel": "from a mel spectrum",
}


def reconstructions() -> str:
    """Returns the table of test notes by instrument family, and of music."""
    metrics = means("vocoder_notes")
    families = sorted(
        key.removeprefix("log_mel_") for key in metrics if key.startswith("log_mel_")
    )
    rows = [note_row(metrics, NOTES)]
    rows += [note_row(metrics, family, f"_{family}") for family in families]
    rows.append(music_row(metrics, MUSIC))
    for name, variant in VARIANTS.items():
        rows.append(note_row(means(name), f"{NOTES}, {variant}"))
        rows.append(music_row(means(name), f"{MUSIC}, {variant}"))
    head = ["vocoder / Griffin & Lim", "spectral distance", "log-mel, nats"]
    head += ["pitch error, cents", "classified right: vocoder / G. & L. / original"]
    return markdown(head, rows)


def note_row(metrics: dict[str, float], label: str, suffix: str = "") -> list[str]:
    """Returns the row of notes, from the metrics whose names end in `suffix`."""
    cells = [
        pair(metrics, f"{name}{suffix}", f"griffin_lim_{name}{suffix}")
        for name in DISTANCES
    ]
    shares = [
        f"{metrics[f'{prefix}named{suffix}']:.2f}"
        for prefix in ("", "griffin_lim_", "original_")
    ]
    return [label, *cells, " / ".join(shares)]


def music_row(metrics: dict[str, float], label: str) -> list[str]:
    """Returns the row of music, for which pitch and instrument are undefined."""
    cells = [
        pair(metrics, f"music_{name}", f"music_griffin_lim_{name}")
        for name in DISTANCES[:2]
    ]
    return [label, *cells, "-", "-"]


def pair(metrics: dict[str, float], ours: str, baseline: str) -> str:
    """Formats two metrics side by side."""
    return f"{metrics[ours]:.2f} / {metrics[baseline]:.2f}" if ours in metrics else "-"


def vocoder_rate() -> str:
    """Returns the rate of the vocoder's latents."""
    return f"{means('vocoder_notes')['test_reconstruct_rate']:,.0f} nats a second"


def vocoder_time() -> str:
    """Returns the training time and the device of the vocoder."""
    published = result("vocoder_notes")
    return f"{max(published['seconds']) / 60:.0f} minutes on {published['device']}"


def vocoder_classified() -> str:
    """Returns the classifier's accuracy on reconstructions relative to originals."""
    metrics = means("vocoder_notes")
    return f"{100 * metrics['named'] / metrics['original_named']:.0f} %"
