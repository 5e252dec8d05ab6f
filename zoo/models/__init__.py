"""Generative models: one file, one paper. `from zoo.models import LSTM`.

A family is found by its file: a frozen dataclass, and an instance of it called `TINY`.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Any


def families() -> dict[str, ModuleType]:
    """Returns each family's module by name; its `TINY` is small enough to test."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def __getattr__(name: str) -> Any:
    """Returns the family class called `name`, from whichever file defines it."""
    if name[:1].isupper():
        for module in families().values():
            if type(module.TINY).__name__ == name:
                return type(module.TINY)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["families", *(type(m.TINY).__name__ for m in families().values())]
