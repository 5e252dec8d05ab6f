"""Report of an installation: package versions, devices and cache directories."""

import importlib.metadata
import sys

import jax
from rich.console import Console
from rich.table import Table

from zoo.files import data_root, xla_cache
from zoo.train.distributed import cores

TESTED = {  # versions of the last complete test run
    "jax": "0.10.2",
    "flax": "0.12.8",
    "optax": "0.2.8",
    "orbax-checkpoint": "0.12.8",
    "grain": "0.2.18",
    "tensorflow-datasets": "4.9.10",
    "note-seq": "0.0.5",
    "music21": "10.5.1",
    "soundfile": "0.14.0",
    "verovio": "6.4.1",
    "resvg-py": "0.5.0",
    "tyro": "1.0.17",
    "numpy": "2.4.6",
}


def doctor() -> None:
    """Print installed and tested versions, devices, and cache directories."""
    console = Console()
    table = Table("package", "installed", "tested", "")
    for name, tested in TESTED.items():
        table.add_row(name, *compare_version(name, tested))
    console.print(table)
    console.print(f"Python {sys.version.split()[0]}, {cores()} cores")
    for device in jax.devices():
        console.print(f"device {device.id}: {device.device_kind} ({device.platform})")
    console.print(
        f"corpora and encoded pieces: {data_root()}\ncompiled programs: {xla_cache()}"
    )


def compare_version(name: str, tested: str) -> tuple[str, str, str]:
    """Returns the installed version, the tested one, and advice."""
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing", tested, f"pip install '{name}>={tested}'"
    return installed, tested, "as tested" if installed == tested else "not tested here"
