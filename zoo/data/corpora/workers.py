"""Reading many files in processes of their own, so that no file can stop the rest.

A worker is a fresh interpreter rather than a fork: the parent may hold JAX's threads, and its main
module need not be run again. It is sent small batches and answers file by file, so that whatever
ends it is blamed on the file in hand; the others of its batch go to its successor.
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
AHEAD_FILES, AHEAD_BYTES = 64, 16 << 20  # taken before their turn to be given out
START = 300.0  # seconds a worker may take to import what it needs
ENTRY = (
    "import sys; from zoo.data.corpora.workers import serve; serve(int(sys.argv[1]))"
)

Reader = Callable[[Path, Limits], list[Piece]]  # importable by its name
Packed = list[tuple[str, bytes | None, Refused | None, Mapping[str, int]]]


class Job(NamedTuple):
    """A file to read, and its place in the order."""

    turn: int
    path: Path


def read_all(
    paths: Iterable[str | Path],
    limits: Limits = Limits(),
    workers: int = 2,
    reader: Reader = read,
) -> Iterator[tuple[Path, list[Piece]]]:
    """Each path with its pieces, in the order of `paths`, read by `reader` in `workers` processes.

    A file that takes over `limits.seconds` is refused as `timeout`, one that ends its process as
    `crash`; memory beyond `limits.memory` is refused to a process where the system can do that.
    Paths are taken as they are needed, and few before their turn. Raises ZooError if no process
    can be started.
    """
    intake, crew = _Intake(paths), list[_Worker]()
    done: dict[int, tuple[Path, Packed]] = {}
    turn = 0
    try:
        while True:
            while any(not w.jobs for w in crew) or len(crew) < workers:
                batch = intake.batch()
                if not batch:
                    break
                if all(worker.jobs for worker in crew):
                    crew.append(_Worker(reader, limits))
                next(worker for worker in crew if not worker.jobs).send(batch)
            if not any(worker.jobs for worker in crew):
                return
            for job, packed in _answers(crew, intake):
                done[job.turn] = job.path, packed
            while turn in done:
                path, packed = done.pop(turn)
                yield path, _unpack(packed)
                intake.close(turn)
                turn += 1
    finally:
        for worker in crew:
            worker.end()


class _Intake:
    """Gives out jobs in order, no further ahead of the results than `AHEAD_*`."""

    def __init__(self, paths: Iterable[str | Path]):
        self.source = enumerate(map(Path, paths))
        self.returned: deque[Job] = deque()  # by workers that ended
        self.open: dict[
            int, int
        ] = {}  # the bytes of what is taken and not yet given out

    def batch(self) -> list[Job]:
        jobs: list[Job] = []
        while len(jobs) < BATCH:
            if self.returned:
                jobs.append(self.returned.popleft())
                continue
            if len(self.open) >= AHEAD_FILES or sum(self.open.values()) >= AHEAD_BYTES:
                break
            taken = next(self.source, None)
            if taken is None:
                break
            jobs.append(Job(*taken))
            with contextlib.suppress(OSError):  # the reader says what is wrong with it
                self.open[taken[0]] = taken[1].stat().st_size
        return jobs

    def close(self, turn: int) -> None:
        self.open.pop(turn, None)


class _Worker:
    """A process that reads; `jobs` are those it has not answered, the one in hand first."""

    def __init__(self, reader: Reader, limits: Limits):
        self.limits, self.ready, self.deadline = limits, False, time.monotonic() + START
        self.jobs: deque[Job] = deque()
        ours, theirs = socket.socketpair()
        one = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
        )
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", ENTRY, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **one, **path},
            )
        self.connection = Connection(ours.detach())
        self._tell((reader, limits))

    def send(self, batch: list[Job]) -> None:
        self.jobs.extend(batch)
        if self.ready:
            self.deadline = time.monotonic() + self.limits.seconds
        self._tell([str(job.path) for job in batch])

    def _tell(self, message: object) -> None:
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # met again on reading
            self.connection.send(message)

    def answer(self) -> tuple[Job, Packed] | None:
        """The next answer; None for word that imports are done. Raises EOFError at its death."""
        packed = self.connection.recv()
        self.deadline = time.monotonic() + self.limits.seconds
        if packed is None:
            self.ready = True
            return None
        return self.jobs.popleft(), packed

    def end(self) -> int:
        """Stop the process, if need be by force; its exit code, negative for a signal."""
        self.connection.close()
        if self.jobs:
            self.process.kill()
        return self.process.wait()


def _answers(crew: list[_Worker], intake: _Intake) -> Iterator[tuple[Job, Packed]]:
    """What has come from the crew by the first answer or deadline; ended workers leave the crew."""
    busy = {worker.connection: worker for worker in crew if worker.jobs}
    soonest = min(worker.deadline for worker in busy.values())
    ready = wait(list(busy), max(0.0, soonest - time.monotonic()))
    for connection, worker in busy.items():
        refused = None
        if connection in ready:
            try:
                answer = worker.answer()
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
            crew.remove(worker)
            if not worker.ready:
                worker.end()
                raise ZooError(
                    f"A reading process ended before its first file (exit code "
                    f"{worker.process.returncode}); run `{sys.executable} -c 'import "
                    "zoo.data.corpora.workers'` to see why."
                )
            worker.end()
            job = worker.jobs.popleft()
            intake.returned.extendleft(reversed(worker.jobs))
            yield job, [(job.path.name, None, refused, {})]


def _crash(worker: _Worker) -> Refused:
    code = worker.process.wait()
    with contextlib.suppress(ValueError):
        return Refused(
            "crash",
            f"Its reading process died of {signal.Signals(-code).name}; leave the file out.",
        )
    return Refused(
        "crash", f"Its reading process exited with code {code}; leave the file out."
    )


def _unpack(packed: Packed) -> list[Piece]:
    return [
        Piece(
            name,
            data if data is None else NoteSequence.FromString(data),
            refused,
            remarks,
        )
        for name, data, refused, remarks in packed
    ]


def serve(descriptor: int) -> None:
    """The life of a worker: read files whose paths the parent sends through `descriptor`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):  # the parent has all it wanted
        reader, limits = connection.recv()
        _confine(limits.memory)
        connection.send(None)
        while True:
            for path in connection.recv():
                # Ends even a parentless process that hangs in C.
                signal.alarm(math.ceil(limits.seconds) + 60)
                packed = _read(reader, Path(path), limits)
                signal.alarm(0)
                connection.send(packed)


def _read(reader: Reader, path: Path, limits: Limits) -> Packed:
    try:
        pieces = reader(path, limits)
    except MemoryError:
        detail = "Reading it needs more than Limits.memory; raise that or leave the file out."
        pieces = [Piece(path.name, refused=Refused("too-much-memory", detail))]
    except Exception as error:
        detail = f"The reader failed ({type(error).__name__}: {error}); please report the file."
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


def _confine(memory: int) -> None:
    """Cap this process's address space at what it has and `memory` bytes more, if that is known."""
    try:
        import resource

        held = (
            int(Path("/proc/self/statm").read_text().split()[0])
            * resource.getpagesize()
        )
    except (ImportError, OSError):
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + memory, most))
