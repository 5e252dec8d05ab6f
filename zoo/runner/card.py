"""The card of a shipped model, a page that is generated from its record alone."""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from zoo.errors import markdown
from zoo.files import written_aside
from zoo.inference.abilities import FIGURES
from zoo.inference.model import Model
from zoo.inference.shipped import Shipped
from zoo.listen.beginnings import plot_beginnings
from zoo.listen.curves import Panel, plot_curves

SAMPLES = 2  # of a card

COMMANDS = {  # by verb
    "sample": "zoo sample {} --n 8 --seed 0",
    "continue": "zoo sample {} --primer FILE --bars 8",
    "compose": 'zoo compose {} --lyrics "Twinkle, twinkle, little star"',
    "rewrite": "zoo sample {} --primer FILE --span 32 64",
    "harmonise": "zoo sample {} --primer FILE --rewrite alto tenor bass",
    "speak": 'zoo speak "Words to speak." --run {}',
    "accompany": "zoo sample {} --primer FILE",
    "interpolate": "zoo interpolate {} FILE FILE",
    "mix": "zoo mix {} FILE FILE --weights 0.7 0.3",
    "vary": "zoo vary {} FILE --amount 0.3",
    "transfer": "zoo transfer {} FILE --style STYLE",
    "classify": "zoo classify {} FILE",
    "reconstruct": "zoo reconstruct FILE --run {}",
    "blend": "zoo blend FILE FILE --run {}",
    "evaluate": "zoo evaluate {}",
    "export": "zoo export {}",
}
INSTEAD = {  # by verb, of models that write nothing by themselves
    "accompany": "It writes tracks to music of yours",
    "classify": "It writes no music, and prints the probability of each label",
    "reconstruct": "It writes no music, and decodes recordings from their latents",
}


def card_page(entry: Shipped) -> str:
    """Returns the Markdown of a shipped model's card."""
    sections = {
        "Data": data(entry),
        "Training": training(entry),
        "Curve": curve_section(entry),
        "Samples": samples(entry),
        "Figures": figures(entry),
        "Use": use(entry),
        "Limits": limits(entry),
    }
    written = "This page is generated: `zoo ship` and `make tables` write it."
    head = f"# {entry.name}\n\n{summary(entry)}\n\n{written}\n"
    shown = {title: text for title, text in sections.items() if text}
    return head + "".join(f"\n## {k}\n\n{v}\n" for k, v in shown.items())


def write_card(entry: Shipped, model: Model, folder: pathlib.Path) -> pathlib.Path:
    """Writes the card of a shipped model, and pictures of its curve and its samples.

    Raises:
      ZooError: most of what the model writes is silent.
    """
    if entry.card["curve"]:
        with written_aside(folder / f"{entry.name}.png") as picture:
            plot_curves([panel(entry)], picture)
    if "sample" in entry.verbs:
        pieces = model.sample(SAMPLES, 0)
        with written_aside(folder / picture_of_samples(entry)) as picture:
            plot_beginnings(pieces, picture)
    path = folder / f"{entry.name}.md"
    with written_aside(path) as page:
        page.write_text(card_page(entry))
    return path


def summary(entry: Shipped) -> str:
    """Returns the table at the head of a card."""
    rows = {
        "family": entry.family,
        "writes": entry.writes,
        "figure": entry.headline or "-",
        "licence": entry.terms,
        "size": f"{entry.megabytes}, parameters in {entry.card['precision']}",
    }
    return table(["", ""], [[name, text] for name, text in rows.items()])


def data(entry: Shipped) -> str:
    """Returns the corpus and the licences of its sources."""
    text = f"Trained on `{entry.card['corpus']}`: {entry.terms}."
    if entry.card["non_commercial"]:
        text += (
            " Commands ask for `--accept-licence`, and `zoo.load` for "
            "`accept_licence=True`."
        )
    licences = entry.card["licences"].items()
    return "\n".join([text, "", *(f"- {name}: {terms}" for name, terms in licences)])


def training(entry: Shipped) -> str:
    """Returns the command, and how it was run."""
    result, about = entry.card["result"], entry.about
    versions = result.get("versions", {})
    rows = {
        "experiment": result["experiment"],
        "date": result.get("date"),
        "seed": about.get("seed"),
        "steps": entry.card.get("steps"),
        "step of these parameters": about.get("step"),
        "seconds": result.get("seconds"),
        "device": result.get("device"),
        "versions": ", ".join(f"{k} {v}" for k, v in versions.items()),
        "family": fields(about["family"]),
        "optimizer": fields(about.get("optimizer") or about.get("adam")),
    }
    known = [[name, str(value)] for name, value in rows.items() if value is not None]
    return f"```text\n{result['command']}\n```\n\n{table(['', ''], known)}"


def fields(record: Any) -> str | None:
    """Returns a record in one line of text."""
    if not isinstance(record, Mapping):
        return None
    values = [f"{k}={shown(v)}" for k, v in record.items() if k != "class"]
    name = str(record.get("class", "")).rpartition(".")[2]
    return f"`{name}({', '.join(values)})`"


def shown(value: Any) -> str:
    """Returns a value of a record in one line of text."""
    if isinstance(value, Mapping):
        return (fields(value) or "").strip("`")
    return json.dumps(value)


def curve_section(entry: Shipped) -> str:
    """Returns the picture of the validation curve, and its first and last points."""
    points = entry.card["curve"]
    if not points:
        return "The run recorded no validation loss."
    (first, worst), (last, best) = points[0], points[-1]
    text = f"From {worst:.4f} at step {first:,} to {best:.4f} at step {last:,}."
    return f"![The validation loss over the steps]({entry.name}.png)\n\n{text}"


def samples(entry: Shipped) -> str:
    """Returns the picture of samples, and the command that plays them; "" if the model
    writes none."""
    if "sample" not in entry.verbs:
        return ""
    command = f"zoo sample {entry.name} --n {SAMPLES} --seed 0{agreement(entry)}"
    return (
        f"![The first bars of two samples]({picture_of_samples(entry)})\n\nThe first "
        f"bars of two samples, not selected. `{command}` writes a page that plays them."
    )


def picture_of_samples(entry: Shipped) -> str:
    """Returns the name of the picture of samples."""
    return f"{entry.name}-samples.png"


def agreement(entry: Shipped) -> str:
    """Returns the option of a command that agrees to the terms, if they ask for it."""
    return " --accept-licence" if entry.card["non_commercial"] else ""


def panel(entry: Shipped) -> Panel:
    """Returns the plot of a model's validation curve."""
    steps, losses = zip(*entry.card["curve"], strict=True)
    return Panel("step", "validation loss", {entry.name: (steps, losses)})


def figures(entry: Shipped) -> str:
    """Returns the metrics of the run, and those of the rows in the file."""
    metrics = entry.metrics
    rows = [[name, text_of(name), number(value)] for name, value in metrics.items()]
    columns = {"value": entry.card["check"]}
    if entry.card["precision"] != "float32" and "exact" in entry.card:
        columns["in float32"] = entry.card["exact"]
    checked = [
        [name, *(number(values[name]) for values in columns.values())]
        for name in entry.card["check"]
    ]
    return (
        f"{table(['metric', 'meaning', 'value'], rows)}\n\nOn rows of the "
        "test split, which the file holds, so that a test can repeat it:\n\n"
        f"{table(['metric', *columns], checked)}"
    )


def text_of(name: str) -> str:
    """Returns the description of a metric, if it is one that models are known by."""
    return FIGURES[name].text if name in FIGURES else ""


def number(value: Any) -> str:
    """Formats a metric."""
    if isinstance(value, float) and not math.isfinite(value):
        return "-"
    whole = not isinstance(value, float) or value == round(value)
    return f"{value:,.0f}" if whole else f"{value:,.4f}"


def use(entry: Shipped) -> str:
    """Returns a command for each verb that the model can do."""
    commands = {
        verb: f"`{COMMANDS[verb].format(entry.name)}{agreement(entry)}`"
        for verb in entry.verbs
    }
    text = table(["verb", "command"], [[*row] for row in commands.items()])
    if "sample" in commands:
        return text
    instead = (f"{INSTEAD[x]}: {commands[x]}." for x in commands if x in INSTEAD)
    return "\n\n".join([*instead, text])


def limits(entry: Shipped) -> str:
    """Returns what the codec of a model can read and write."""
    lines = [f"- It reads and writes music of {fields(entry.about['codec'])} alone."]
    length = entry.about["family"].get("length")
    if length:
        lines.append(f"- It was trained on rows of {length:,} steps.")
    lines.append("- It knows the music of its corpus, and writes like it.")
    return "\n".join(lines)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Formats a Markdown table of texts."""
    return markdown(head, rows, texts=len(head))
