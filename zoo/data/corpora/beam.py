"""The parts of a build that run on Apache Beam, for collections past one machine.

Workers need this package and the same view of the corpus and of the data folder. apache-beam is an
extra: pip install 'music-zoo[beam]'.
"""

from collections.abc import Sequence
from typing import Any

from zoo.data.corpora.ingest import Chunk, stage_one
from zoo.data.scores.limits import Limits
from zoo.errors import ZooError


def options(flags: Sequence[str]) -> Any:
    """Beam's PipelineOptions from flags like --runner=FlinkRunner. Raises ZooError without Beam."""
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise ZooError(
            "Building with Beam needs apache-beam: pip install 'music-zoo[beam]'."
        ) from error
    return PipelineOptions(list(flags))


def runner(flags: Sequence[str]) -> str:
    """The name of the runner that the flags choose; Beam's own default without one."""
    return options(flags).get_all_options()["runner"] or "DirectRunner"


def stage(todo: Sequence[Chunk], limits: Limits, flags: Sequence[str]) -> None:
    """Read all chunks of `todo` that are not done, wherever the runner puts them."""
    chosen = options(flags)
    import apache_beam as beam

    with beam.Pipeline(options=chosen) as pipeline:
        chunks = pipeline | beam.Create([chunk for chunk in todo if not chunk.done])
        _ = chunks | beam.Reshuffle() | beam.Map(stage_one, limits=limits)
