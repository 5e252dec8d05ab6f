"""Tables of speed, in the format of the benchmarks."""

import numpy as np
from cells import result
from speed import COLUMNS

from zoo.errors import markdown


def speed() -> str:
    """Returns the table of training and sampling speed by model."""
    rows = result("benchmark")["metrics"].values()
    cells = [[cell(row) for cell in COLUMNS.values()] for row in rows]
    return markdown(list(COLUMNS), cells)


def audio_speed() -> str:
    """Returns the table of the speed of audio operations and of the vocoder."""
    rows = []
    for name, row in result("benchmark_sound")["metrics"].items():
        ratio = f"{row['peer_ratio']:.2f} x" if row["peer_ratio"] else "-"
        rows.append(
            [
                name,
                f"{1e3 * row['seconds']:,.1f} ms",
                f"{row['times_real']:,.0f} x",
                f"{row['parameters'] / 1e6:.1f} M",
                ratio,
            ]
        )
    return markdown(["case", "time", "real time", "parameters", "PyTorch/ours"], rows)


def device() -> str:
    """Returns the device and the versions of the benchmark."""
    published = result("benchmark")
    versions, peer = published["versions"], published["peer"]
    return f"{published['device']}; JAX {versions['jax']}, {peer} {versions[peer]}"


def minutes_of_music() -> str:
    """Returns the time that `make music` takes, the mean over seeds."""
    return f"{np.mean(result('music')['seconds']) / 60:.1f} minutes"
