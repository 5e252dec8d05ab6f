"""Batches on the device before they are asked for; batch `i` is a function of `i` alone."""

import collections
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from jax.sharding import Mesh

from zoo.core import Batch
from zoo.train import sharding


class Batches(Protocol):
    """Random access: `batches[i]` is this process's rows of the batch of step `i`, as arrays."""

    def __getitem__(self, index: int) -> Batch: ...


class Feed:
    """Iterates over `batches[start:stop]`, placed on `mesh`, some `ahead` of their consumer.

    An error in `batches[i]` is raised where batch i is asked for. Leaving it ends its thread.
    """

    def __init__(
        self, batches: Batches, mesh: Mesh, start: int, stop: int, ahead: int = 4
    ):
        self.batches, self.mesh, self.indices = batches, mesh, iter(range(start, stop))
        self.waited = 0.0  # seconds the consumer has stood waiting
        self.queue: collections.deque[tuple[int, Future[Batch]]] = collections.deque()
        self.pool = ThreadPoolExecutor(1, "feed")
        for _ in range(ahead):
            self.ask()

    def ask(self) -> None:
        if (index := next(self.indices, None)) is not None:
            self.queue.append((index, self.pool.submit(self.load, index)))

    def load(self, index: int) -> Batch:
        return sharding.spread(self.mesh, self.batches[index])

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        while self.queue:
            index, future = self.queue.popleft()
            self.ask()
            began = time.perf_counter()
            batch = future.result()
            self.waited += time.perf_counter() - began
            yield index, batch

    def __enter__(self) -> "Feed":
        return self

    def __exit__(self, *_) -> None:
        self.pool.shutdown(cancel_futures=True)
