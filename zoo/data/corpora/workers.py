"""Reading of scores and recordings in worker processes, so that no file can stop the
others.

A worker is a new interpreter, not a fork, because the parent may have JAX's threads. It
receives small batches of paths and answers file by file, so that a crash is attributed
to the current file. The other files of its batch are sent to another worker.
"""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from zoo.data.refusal import Refused
from zoo.errors import ZooError

BATCH, BATCH_BYTES = 8, 4 << 20  # files sent to a worker at once, and about their size
# Limits on files that are read before an earlier one is finished.
MAX_AHEAD_FILES, MAX_AHEAD_BYTES = 64, 16 << 20
START_TIMEOUT = 300.0  # seconds that the imports of a worker may take
ENTRY = (
    "import sys; from zoo.data.corpora.workers import serve; serve(int(sys.argv[1]))"
)

T = TypeVar("T")
Reader = Callable[[Path], T]  # it and its result can be pickled


class Guard(Protocol):
    """Limits on the reading of one file."""

    @property
    def seconds(self) -> float:
        """Wall-clock time."""

    @property
    def memory(self) -> int:
        """Bytes that reading may add to a worker's memory."""


class Job(NamedTuple):
    """A file to read, and its number in the order."""

    number: int
    path: Path


def read_all(
    paths: Iterable[str | Path],
    reader: Reader[T],
    guard: Guard,
    workers: int = 2,
    *,
    ahead_bytes: int = MAX_AHEAD_BYTES,
) -> Generator[tuple[Path, T | Refused]]:
    """Reads files in worker processes; yields each path with its result, in order.

    A file that exceeds `guard.seconds` is refused as `timeout`, one that ends its
    process as `crash`. `guard.memory` is enforced if the system supports it. `paths`
    is consumed lazily.

    Args:
      paths: the files.
      reader: reads one file; it may raise Refused.
      guard: limits on one file.
      workers: number of processes.
      ahead_bytes: size of the files that may be read before an earlier one is finished.

    Raises:
      ZooError: no process can be started, or the reader raises one that is not Refused.
    """
    queue, pool = _Queue(paths, ahead_bytes), list[_Worker]()
    done: dict[int, tuple[Path, T | Refused]] = {}
    index = 0
    try:
        while True:
            while any(not w.jobs for w in pool) or len(pool) < workers:
                batch = queue.batch()
                if not batch:
                    break
                if all(worker.jobs for worker in pool):
                    pool.append(_Worker(reader, guard))
                next(worker for worker in pool if not worker.jobs).send(batch)
            if not any(worker.jobs for worker in pool):
                return
            for job, result in _answers(pool, queue):
                done[job.number] = job.path, result
            while index in done:
                yield done.pop(index)
                queue.close(index)
                index += 1
    finally:
        for worker in pool:
            worker.end()


class _Queue:
    """The jobs in order, at most `MAX_AHEAD_*` ahead of the results."""

    def __init__(self, paths: Iterable[str | Path], ahead_bytes: int):
        self.source = enumerate(map(Path, paths))
        self.ahead_bytes = ahead_bytes
        self.returned: deque[Job] = deque()  # unread jobs of workers that ended
        self.open: dict[int, int] = {}  # bytes of each file that is not yet yielded

    def batch(self) -> list[Job]:
        """Takes the next jobs; empty if there are none, or too many are open."""
        jobs: list[Job] = []
        while len(jobs) < BATCH and self._bytes(jobs) < BATCH_BYTES:
            if self.returned:
                jobs.append(self.returned.popleft())
                continue
            full = sum(self.open.values()) >= self.ahead_bytes
            if len(self.open) >= MAX_AHEAD_FILES or full:
                break
            item = next(self.source, None)
            if item is None:
                break
            job = Job(*item)
            jobs.append(job)
            with contextlib.suppress(OSError):  # the reader reports the error
                self.open[job.number] = job.path.stat().st_size
        return jobs

    def _bytes(self, jobs: list[Job]) -> int:
        return sum(self.open.get(job.number, 0) for job in jobs)

    def close(self, index: int) -> None:
        """Notes that the result of a job was yielded."""
        self.open.pop(index, None)


class _Worker:
    """A process that reads files; `jobs` are unanswered, the current one first."""

    def __init__(self, reader: Reader[Any], guard: Guard):
        self.guard, self.ready = guard, False
        self.deadline = time.monotonic() + START_TIMEOUT
        self.jobs: deque[Job] = deque()
        ours, theirs = socket.socketpair()
        one_thread = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
        )
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", ENTRY, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # decoders print warnings
                process_group=0,  # Ctrl-C is for the parent, which ends its workers
                env={**os.environ, **one_thread, **path},
            )
        self.connection = Connection(ours.detach())
        self._send((reader, guard))

    def send(self, batch: list[Job]) -> None:
        """Sends jobs to the process."""
        self.jobs.extend(batch)
        if self.ready:
            self.deadline = time.monotonic() + self.guard.seconds
        self._send([str(job.path) for job in batch])

    def _send(self, message: object) -> None:
        # A broken connection is noticed when the answer is received.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def receive(self) -> tuple[Job, Any] | None:
        """Receives an answer, None after the imports; raises EOFError on exit."""
        answer = self.connection.recv()
        self.deadline = time.monotonic() + self.guard.seconds
        if not self.ready:
            self.ready = True
            return None
        if isinstance(answer, ZooError) and not isinstance(answer, Refused):
            raise answer
        return self.jobs.popleft(), answer

    def end(self) -> int:
        """Stops the process; returns its exit code, negative for a signal."""
        self.connection.close()
        if self.jobs:
            self.process.kill()
        return self.process.wait()


def _answers(pool: list[_Worker], queue: _Queue) -> Iterator[tuple[Job, Any]]:
    """Waits for the first answer or deadline; removes workers that ended."""
    busy = {worker.connection: worker for worker in pool if worker.jobs}
    soonest = min(worker.deadline for worker in busy.values())
    ready = wait(list(busy), max(0.0, soonest - time.monotonic()))
    for connection, worker in busy.items():
        refused = None
        if connection in ready:
            try:
                answer = worker.receive()
                if answer is not None:
                    yield answer
            except (EOFError, OSError):
                refused = _crash(worker)
        elif worker.deadline <= time.monotonic():
            seconds = worker.guard.seconds
            refused = Refused(
                "timeout", f"Over {seconds:g} seconds; raise Limits.seconds."
            )
        if refused:
            pool.remove(worker)
            if not worker.ready:
                worker.end()
                raise ZooError(
                    f"A worker process ended before its first file (exit code "
                    f"{worker.process.returncode}); run `{sys.executable} -c 'import "
                    "zoo.data.corpora.workers'` to see why."
                )
            worker.end()
            job = worker.jobs.popleft()
            queue.returned.extendleft(reversed(worker.jobs))
            yield job, refused


def _crash(worker: _Worker) -> Refused:
    code = worker.process.wait()
    with contextlib.suppress(ValueError):
        return Refused(
            "crash",
            f"The worker process was ended by {signal.Signals(-code).name}; leave the "
            "file out.",
        )
    return Refused(
        "crash", f"The worker process exited with code {code}; leave the file out."
    )


def serve(descriptor: int) -> None:
    """Runs a worker: reads the files whose paths arrive at socket `descriptor`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):  # the parent has finished
        reader, guard = connection.recv()
        _limit_memory(guard.memory)
        connection.send(None)
        while True:
            for path in connection.recv():
                # The alarm also ends an orphaned process that hangs in C code.
                signal.alarm(math.ceil(guard.seconds) + 60)
                result = _read(reader, Path(path))
                signal.alarm(0)
                connection.send(result)


def _read(reader: Reader[T], path: Path) -> T | ZooError:
    """Returns what `reader` returns, or the error that is to be sent."""
    try:
        return reader(path)
    except ZooError as error:
        return error
    except MemoryError:
        detail = "Reading exceeds Limits.memory; raise it or leave the file out."
        return Refused("too-much-memory", detail)
    except Exception as error:
        detail = (
            f"The reader failed ({type(error).__name__}: {error}); please report the "
            "file."
        )
        return Refused("reader-failed", detail)


def _limit_memory(memory: int) -> None:
    """Limits the address space to `memory` bytes beyond its present size, on Linux."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    soft = pages * resource.getpagesize() + memory
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
