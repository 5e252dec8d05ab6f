"""Tables of adversarial models: generated music compared with real music."""

from cells import RESULTS, code, means, result, spread

from zoo.errors import markdown

ROLL_METRICS = (
    "empty_bars",
    "used_pitch_classes",
    "qualified_notes",
    "polyphonicity",
    "tonal_distance",
    "scale_consistency",
)
PAIRING_METRICS = {  # key in the result: head of the column
    "signs": "warnings",
    "rejected_most": "rejected, max",
    "duplicates_most": "duplicates, max",
    "spread_least": "spread, min",
    "gap_most": "gap, max",
    "polyphonicity": "polyphonicity",
    "tonal_distance": "tonal distance",
    "distinct_4": "distinct 4-grams",
}


def oracle() -> str:
    """Returns the table of SeqGAN's oracle test: likelihood, diversity, copying."""
    metrics = result("seqgan_oracle")["metrics"]
    names = ("nll_oracle", "entropy", "distinct_4_of_2000", "distinct_4", "copied_4")
    models = {
        "mle": "LSTM, maximum likelihood",
        "seqgan": "SeqGAN",
        "best": "Markov chain, order 2",
        "real": "the oracle itself",
    }
    rows = []
    for tag, model in models.items():
        values = [metrics.get(f"{name}_{tag}") for name in names]
        rows.append([model, *(spread(value) if value else "-" for value in values)])
    head = ["written by", "NLL_oracle, nats", "token entropy, nats"]
    head += ["distinct 4-grams of 2,000", "of 10,000", "copied 4-grams"]
    return markdown(head, rows)


def piano_rolls() -> str:
    """Returns the table of MuseGAN's phrases and of as many real ones."""
    rows = []
    for path in sorted(RESULTS.glob("musegan_*.json")):
        metrics = means(path.stem)
        if "polyphonicity" in metrics:
            cells = [
                f"{metrics[name]:.3f} / {metrics[f'real_{name}']:.3f}"
                for name in ROLL_METRICS
            ]
            rows.append([code(path.stem), *cells])
    heads = (name.replace("_", " ") for name in ROLL_METRICS)
    return markdown(["generated / real", *heads], rows)


def note_rows() -> str:
    """Returns the table of SeqGAN's excerpts before and after adversarial training."""
    intervals = ("in_real_4", "scale_consistency", "used_pitch_classes", "self_bleu")
    pooled = ("pitch_classes", "intervals", "distinct_4")
    stages = {
        "likelihood_": "likelihood",
        "": "game",
        "judged_": "best of 16",
        "real_": "real",
    }
    lines = []
    for path in sorted(RESULTS.glob("seqgan_*.json")):
        metrics = means(path.stem)
        if "in_real_4" not in metrics:
            continue
        for tag, name in stages.items():
            cells = [with_interval(metrics, f"{tag}{kind}") for kind in intervals]
            for kind in pooled:
                value = metrics.get(f"{tag}{kind}")
                cells.append("-" if value is None else f"{value:.3f}")
            lines.append([f"{code(path.stem)}, {name}", *cells])
    head = ["excerpts of 32 notes", "4-grams found in real music"]
    head += ["scale consistency", "pitch classes per bar", "self-BLEU"]
    head += ["pitch-class divergence", "interval divergence", "distinct 4-grams"]
    return markdown(head, lines)


def with_interval(metrics: dict[str, float], name: str) -> str:
    """Formats a metric, with its 95 % interval if the result has one."""
    low, high = (metrics.get(f"{name}_{end}") for end in ("low", "high"))
    interval = f" ({low:.3f}-{high:.3f})" if low is not None else ""
    return f"{metrics[name]:.3f}{interval}"


def game_losses() -> str:
    """Returns the table of game losses: signs of collapse, and final metrics."""
    metrics = means("musegan_pairings")
    games = [key.removeprefix("signs_") for key in metrics if key.startswith("signs_")]
    lines = [
        [game, *(f"{metrics[f'{kind}_{game}']:.3g}" for kind in PAIRING_METRICS)]
        for game in games
    ]
    return markdown(["game", *PAIRING_METRICS.values()], lines)


def critic_trained() -> str:
    """Returns the accuracy of SeqGAN's critic on sequences of its training."""
    return f"{100 * means('seqgan_oracle')['critic_right_taught']:.0f} %"


def critic_new() -> str:
    """Returns the accuracy of SeqGAN's critic on new sequences."""
    return f"{100 * means('seqgan_oracle')['critic_right_new']:.0f} %"


def critic_correlation() -> str:
    """Returns the rank correlation of the critic's verdicts with NLL_oracle."""
    return f"{means('seqgan_oracle')['critic_by_oracle']:.2f}"


def mode_real() -> str:
    """Returns the share of real phrases whose mode key profiles recognise."""
    return f"{means('musegan_chorales')['real_mode_named']:.2f}"


def mode_generated() -> str:
    """Returns the share of generated phrases recognised as of their intended mode."""
    return f"{means('musegan_chorales')['mode_named']:.2f}"


def mode_best() -> str:
    """Returns that share for the best of 16 phrases by the critic's verdict."""
    return f"{means('musegan_chorales')['mode_named_judged']:.2f}"


def tonal_own() -> str:
    """Returns the tonal distance between the tracks of an accompanied phrase."""
    return f"{means('musegan_accompaniment')['tonal_distance_own']:.3f}"


def tonal_shuffled() -> str:
    """Returns the tonal distance to the soprano of another phrase."""
    return f"{means('musegan_accompaniment')['tonal_distance_shuffled']:.3f}"
