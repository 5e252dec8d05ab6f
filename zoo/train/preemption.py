"""Handling of SIGTERM, the signal that announces preemption."""

import signal
import threading

import jax
from jax.experimental import multihost_utils


class PreemptionGuard:
    """Records SIGTERM while it is entered, instead of ending the process."""

    def __enter__(self) -> "PreemptionGuard":
        self.received = threading.Event()
        # on several hosts JAX's own handler agrees on a common step to stop at
        self.handles = (
            jax.process_count() == 1
            and threading.current_thread() is threading.main_thread()
        )
        if self.handles:
            self.previous = signal.signal(
                signal.SIGTERM, lambda *_: self.received.set()
            )
        return self

    def __exit__(self, *_) -> None:
        if self.handles:
            signal.signal(signal.SIGTERM, self.previous)

    def requested(self, step: int) -> bool:
        """Returns whether to stop after `step`; every process gets the same answer."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self.received.is_set()
