"""The card of a shipped model, a page that is generated from its record alone."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from zoo.errors import markdown
from zoo.files import written_aside
from zoo.inference.abilities import FIGURES
from zoo.inference.shipped import Shipped
from zoo.listen.curves import Panel, plot_curves

COMMANDS = {  # by verb
    "sample": "zoo sample {} --n 8 --seed 0",
    "continue": "zoo sample {} --primer FILE --bars 8",
    "rewrite": "zoo sample {} --primer FILE --span 32 64",
    "harmonise": "zoo sample {} --primer FILE --rewrite alto tenor bass",
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


def card_page(entry: Shipped) -> str:
    """Returns the Markdown of a shipped model's card."""
    sections = {
        "Data": data(entry),
        "Training": training(entry),
        "Curve": curve_section(entry),
        "Figures": figures(entry),
        "Use": use(entry),
        "Limits": limits(entry),
    }
    written = "This page is generated: `zoo ship` and `make tables` write it."
    head = f"# {entry.name}\n\n{summary(entry)}\n\n{written}\n"
    return head + "".join(f"\n## {k}\n\n{v}\n" for k, v in sections.items())


def write_card(entry: Shipped, folder: pathlib.Path) -> pathlib.Path:
    """Writes the card of a shipped model, and the picture of its curve."""
    if entry.card["curve"]:
        with written_aside(folder / f"{entry.name}.png") as picture:
            plot_curves([panel(entry)], picture)
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


def panel(entry: Shipped) -> Panel:
    """Returns the plot of a model's validation curve."""
    steps, losses = zip(*entry.card["curve"], strict=True)
    return Panel("step", "validation loss", {entry.name: (steps, losses)})


def figures(entry: Shipped) -> str:
    """Returns the metrics of the run, and those of the rows in the file."""
    metrics = entry.metrics
    rows = [[name, text_of(name), number(value)] for name, value in metrics.items()]
    check = entry.card["check"]
    checked = [[name, number(value)] for name, value in check.items()]
    return (
        f"{table(['metric', 'meaning', 'value'], rows)}\n\nOn the first rows of the "
        "test split, which the file holds, so that a test can repeat it:\n\n"
        f"{table(['metric', 'value'], checked)}"
    )


def text_of(name: str) -> str:
    """Returns the description of a metric, if it is one that models are known by."""
    return FIGURES[name].text if name in FIGURES else ""


def number(value: Any) -> str:
    """Formats a metric."""
    whole = not isinstance(value, float) or value == round(value)
    return f"{value:,.0f}" if whole else f"{value:,.4f}"


def use(entry: Shipped) -> str:
    """Returns a command for each verb that the model can do."""
    more = " --accept-licence" if entry.card["non_commercial"] else ""
    rows = [
        [verb, f"`{COMMANDS[verb].format(entry.name)}{more}`"] for verb in entry.verbs
    ]
    return table(["verb", "command"], rows)


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
