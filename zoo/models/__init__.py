"""One file, one paper. `from zoo.models import LSTM`; `families()` finds what there is."""

import importlib
import pkgutil
from types import ModuleType

from zoo.models.lstm import LSTM
from zoo.models.markov import Markov

__all__ = ["LSTM", "Markov", "families"]


def families() -> dict[str, ModuleType]:
    """Every family's module by name; each has a `TINY` instance, small enough to test."""
    names = [m.name for m in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
