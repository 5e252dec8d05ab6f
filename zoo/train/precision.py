"""Mixed precision from the outside: f32 masters, bf16 matmuls, all else as the model wrote it."""

import contextlib
from collections.abc import Iterator

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
    """Inside, every Linen layer that multiplies matrices reads its inputs and weights in `dtype`.

    A layer of our own joins by declaring a `dtype` field and the class attribute `matmul = True`.
    """

    def intercept(call, args, kwargs, context):
        module = context.module
        if isinstance(module, MATMULS) or getattr(module, "matmul", False):
            # Linen modules are frozen dataclasses, and a bound copy lives for this call alone
            object.__setattr__(module, "dtype", dtype)
        return call(*args, **kwargs)

    with nn.intercept_methods(intercept):
        yield


def context(bf16: bool):
    """What surrounds a loss: bf16 matmuls, or nothing."""
    return (lambda: matmuls_in(jnp.bfloat16)) if bf16 else contextlib.nullcontext
