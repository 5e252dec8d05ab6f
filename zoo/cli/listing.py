"""`zoo list`: shipped models, families, codecs and corpora."""

import json
from typing import Annotated, Any

from tyro.conf import arg


def list_(json_: Annotated[bool, arg(name="json")] = False) -> None:
    """Name the shipped models, and the families, codecs and corpora there are.

    Args:
        json_: print JSON instead of text.
    """
    from zoo.inference.shipped import shipped

    models = [entry.summary for entry in shipped()]
    others = named()
    if json_:
        print(json.dumps({"models": models, **others}, indent=2))
        return
    print("models")
    width = max((len(entry.name) for entry in shipped()), default=0)
    for entry in shipped():
        words = (entry.family, entry.writes, entry.megabytes, entry.headline)
        print(f"  {entry.name:{width}} {', '.join(words)}")
        print(f"  {'':{width}} {entry.terms}: {', '.join(entry.verbs)}")
    for kind, members in others.items():
        print(kind)
        for name, text in members.items():
            print(f"  {name:16} {text}")


def named() -> dict[str, dict[str, Any]]:
    """Returns a line of text about each family, codec and corpus."""
    from zoo.data.codecs import CODECS
    from zoo.data.corpora.registry import descriptions
    from zoo.models import families

    kinds: dict[str, dict[str, str | None]] = {
        "families": {name: module.__doc__ for name, module in families().items()},
        "codecs": {name: codec.__doc__ for name, codec in CODECS.items()},
        "corpora": dict(descriptions()),
    }
    return {
        kind: {k: (text or "").strip().splitlines()[0] for k, text in members.items()}
        for kind, members in kinds.items()
    }
