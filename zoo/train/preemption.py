"""SIGTERM, which is how a TPU says that it is being taken away."""

import signal
import threading

import jax
from jax.experimental import multihost_utils


class Stop:
    """Listens while the loop runs; `asked(step)` is the same answer on every process."""

    def __enter__(self) -> "Stop":
        self.received = threading.Event()
        # on many hosts JAX's own notifier listens, and agrees on the step to stop at
        self.mine = (
            jax.process_count() == 1
            and threading.current_thread() is threading.main_thread()
        )
        if self.mine:
            self.previous = signal.signal(
                signal.SIGTERM, lambda *_: self.received.set()
            )
        return self

    def __exit__(self, *_) -> None:
        if self.mine:
            signal.signal(signal.SIGTERM, self.previous)

    def asked(self, step: int) -> bool:
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self.received.is_set()
