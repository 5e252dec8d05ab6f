"""Tables of sound: how near what comes back is to what was heard, and how fast it comes."""

from cells import markdown, result

KINDS = ("distance", "log_mel", "cents")
TOGETHER, MUSIC = "all notes", "chorales, as played"
WAYS = {
    "then against a critic": "vocoder_refined",
    "from a mel spectrum": "vocoder_mel",
}


def sounds() -> str:
    """Notes that were not trained on, by family of instruments, and music, beside what Griffin &
    Lim's iteration makes of their true mel spectra; and the same of the vocoder's other ways."""
    figures = means("vocoder_notes")
    labels = sorted(
        k.removeprefix("log_mel_") for k in figures if k.startswith("log_mel_")
    )
    rows = [of_notes(figures, TOGETHER)]
    rows += [of_notes(figures, label, f"_{label}") for label in labels]
    rows.append(of_music(figures, MUSIC))
    for way, name in WAYS.items():
        rows += [
            of_notes(means(name), f"{TOGETHER}, {way}"),
            of_music(means(name), f"{MUSIC}, {way}"),
        ]
    head = ["vocoder / Griffin & Lim", "distance of spectra", "log-mel, nats"]
    return markdown([*head, "cents off", "named right / G. & L. / original"], rows)


def of_notes(figures: dict[str, float], label: str, end: str = "") -> list[str]:
    """The row of those whose figures' names end so."""
    cells = [
        pair(figures, f"{kind}{end}", f"griffin_lim_{kind}{end}") for kind in KINDS
    ]
    named = [figures[f"{tag}named{end}"] for tag in ("", "griffin_lim_", "original_")]
    return [label, *cells, " / ".join(f"{share:.2f}" for share in named)]


def of_music(figures: dict[str, float], label: str) -> list[str]:
    cells = [
        pair(figures, f"music_{kind}", f"music_griffin_lim_{kind}")
        for kind in KINDS[:2]
    ]
    return [label, *cells, "-", "-"]


def pair(figures: dict[str, float], one: str, other: str) -> str:
    return f"{figures[one]:.2f} / {figures[other]:.2f}" if one in figures else "-"


def means(name: str) -> dict[str, float]:
    return {key: one["mean"] for key, one in result(name)["metrics"].items()}


def heard() -> str:
    """What comes back, in a sentence."""
    one = result("vocoder_notes")
    figures = means("vocoder_notes")
    kept = figures["named"] / figures["original_named"]
    rate, minutes = figures["test_reconstruct_rate"], max(one["seconds"]) / 60
    return (
        f"{rate:,.0f} nats a second, {minutes:.0f} minutes on {one['device']}; families are named "
        f"{100 * kept:.0f} % as often as of the originals"
    )


def sound_speed() -> str:
    """The benchmark's rows."""
    rows = []
    for name, row in result("benchmark_sound")["metrics"].items():
        times = f"{1e3 * row['seconds']:,.1f} ms", f"{row['times_real']:,.0f} x"
        ratio = f"{row['peer_ratio']:.2f} x" if row["peer_ratio"] else "-"
        rows.append([name, *times, f"{row['parameters'] / 1e6:.1f} M", ratio])
    return markdown(["case", "time", "real time", "parameters", "peer/ours"], rows)
