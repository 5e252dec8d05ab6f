"""Datasets that TFDS fetches and decodes, which takes TensorFlow."""

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

from zoo.errors import ZooError


def fetched(name: str, called: str, instead: str, data_dir: Path | None = None) -> Any:
    """TFDS's builder of `name`, which it has built, in its own directory or another.

    Raises ZooError where that takes TensorFlow and there is none, or it cannot be fetched: what is
    `called` so can be had `instead`.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ZooError(
            f"TFDS needs TensorFlow to fetch {called}: pip install 'music-zoo[tfds-catalog]', or "
            f"{instead}."
        )
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare()
    except (
        Exception
    ) as error:  # of many kinds: of the network, of the archive, of the disk
        raise ZooError(
            f"TFDS could not fetch {called} ({str(error) or type(error).__name__}): try again, or "
            f"{instead}."
        ) from error
    return builder
