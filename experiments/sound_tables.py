"""Tables of sound: how near what comes back is to what was heard, and how fast it comes."""

from cells import markdown, result

KINDS = ("distance", "log_mel", "cents")
TOGETHER = "all notes"


def sounds() -> str:
    """Notes that were not trained on, by family of instruments, and music, beside what Griffin &
    Lim's iteration makes of their true mel spectra."""
    figures = {key: one["mean"] for key, one in result("vocoder_notes")["metrics"].items()}
    pair = lambda one, other: f"{one:.2f} / {other:.2f}" if None not in (one, other) else "-"
    labels = sorted(k.removeprefix("log_mel_") for k in figures if k.startswith("log_mel_"))
    rows = []
    for label in [TOGETHER, *labels]:
        end = "" if label == TOGETHER else f"_{label}"
        cells = [
            pair(figures.get(f"{kind}{end}"), figures.get(f"griffin_lim_{kind}{end}"))
            for kind in KINDS
        ]
        named = [figures[f"{tag}named{end}"] for tag in ("", "griffin_lim_", "original_")]
        rows.append([label, *cells, " / ".join(f"{share:.2f}" for share in named)])
    music = [
        pair(figures[f"music_{kind}"], figures[f"music_griffin_lim_{kind}"]) for kind in KINDS[:2]
    ]
    rows.append(["chorales, as played", *music, "-", "-"])
    head = ["vocoder / Griffin & Lim", "distance of spectra", "log-mel, nats"]
    return markdown([*head, "cents off", "named right / G. & L. / original"], rows)


def heard() -> str:
    """What comes back, in a sentence."""
    one = result("vocoder_notes")
    figures = {key: found["mean"] for key, found in one["metrics"].items()}
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
