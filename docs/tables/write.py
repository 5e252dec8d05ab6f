"""Writes the README's tables and figures from the files in experiments/results.

python docs/tables/write.py
"""

import functools
import re
import sys
from pathlib import Path

from audio_tables import heard, sound_speed, sounds
from cells import RESULTS, link, markdown, result, spread
from game_tables import accompanied, knowing, modes, oracle, pairings, rolls, rows
from speed import COLUMNS

README = Path(__file__).parents[2] / "README.md"


def likelihood() -> str:
    """Every published experiment on tunes, best first."""
    found = [result(path.stem) for path in sorted(RESULTS.glob("tunes_*.json"))]
    found.sort(key=lambda one: one["metrics"]["test_nll"]["mean"])
    rows = [
        [
            link(one["experiment"]),
            spread(one["metrics"]["test_nll"]),
            str(len(one["metrics"]["test_nll"]["seeds"])),
            f"{max(one['seconds']):.0f} s",
            one["device"],
        ]
        for one in found
    ]
    return markdown(
        ["experiment", "nats per event", "seeds", "time for one", "device"], rows
    )


PROTOCOLS = {  # experiment: the metric, its unit, and what is published for it
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
        "Coconet, in order, 0.436; Music Transformer 0.335",
    ),
    "chorales_framewise": (
        "test_ensembled",
        "nats per 16th, test, as scored there",
        "Coconet 0.57",
    ),
}


def polyphonic() -> str:
    """Every published experiment on the files that polyphonic models are compared on."""
    rows = []
    for name, (metric, unit, published) in PROTOCOLS.items():
        if (RESULTS / f"{name}.json").exists():
            one = result(name)
            figures = one["metrics"]
            alone = figures.get(f"{metric}_alone")
            rows.append(
                [
                    link(name),
                    unit,
                    spread(figures[metric]),
                    "{mean:.3f}".format(**alone) if alone else "-",
                    published,
                    str(len(figures[metric]["seeds"])),
                    f"{max(one['seconds']):.0f} s",
                    one["device"],
                ]
            )
    head = ["experiment", "measure", "reached", "network alone", "published"]
    return markdown([*head, "seeds", "time for one", "device"], rows)


def variational() -> str:
    """Every published autoencoder of phrases: what comes back, and at what rate."""
    figures = ("accuracy_teacher_forced", "accuracy_sampled", "kl", "nll_64", "active")
    rows = []
    for path in sorted(RESULTS.glob("music_vae_*.json")):
        one = result(path.stem)
        means = [one["metrics"][name] for name in figures]
        name = link(path.stem)
        rows.append([name, *map(spread, means), str(len(means[0]["seeds"]))])
        rows[-1] += [f"{max(one['seconds']):.0f} s", one["device"]]
    head = [
        "experiment",
        "teacher-forced",
        "sampled",
        "rate, nats",
        "-log p(x), nats",
        "active",
    ]
    return markdown([*head, "seeds", "time for one", "device"], rows)


def rate() -> str:
    """What comes back, and how music-like it is between two phrases, by the price of the rate."""
    figures = result("rate_accuracy")["metrics"]
    names = ("accuracy_teacher_forced", "accuracy_sampled", "kl", "nll_64", "active")
    between = ("between_cost", "between_cost_best")
    rows = []
    for key in figures:
        if key.startswith("kl_"):
            beta = key.removeprefix("kl_")
            rows.append([beta, *(spread(figures[f"{name}_{beta}"]) for name in names)])
            rows[-1] += [
                f"{100 * figures[f'{x}_{beta}']['mean']:.0f} %" for x in between
            ]
    head = [
        "beta",
        "teacher-forced",
        "sampled",
        "rate, nats",
        "-log p(x), nats",
        "active",
    ]
    return markdown([*head, "cost between", "likeliest of 16"], rows)


def pieces() -> str:
    """How near pieces that were written by latents are to real ones."""
    kinds = [
        f"{what}_{kind}"
        for what in ("pitch", "duration")
        for kind in ("consistency", "variance")
    ]
    kinds.append("recurrence")
    rows = []
    for name in ("latent_diffusion", "latent_mdn"):
        one = result(name)
        figures = [one["metrics"][kind] for kind in kinds]
        rows.append([link(name), *map(spread, figures)])
        rows[-1] += [
            str(len(figures[0]["seeds"])),
            f"{max(one['seconds']):.0f} s",
            one["device"],
        ]
    real = spread(one["metrics"]["real_recurrence"])
    rows.append(["real tunes", *["1.000"] * (len(kinds) - 1), real, *[""] * 3])
    head = ["experiment", *(kind.replace("_", " ") for kind in kinds)]
    return markdown([*head, "seeds", "time for one", "device"], rows)


def attributes() -> str:
    """What steering by an attribute does to it, and to the others."""
    figures = result("music_vae_2bar")["metrics"]
    mean = lambda kind, name: f"{figures[f'{kind}_{name}']['mean']:.2f}"
    names = [key.removeprefix("moved_") for key in figures if key.startswith("moved_")]
    rows = [
        [
            name.replace("_", " "),
            *(mean(kind, name) for kind in ("moved", "followed", "others")),
        ]
        for name in names
    ]
    head = ["attribute", "moved at strength 1", "correlation with strength"]
    return markdown([*head, "most that another moves"], rows)


def transfer() -> str:
    """What two judges make of phrases that were moved from one style to another."""
    figures = {
        key: one["mean"] for key, one in result("style_transfer")["metrics"].items()
    }
    kinds = ("judge", "chain", "contour", "same")
    pairs = [key.removeprefix("judge_") for key in figures if key.startswith("judge_")]
    rows = [
        [
            pair.replace("_", " "),
            *(f"{figures[f'{kind}_{pair}']:.2f}" for kind in kinds),
        ]
        for pair in pairs
        if "_to_" in pair
    ]
    rows.append(["mean", *(f"{figures[kind]:.2f}" for kind in kinds)])
    head = [
        "from and to",
        "classifier convinced",
        "Markov chains convinced",
        "contour kept",
    ]
    return markdown([*head, "steps as they were"], rows)


def speed() -> str:
    """The benchmark's rows, as it prints them."""
    rows = result("benchmark")["metrics"].values()
    return markdown(
        list(COLUMNS), [[cell(row) for cell in COLUMNS.values()] for row in rows]
    )


def machine() -> str:
    """What the benchmark ran on."""
    found = result("benchmark")
    versions = found["versions"]
    return f"{found['device']}; JAX {versions['jax']}, {found['peer']} {versions[found['peer']]}"


def framewise() -> str:
    """The likelihood of frames, where the table has the score that Coconet's code gives."""
    return "{mean:.2f}".format(
        **result("chorales_framewise")["metrics"]["test_framewise"]
    )


def between(figure: str) -> str:
    """How much dearer to a Markov chain what lies between two phrases is than the phrases."""
    return "{:.0f}".format(100 * result("music_vae_styles")["metrics"][figure]["mean"])


def elsewhere() -> str:
    """What comes back of another collection, and at what rate."""
    figures = result("reconstruct")["metrics"]
    names = ("accuracy_teacher_forced", "accuracy_sampled", "kl")
    right, drawn, rate = (figures[name]["mean"] for name in names)
    return f"{right:.3f} and {drawn:.3f} at {rate:.0f} nats"


def recall() -> str:
    """How often the classifier of styles is right about real phrases."""
    return spread(result("style_classifier")["metrics"]["recall"])


def music() -> str:
    seconds = result("music")["seconds"]
    return f"{seconds / 60:.1f} minutes"


TABLES = {
    "likelihood": likelihood,
    "polyphonic": polyphonic,
    "variational": variational,
    "rate": rate,
    "pieces": pieces,
    "attributes": attributes,
    "transfer": transfer,
    "oracle": oracle,
    "rolls": rolls,
    "rows": rows,
    "pairings": pairings,
    "sounds": sounds,
    "sound speed": sound_speed,
    "speed": speed,
}
FIGURES = {"minutes of music": music, "machine": machine, "framewise": framewise}
FIGURES |= {"elsewhere": elsewhere, "recall": recall}
FIGURES |= {
    "heard": heard,
    "modes": modes,
    "knowing": knowing,
    "accompanied": accompanied,
}
for _figure in ("cost", "cost_best"):
    FIGURES[f"between styles {_figure}"] = functools.partial(
        between, f"between_{_figure}"
    )


def written(text: str) -> str:
    """`text` with every table and figure as the results have it."""
    for name, make in {**TABLES, **FIGURES}.items():
        mark, edge = f"<!-- {name} -->", "\n" if name in TABLES else ""
        put = lambda _, make=make, mark=mark, edge=edge: (
            f"{mark}{edge}{make()}{edge}<!-- end -->"
        )
        text = re.sub(f"{mark}.*?<!-- end -->", put, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    before = README.read_text()
    README.write_text(after := written(before))
    print(
        "README.md as it was" if before == after else "README.md rewritten",
        file=sys.stderr,
    )
