"""Mixed precision: bfloat16 matrix products with float32 parameters."""

import contextlib
from collections.abc import Callable, Iterator

import flax.linen as nn
import jax.numpy as jnp

MATMULS = (
    nn.Dense,
    nn.DenseGeneral,
    nn.Conv,
    nn.ConvTranspose,
    nn.Einsum,
    nn.OptimizedLSTMCell,
    nn.LSTMCell,
    nn.GRUCell,
)


@contextlib.contextmanager
def matmuls_in(dtype: jnp.dtype) -> Iterator[None]:
    """Makes every Linen layer that multiplies matrices compute in `dtype`.

    A custom layer opts in with a `dtype` field and the class attribute `matmul = True`.
    """

    def intercept(call, args, kwargs, context):
        module = context.module
        if isinstance(module, MATMULS) or getattr(module, "matmul", False):
            # a Linen module is a frozen dataclass; this bound copy lasts for one call
            object.__setattr__(module, "dtype", dtype)
        return call(*args, **kwargs)

    with nn.intercept_methods(intercept):
        yield


def context(bf16: bool) -> Callable[[], contextlib.AbstractContextManager]:
    """Returns the context manager under which losses are traced."""
    if not bf16:
        return contextlib.nullcontext
    return lambda: matmuls_in(jnp.bfloat16)
