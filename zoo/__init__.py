"""A JAX model zoo for music.

import zoo
model = zoo.load("runs/music/lstm")
tunes = model.sample(8, seed=0)
"""

import sys
from pathlib import Path
from typing import Any

from zoo.errors import end_imports_on_interrupt

__all__ = ["load"]

_program = Path(getattr(sys.modules["__main__"], "__file__", None) or "").resolve()
if _program.parts[-3:-2] == ("experiments",):
    end_imports_on_interrupt()


def __getattr__(name: str) -> Any:
    """Imports `zoo.load` on first use: it needs Orbax and the codecs."""
    if name == "load":
        from zoo.inference.loading import load

        return load
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
