"""Reading of files in worker processes, so that no file can stop the others.

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
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits, Piece
from zoo.data.scores.read import read
from zoo.errors import ZooError

BATCH = 8  # files sent to a worker at once
# Limits on files that are read before an earlier one is finished.
MAX_AHEAD_FILES, MAX_AHEAD_BYTES = 64, 16 << 20
START_TIMEOUT = 300.0  # seconds that the imports of a worker may take
ENTRY = (
    "import sys; from zoo.data.corpora.workers import serve; serve(int(sys.argv[1]))"
)

Reader = Callable[[Path, Limits], list[Piece]]  # importable by its name
Packed = list[tuple[str, bytes | None, Refused | None, Mapping[str, int]]]


class Job(NamedTuple):
    """A file to read, and its number in the order."""

    number: int
    path: Path


def read_all(
    paths: Iterable[str | Path],
    limits: Limits = Limits(),
    workers: int = 2,
    reader: Reader = read,
) -> Iterator[tuple[Path, list[Piece]]]:
    """Reads files in worker processes; yields each path with its pieces, in order.

    A file that exceeds `limits.seconds` is refused as `timeout`, one that ends its
    process as `crash`. `limits.memory` is enforced if the system supports it. `paths`
    is consumed lazily.

    Args:
      paths: the files.
      limits: limits on one file.
      workers: number of processes.
      reader: reads one file.

    Raises:
      ZooError: no process can be started.
    """
    queue, pool = _Queue(paths), list[_Worker]()
    done: dict[int, tuple[Path, Packed]] = {}
    index = 0
    try:
        while True:
            while any(not w.jobs for w in pool) or len(pool) < workers:
                batch = queue.batch()
                if not batch:
                    break
                if all(worker.jobs for worker in pool):
                    pool.append(_Worker(reader, limits))
                next(worker for worker in pool if not worker.jobs).send(batch)
            if not any(worker.jobs for worker in pool):
                return
            for job, packed in _answers(pool, queue):
                done[job.number] = job.path, packed
            while index in done:
                path, packed = done.pop(index)
                yield path, _unpack(packed)
                queue.close(index)
                index += 1
    finally:
        for worker in pool:
            worker.end()


class _Queue:
    """The jobs in order, at most `MAX_AHEAD_*` ahead of the results."""

    def __init__(self, paths: Iterable[str | Path]):
        self.source = enumerate(map(Path, paths))
        self.returned: deque[Job] = deque()  # unread jobs of workers that ended
        self.open: dict[int, int] = {}  # bytes of each file that is not yet yielded

    def batch(self) -> list[Job]:
        """Takes the next jobs; empty if there are none, or too many are open."""
        jobs: list[Job] = []
        while len(jobs) < BATCH:
            if self.returned:
                jobs.append(self.returned.popleft())
                continue
            full = sum(self.open.values()) >= MAX_AHEAD_BYTES
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

    def close(self, index: int) -> None:
        """Notes that the result of a job was yielded."""
        self.open.pop(index, None)


class _Worker:
    """A process that reads files; `jobs` are unanswered, the current one first."""

    def __init__(self, reader: Reader, limits: Limits):
        self.limits, self.ready = limits, False
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
                env={**os.environ, **one_thread, **path},
            )
        self.connection = Connection(ours.detach())
        self._send((reader, limits))

    def send(self, batch: list[Job]) -> None:
        """Sends jobs to the process."""
        self.jobs.extend(batch)
        if self.ready:
            self.deadline = time.monotonic() + self.limits.seconds
        self._send([str(job.path) for job in batch])

    def _send(self, message: object) -> None:
        # A broken connection is noticed when the answer is received.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def receive(self) -> tuple[Job, Packed] | None:
        """Receives an answer, None after the imports; raises EOFError on exit."""
        packed = self.connection.recv()
        self.deadline = time.monotonic() + self.limits.seconds
        if packed is None:
            self.ready = True
            return None
        return self.jobs.popleft(), packed

    def end(self) -> int:
        """Stops the process; returns its exit code, negative for a signal."""
        self.connection.close()
        if self.jobs:
            self.process.kill()
        return self.process.wait()


def _answers(pool: list[_Worker], queue: _Queue) -> Iterator[tuple[Job, Packed]]:
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
            seconds = worker.limits.seconds
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
            yield job, [(job.path.name, None, refused, {})]


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


def _unpack(packed: Packed) -> list[Piece]:
    return [
        Piece(
            name,
            data if data is None else NoteSequence.FromString(data),
            refused,
            remarks=remarks,
        )
        for name, data, refused, remarks in packed
    ]


def serve(descriptor: int) -> None:
    """Runs a worker: reads the files whose paths arrive at socket `descriptor`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):  # the parent has finished
        reader, limits = connection.recv()
        _limit_memory(limits.memory)
        connection.send(None)
        while True:
            for path in connection.recv():
                # The alarm also ends an orphaned process that hangs in C code.
                signal.alarm(math.ceil(limits.seconds) + 60)
                packed = _read(reader, Path(path), limits)
                signal.alarm(0)
                connection.send(packed)


def _read(reader: Reader, path: Path, limits: Limits) -> Packed:
    try:
        pieces = reader(path, limits)
    except MemoryError:
        detail = "Reading exceeds Limits.memory; raise it or leave the file out."
        pieces = [Piece(path.name, refused=Refused("too-much-memory", detail))]
    except Exception as error:
        detail = (
            f"The reader failed ({type(error).__name__}: {error}); please report the "
            "file."
        )
        pieces = [Piece(path.name, refused=Refused("reader-failed", detail))]
    return [
        (
            p.name,
            p.sequence.SerializeToString() if p.sequence else None,
            p.refused,
            dict(p.remarks),
        )
        for p in pieces
    ]


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
