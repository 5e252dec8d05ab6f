"""An estimate of the memory of a training step, from its program before compilation.

XLA merges elementwise operations into their consumers, so that their results are never
in memory. Counted are the operands and results of all other operations, for as long as
they are used. The compiler also aligns and copies arrays: the estimate is mostly below
what is needed, and a run that does not fit by it would not have started.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.extend
from jax.sharding import Mesh

from zoo import memory
from zoo.core import Tree

# operations that are merged with others, or only change how an array is read
MERGED = frozenset(
    (
        *("add", "sub", "mul", "div", "neg", "exp", "log", "tanh", "logistic", "max"),
        *("min", "abs", "sign", "sqrt", "rsqrt", "square", "pow", "integer_pow"),
        *("select_n", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "xor"),
        *("convert_element_type", "broadcast_in_dim", "reshape", "transpose"),
        *("squeeze", "expand_dims", "slice", "pad", "iota", "rev", "stop_gradient"),
        *("add_any", "copy", "copy_p", "erf", "log1p", "expm1", "sin", "cos", "rem"),
        *("floor", "round", "is_finite", "clamp", "shift_left", "optimization_barrier"),
        *("shift_right_logical", "bitcast_convert_type", "sharding_constraint"),
    )
)
CERTAIN = 1 / 3  # of an estimate: of nine families none took less than a third
ADVICE = (
    "lower `batch` or the sizes of the model, or raise `accumulate`, which computes a "
    "batch in parts"
)


def require_memory(
    state: Tree, programs: Callable[[], Iterable[Any]], *, mesh: Mesh
) -> None:
    """Raises UsageError if a run does not fit in the memory of its devices.

    Args:
      state: the shapes of the state, with the sharding of each leaf.
      programs: `() -> jaxprs`, of the step, as it is for all devices. It is called only
        if the state fits, because a program of many operations takes long to trace.
      mesh: the devices.
    """
    there, copies = room(mesh)
    placed = copies * sum(map(shard_bytes, jax.tree.leaves(state)))
    memory.require(placed, "the parameters and the optimizer", ADVICE, there)
    share = copies / mesh.shape["data"]
    step = max((peak(jaxpr.jaxpr) for jaxpr in programs()), default=0)
    # the new state takes the place of the old one
    step = max(0, step - sum(map(size, jax.tree.leaves(state))))
    memory.require(placed + step * share * CERTAIN, "a training step", ADVICE, there)


def room(mesh: Mesh) -> tuple[int, int]:
    """Returns the free bytes of a device, and how many devices share them."""
    local = mesh.local_devices
    statistics = local[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics.get("bytes_in_use", 0), 1
    return memory.available(), len(local)


def shard_bytes(leaf: Any) -> int:
    """Returns the bytes of one device's part of an array."""
    shape = leaf.sharding.shard_shape(leaf.shape)
    return size(jax.ShapeDtypeStruct(shape, leaf.dtype))


def size(value: Any) -> int:
    """Returns the bytes of an array of a shape and a type; 0 for what is none."""
    width = getattr(value.dtype, "itemsize", 4) if hasattr(value, "dtype") else 0
    return functools.reduce(int.__mul__, map(int, value.shape), width) if width else 0


def peak(program: Any) -> int:
    """Returns the most bytes that are in memory at once, but for the arguments."""
    counted = held(program)
    last = last_uses(program, counted)
    now = most = 0
    for index, equation in enumerate(program.eqns):
        results = [x for x in equation.outvars if x in counted]
        made = sum(size(x.aval) for x in results)
        inside = max(map(peak, bodies(equation)), default=0)
        # a loop stacks the results of its turns; a call returns those of its body
        looped = equation.primitive.name in ("scan", "while")
        most = max(most, now + (made + inside if looped else max(made, inside)))
        read = {x for x in variables(equation.invars) if x in counted}
        ended = [x for x in read | set(results) if last[x] == index]
        now += made - sum(size(x.aval) for x in ended)
    return most


def variables(values: Iterable[Any]) -> list[Any]:
    """Returns the values of a program that are no constants."""
    return [x for x in values if not isinstance(x, jax.extend.core.Literal)]


def held(program: Any) -> set[Any]:
    """Returns the variables that are in memory.

    They are the results of the program, and of operations that are not merged.
    """
    made = {x for equation in program.eqns for x in equation.outvars}
    counted = made & set(variables(program.outvars))
    for equation in program.eqns:
        if equation.primitive.name not in MERGED:
            counted |= set(equation.outvars)
    return counted


def last_uses(program: Any, counted: set[Any]) -> dict[Any, int]:
    """Returns the last operation that needs each variable; results are kept.

    What a merged operation reads is needed for as long as its result.
    """
    last = dict.fromkeys(variables(program.outvars), len(program.eqns))
    for index, equation in reversed([*enumerate(program.eqns)]):
        results = [x for x in equation.outvars if x not in counted]
        needed = max([index, *(last.get(x, index) for x in results)])
        for x in variables(equation.invars):
            last[x] = max(needed, last.get(x, 0))
        for x in equation.outvars:
            last.setdefault(x, index)
    return last


def bodies(equation: Any) -> Iterable[Any]:
    """Returns the programs inside an operation, such as the body of a loop."""
    for value in equation.params.values():
        for inner in value if isinstance(value, tuple | list) else (value,):
            if hasattr(inner, "eqns"):
                yield inner
            elif hasattr(getattr(inner, "jaxpr", None), "eqns"):
                yield inner.jaxpr
