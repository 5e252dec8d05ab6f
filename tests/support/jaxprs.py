"""Equations of traced programs, for tests that compile nothing."""

from collections.abc import Iterator

from jax._src.source_info_util import user_frames


def equations(jaxpr) -> Iterator:
    """Yields every equation of a jaxpr, and of the programs inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from equations(inner)


def source_file(equation) -> str:
    """Returns the innermost file of the zoo that an equation was traced in."""
    files = [frame.file_name for frame in user_frames(equation.source_info.traceback)]
    return next((file for file in files if "/zoo/" in file), "unknown")
