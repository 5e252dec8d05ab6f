"""Prefetching of batches to the devices."""

import collections
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from jax.sharding import Mesh

from zoo.core import Batch
from zoo.train import sharding

DEPTH = 4  # batches that are loaded ahead


class Batches(Protocol):
    """Random access to batches.

    `batches[i]` is this process's rows of the batch of step `i`, as arrays. It must
    depend on `i` only, so that a resumed run sees the same batches.
    """

    def __getitem__(self, index: int) -> Batch: ...


class Prefetcher:
    """Iterates over `(i, batches[i])` for start <= i < stop, loading ahead in a thread.

    An error raised by `batches[i]` is raised again when batch i is consumed.

    Attributes:
      waited: seconds that the consumer has waited for batches.
    """

    def __init__(
        self,
        batches: Batches,
        mesh: Mesh,
        start: int,
        stop: int,
        *,
        ahead: int = DEPTH,
    ) -> None:
        self.batches, self.mesh, self.indices = batches, mesh, iter(range(start, stop))
        self.waited = 0.0
        self.queue: collections.deque[tuple[int, Future[Batch]]] = collections.deque()
        self.pool = ThreadPoolExecutor(1, "prefetch")
        for _ in range(ahead):
            self.submit_next()

    def submit_next(self) -> None:
        if (index := next(self.indices, None)) is not None:
            self.queue.append((index, self.pool.submit(self.load, index)))

    def load(self, index: int) -> Batch:
        return sharding.shard_batch(self.mesh, self.batches[index])

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        while self.queue:
            index, future = self.queue.popleft()
            self.submit_next()
            began = time.perf_counter()
            batch = future.result()
            self.waited += time.perf_counter() - began
            yield index, batch

    def __enter__(self) -> "Prefetcher":
        return self

    def __exit__(self, *_) -> None:
        self.pool.shutdown(cancel_futures=True)
