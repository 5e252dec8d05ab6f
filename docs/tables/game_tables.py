"""Tables of games: what generators write, beside real music, and how each game went."""

from cells import RESULTS, link, markdown, result, spread


def oracle() -> str:
    """What was learned from the oracle's sequences: how good, how varied, and how much by heart."""
    one = result("seqgan_oracle")
    figures = one["metrics"]
    kinds = ("nll_oracle", "entropy", "distinct_4_of_2000", "distinct_4", "copied_4")
    names = {
        "mle": "LSTM, likelihood",
        "seqgan": "SeqGAN",
        "best": "Markov chain, order 2",
    }
    rows = []
    for tag, name in {**names, "real": "the oracle itself"}.items():
        found = [figures.get(f"{kind}_{tag}") for kind in kinds]
        rows.append([name, *(spread(x) if x else "-" for x in found)])
    head = [
        "",
        "NLL_oracle, nats",
        "entropy of tokens",
        "distinct 4-grams of 2,000",
        "of 10,000",
    ]
    return markdown([*head, "4-grams copied"], rows)


ROLLS = (
    "empty_bars",
    "used_pitch_classes",
    "qualified_notes",
    "polyphonicity",
    "tonal_distance",
    "scale_consistency",
)


def rolls() -> str:
    """What MuseGANs write beside as many phrases that they were not trained on."""
    rows = []
    for path in sorted(RESULTS.glob("musegan_*.json")):
        figures = {
            key: one["mean"] for key, one in result(path.stem)["metrics"].items()
        }
        if "polyphonicity" in figures:
            both = [(figures[name], figures[f"real_{name}"]) for name in ROLLS]
            name = link(path.stem)
            rows.append(
                [name, *(f"{ours:.3f} / {theirs:.3f}" for ours, theirs in both)]
            )
    return markdown(
        ["written / real", *(name.replace("_", " ") for name in ROLLS)], rows
    )


def rows() -> str:
    """What SeqGANs write before and after the game, and what their critic chooses of 16."""
    kinds = ("in_real_4", "scale_consistency", "used_pitch_classes", "self_bleu")
    pooled = ("pitch_classes", "intervals", "distinct_4")
    tags = {
        "likelihood_": "likelihood",
        "": "game",
        "judged_": "best of 16",
        "real_": "real",
    }
    lines = []
    for path in sorted(RESULTS.glob("seqgan_*.json")):
        figures = {
            key: one["mean"] for key, one in result(path.stem)["metrics"].items()
        }
        for tag, what in tags.items() if "in_real_4" in figures else ():
            cells = [span(figures, f"{tag}{kind}") for kind in kinds]
            more = [figures.get(f"{tag}{kind}") for kind in pooled]
            name = f"{link(path.stem)}, {what}"
            lines.append(
                [name, *cells, *("-" if x is None else f"{x:.3f}" for x in more)]
            )
    head = [
        "excerpts of 32 notes",
        "4-grams that real ones have",
        "scale consistency",
        "pitch classes a bar",
        "self-BLEU",
        "pitch classes, divergence",
        "intervals, divergence",
        "distinct 4-grams",
    ]
    return markdown(head, lines)


def span(figures: dict[str, float], name: str) -> str:
    """A figure and its interval, where there is one."""
    low, high = (figures.get(f"{name}_{end}") for end in ("low", "high"))
    interval = f" ({low:.3f}-{high:.3f})" if low is not None else ""
    return f"{figures[name]:.3f}{interval}"


def pairings() -> str:
    """How each game went: the most and the least of what tells of collapse, and what it wrote."""
    figures = {
        key: one["mean"] for key, one in result("musegan_pairings")["metrics"].items()
    }
    kinds = ["signs", "rejected_most", "duplicates_most", "spread_least", "gap_most"]
    kinds += ["polyphonicity", "tonal_distance", "distinct_4"]
    games = [key.removeprefix("signs_") for key in figures if key.startswith("signs_")]
    rows = [
        [game, *(f"{figures[f'{kind}_{game}']:.3g}" for kind in kinds)]
        for game in games
    ]
    return markdown(["game", *(kind.replace("_", " ") for kind in kinds)], rows)


def knowing() -> str:
    """What the oracle's critic knows of sequences that it was taught, and of others."""
    figures = {
        key: one["mean"] for key, one in result("seqgan_oracle")["metrics"].items()
    }
    return (
        f"{figures['critic_right_taught']:.2f} of pairs of one that it was taught and one of the "
        f"generator's, in {figures['critic_right_new']:.2f} where it was not, and its verdicts go "
        f"with the oracle's likelihood by a rank correlation of {figures['critic_by_oracle']:.2f}"
    )


def modes() -> str:
    """How often profiles of modes, learned from real phrases, name the one that was asked for."""
    figures = result("musegan_chorales")["metrics"]
    share = lambda name: f"{figures[name]['mean']:.2f}"
    return (
        f"{share('real_mode_named')} of real phrases, the one that was asked for of "
        f"{share('mode_named')} of those written, and of {share('mode_named_judged')} of the best "
        "of 16 by the critic"
    )


def accompanied() -> str:
    """How near the tracks lie to each other, with what was heard and with what another heard."""
    figures = result("musegan_accompaniment")["metrics"]
    own, other = (
        figures[f"tonal_distance_{name}"]["mean"] for name in ("own", "shuffled")
    )
    return (
        f"{own:.3f} from each other, and {other:.3f} with the soprano of another phrase"
    )
