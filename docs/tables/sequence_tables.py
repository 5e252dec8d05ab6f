"""Tables of the likelihoods of models of melodies and of polyphonic music."""

from cells import RESULTS, RUN_HEAD, code, means, result, run_cells, spread

from zoo.errors import markdown

# experiment: (metric, its unit, published figures for the same files and splits)
PROTOCOLS = {
    "polyphonic_jsb": (
        "test_nll",
        "nats per step, test",
        "RNN-NADE 5.19, DMM-Aug-NADE 5.118, LV-RNN 3.99",
    ),
    "polyphonic_nottingham": (
        "test_nll",
        "nats per step, test",
        "LV-RNN 2.72, RNN-NADE 2.31, DMM-Aug-NADE 2.305",
    ),
    "polyphonic_rnn": ("test_nll", "nats per step of JSB, test", "RNN-NADE 5.19"),
    "chorales_notewise": (
        "valid_nll",
        "nats per voice token, validation",
        "Coconet, chronological, 0.436; Music Transformer 0.335",
    ),
    "chorales_framewise": (
        "test_ensembled",
        "nats per 16th, test, by the paper's averaging",
        "Coconet 0.57",
    ),
}


def likelihood() -> str:
    """Returns the table of experiments on `tunes`, best first."""
    published = [result(path.stem) for path in RESULTS.glob("tunes_*.json")]
    published.sort(key=lambda x: x["metrics"]["test_nll"]["mean"])
    rows = [
        [
            code(x["experiment"]),
            spread(x["metrics"]["test_nll"]),
            *run_cells(x, "test_nll"),
        ]
        for x in published
    ]
    return markdown(["experiment", "nats per event", *RUN_HEAD], rows)


def polyphonic() -> str:
    """Returns the table of experiments on the benchmark files of polyphonic music."""
    rows = []
    for name, (metric, unit, papers) in PROTOCOLS.items():
        published = result(name)
        metrics = published["metrics"]
        alone = metrics.get(f"{metric}_alone")
        rows.append(
            [
                code(name),
                unit,
                spread(metrics[metric]),
                f"{alone['mean']:.3f}" if alone else "-",
                papers,
                *run_cells(published, metric),
            ]
        )
    head = ["experiment", "unit", "ours", "network alone", "published"]
    return markdown([*head, *RUN_HEAD], rows)


def framewise() -> str:
    """Returns the mean over orders of the framewise negative log-likelihood."""
    return f"{means('chorales_framewise')['test_framewise']:.2f}"
