"""Options of a training run."""

import dataclasses
from typing import Literal

from zoo.ranges import Count, Decay, Number, Seed, TrainingSteps, Weight, checked


@dataclasses.dataclass(frozen=True)
@checked
class Options:
    """Options of a training run that do not change the model."""

    _: dataclasses.KW_ONLY
    seed: Seed = 0
    """Seed of the initial parameters and of the randomness of every step."""
    log_every: TrainingSteps = 50
    """Steps between lines of the training curve."""
    save_every: TrainingSteps = 500
    """Steps between checkpoints. Validation runs at each."""
    keep: Count = 2
    """Number of latest checkpoints to keep, besides the best one."""
    ema: Decay = 0.0
    """Decay of the moving average of the parameters, used to sample; 0 for none."""
    clip: Weight = 1.0
    """Global norm to which gradients are clipped; 0 for no clipping."""
    accumulate: Count = 1
    """Number of microbatches whose gradients are accumulated in one step."""
    bf16: bool = False
    """Multiply matrices in bfloat16. The parameters stay in float32."""
    placement: Literal["replicate", "fsdp", "tensor"] = "replicate"
    """Placement of the parameters on the devices: copied or split."""
    model: Count = 1
    """Devices that share one copy of the parameters (the model axis of the mesh)."""
    restore_step: TrainingSteps | None = None
    """Resume from this checkpoint and delete the later ones; by default the latest."""
    accept_new_data: bool = False
    """Resume although the corpus has changed since the checkpoint."""
    init_from: str | None = None
    """Directory of a run, a .safetensors file, or the name of shipped weights, to take
    the initial parameters from."""
    accept_licence: bool = False
    """Agree to the terms of weights for non-commercial use that the run starts from."""
    compare: bool = False
    """Report whether the run lies within the band of the published curve."""
    coordinator: str | None = None
    """Address of process 0 (host:port) in a multi-host run, or "auto"; not on TPUs."""
    processes: Count | None = None
    """Number of processes in a multi-host run."""
    process: Number | None = None
    """Index of this process in a multi-host run."""
    quiet: bool = False
    """Print no progress."""
