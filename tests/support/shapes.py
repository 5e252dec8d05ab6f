"""Checks of the shapes and dtypes that signatures state."""

import inspect
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def states_a_shape(hint: Any) -> bool:
    """Says whether a hint is, or holds, such as `Float[Array, "b t"]`."""
    inside = any(map(states_a_shape, get_args(hint)))
    return inside or (inspect.isclass(hint) and issubclass(hint, AbstractArray))


def check(function: Any) -> Any:
    """Checks the arguments whose hints state shapes; mypy checks the others."""
    if inspect.isclass(function):
        return function
    hints = function.__annotations__
    kept = {name: hint for name, hint in hints.items() if states_a_shape(hint)}
    if not kept:
        return function
    function.__annotations__ = kept
    return beartype(function)
