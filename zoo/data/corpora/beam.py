"""Building on Apache Beam, for collections that are too large for one machine.

Workers need this package, and the same paths to the corpus and to the data folder.
apache-beam is an extra: pip install 'music-zoo[beam]'.
"""

from collections.abc import Sequence
from typing import Any

from zoo.data.corpora.ingest import Chunk, stage_one
from zoo.data.scores.limits import Limits
from zoo.errors import ZooError


def options(flags: Sequence[str]) -> Any:
    """Parses flags such as --runner=FlinkRunner to Beam's PipelineOptions.

    Raises:
      ZooError: apache-beam is not installed.
    """
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise ZooError(
            "Building with Beam needs apache-beam: pip install 'music-zoo[beam]'."
        ) from error
    return PipelineOptions(list(flags))


def runner(flags: Sequence[str]) -> str:
    """Returns the name of the runner in `flags`, by default Beam's DirectRunner."""
    return options(flags).get_all_options()["runner"] or "DirectRunner"


def stage(todo: Sequence[Chunk], limits: Limits, flags: Sequence[str]) -> None:
    """Reads all unfinished chunks of `todo` on the runner."""
    pipeline_options = options(flags)
    import apache_beam as beam

    with beam.Pipeline(options=pipeline_options) as pipeline:
        chunks = pipeline | beam.Create([chunk for chunk in todo if not chunk.done])
        _ = chunks | beam.Reshuffle() | beam.Map(stage_one, limits=limits)
