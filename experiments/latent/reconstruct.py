"""What a MusicVAE makes of music of another collection than it was trained on.

python experiments/latent/reconstruct.py --vae runs/music_vae_2bar --folder nottingham_midi
"""

import time
from pathlib import Path
from typing import Any

from zoo.runner.experiment import held_out, launch

from zoo.evaluation.vae import reconstruction
from zoo.inference.model import load
from zoo.runner.results import provenance, write


def reconstruct(
    vae: Path, folder: Path, workdir: Path = Path("runs/reconstruct"), seed: int = 0
) -> dict[str, Any]:
    """Measures what comes back of the phrases of a folder, the part that is its test split.

    Args:
        vae: the run of a MusicVAE.
        folder: of MIDI, ABC or MusicXML files.
        workdir: where the result goes.
        seed: of what is drawn.
    """
    began = time.perf_counter()
    model = load(vae)
    metrics = reconstruction(
        model, held_out(model, f"folder:{folder}", "test", 128), seed=seed
    )
    result = {"experiment": "reconstruct", "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    write(workdir / "result.json", result)
    return result


if __name__ == "__main__":
    launch(reconstruct)
