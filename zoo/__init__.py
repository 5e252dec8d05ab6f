"""A JAX model zoo for music.

import zoo
model = zoo.load("runs/music/lstm")
tunes = model.sample(8, seed=0)
"""

from typing import Any

from zoo.errors import handle_interrupts, is_program

__all__ = ["load"]

if is_program():
    handle_interrupts()


def __getattr__(name: str) -> Any:
    """Imports `zoo.load` on first use: it needs Orbax and the codecs."""
    if name == "load":
        from zoo.inference.loading import load

        return load
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
