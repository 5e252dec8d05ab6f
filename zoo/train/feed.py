"""Batches on the device before they are asked for; batch `i` is a function of `i` alone."""

import collections
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from jax.sharding import Mesh

from zoo.core import Batch
from zoo.train import shard


class Batches(Protocol):
    """Random access: `batches[i]` is this process's rows of the batch of step `i`, as arrays."""

    def __getitem__(self, index: int) -> Batch: ...


class Feed:
    """Iterates over `batches[start:stop]`, placed on `mesh`, some `ahead` of their consumer."""

    def __init__(self, batches: Batches, mesh: Mesh, start: int, stop: int, ahead: int = 4):
        self.batches, self.mesh, self.range, self.ahead = batches, mesh, range(start, stop), ahead
        self.waited = 0.0  # seconds the consumer has stood waiting

    def load(self, index: int) -> Batch:
        return shard.spread(self.mesh, self.batches[index])

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        queue: collections.deque[tuple[int, Future[Batch]]] = collections.deque()
        indices = iter(self.range)
        with ThreadPoolExecutor(1, "feed") as pool:
            try:
                while True:
                    while len(queue) < self.ahead and (index := next(indices, None)) is not None:
                        queue.append((index, pool.submit(self.load, index)))
                    if not queue:
                        return
                    index, future = queue.popleft()
                    began = time.perf_counter()
                    batch = future.result()
                    self.waited += time.perf_counter() - began
                    yield index, batch
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
