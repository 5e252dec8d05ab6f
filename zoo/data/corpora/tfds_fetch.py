"""Download of TFDS datasets, which needs TensorFlow."""

import contextlib
import importlib.util
import io
from typing import Any

from zoo.errors import ZooError


def fetch_builder(name: str, alternative: str) -> Any:
    """Downloads and prepares a TFDS dataset, and returns its builder.

    Args:
      name: of the dataset in TFDS.
      alternative: what error messages suggest instead.

    Raises:
      ZooError: TensorFlow is not installed, or the download fails.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ZooError(
            f"TFDS needs TensorFlow to download {name}: "
            f"pip install 'music-zoo[tfds-catalog]', or {alternative}."
        )
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, file_format="array_record")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare()
    except Exception as error:  # many types: of the network, the archive, the disk
        raise ZooError(
            f"TFDS could not download {name} ({str(error) or type(error).__name__}): "
            f"try again, or {alternative}."
        ) from error
    return builder
