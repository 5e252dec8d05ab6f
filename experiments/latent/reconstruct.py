"""Reconstruction by a MusicVAE of a corpus that it was not trained on.

python experiments/latent/reconstruct.py --vae runs/music_vae_2bar \\
    --corpus folder:nottingham_midi
"""

import time
from pathlib import Path
from typing import Any

from zoo.evaluation.vae import reconstruction
from zoo.inference.loading import load
from zoo.ranges import Seed
from zoo.runner import launch
from zoo.runner.results import provenance, write

BATCH = 128


def reconstruct(
    vae: Path,
    corpus: str,
    workdir: Path = Path("runs/reconstruct"),
    seed: Seed = 0,
    accept_licence: bool = False,
) -> dict[str, Any]:
    """Evaluates the reconstruction of phrases of a corpus's test split.

    Args:
        vae: run of a MusicVAE.
        corpus: a corpus, or folder:/path/to/files.
        workdir: directory of the result.
        seed: seed of the sampling.
        accept_licence: agree to the terms of weights for non-commercial use.
    """
    began = time.perf_counter()
    model = load(vae, accept_licence=accept_licence)
    batches = model.task.eval_batches("test", corpus=corpus, batch=BATCH)
    metrics = reconstruction(model, batches, seed=seed)
    result = {"experiment": "reconstruct", "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    write(workdir / "result.json", result)
    return result


if __name__ == "__main__":
    launch(reconstruct)
