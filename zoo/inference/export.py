"""Export of a model's streaming step to StableHLO, with its parameters.

The folder holds `start.jax` and `step.jax`, which `jax.export` reads; `start.mlir` and
`step.mlir`, the same for other compilers; and `about.json`, which names the arrays of
the state and the tokens.

    import pathlib
    import jax.numpy as jnp
    from jax import export

    read = lambda name: bytearray(pathlib.Path("lstm", name).read_bytes())
    start, step = (export.deserialize(read(x)).call for x in ("start.jax", "step.jax"))
    token = jnp.zeros(4, jnp.int32)  # four streams, before their first events
    state = start(token)  # a list of arrays
    state, logits = step(state, token)  # [4, vocabulary], of the next event
"""

import functools
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from jax import export as stablehlo

from zoo.config import record
from zoo.core import BOUNDARY, Array
from zoo.files import folder_aside
from zoo.inference.model import Model
from zoo.inference.shipped import require_able

State = list[Array]


def export(
    model: Model,
    out: str | pathlib.Path,
    *,
    batch: int | None = None,
    platform: str = "cpu",
) -> pathlib.Path:
    """Writes the streaming step of a model into the folder `out`, and returns it.

    Args:
      model: a model that writes one event at a time.
      out: the folder.
      batch: number of streams; None for any number.
      platform: the platform to compile for.

    Raises:
      UsageError: the family does not write one event at a time.
      ZooError: the folder cannot be written; no file is left behind then.
    """
    family: Any = model.family
    require_able(
        model.sampler.streams,
        f"{model.name} does not write event by event and has no step to export",
        "export",
    )
    structure, advance = (
        jax.tree.structure(family.start(1)),
        family.stepper(model.params),
    )

    def start(token: Array) -> State:
        return jax.tree.leaves(family.start(token.shape[0]))

    def step(state: State, token: Array) -> tuple[State, Array]:
        state, logits = advance(jax.tree.unflatten(structure, state), token)
        return jax.tree.leaves(state), logits

    n = stablehlo.symbolic_shape("n")[0] if batch is None else batch
    token = jax.ShapeDtypeStruct((n,), jnp.int32)
    state = jax.eval_shape(start, token)
    compiler = functools.partial(stablehlo.export, platforms=[platform])
    exported = {
        "start": compiler(jax.jit(start))(token),
        "step": compiler(jax.jit(step))(state, token),
    }
    named = jax.tree_util.tree_flatten_with_path(family.start(1))[0]
    names = [jax.tree_util.keystr(path) for path, _ in named]
    about = {
        "family": record(model.family),
        "codec": record(model.codec),
        "state": [
            {"name": name, "shape": [*map(size, leaf.shape)], "dtype": str(leaf.dtype)}
            for name, leaf in zip(names, state, strict=True)
        ],
        "tokens": [model.codec.describe(token) for token in range(model.codec.vocab)],
        "boundary": BOUNDARY,  # fed before the first event; drawn, it ends the piece
        "batch": size(n),
        "platform": platform,
        "jax": jax.__version__,
    }
    folder = pathlib.Path(out)
    with folder_aside(folder) as staging:
        for name, function in exported.items():
            (staging / f"{name}.jax").write_bytes(function.serialize())
            (staging / f"{name}.mlir").write_text(function.mlir_module(), "utf-8")
        (staging / "about.json").write_text(json.dumps(about, indent=1))
    return folder


def size(n: Any) -> int | str:
    """A dimension as JSON: those that are left open have a name."""
    return n if isinstance(n, int) else str(n)
