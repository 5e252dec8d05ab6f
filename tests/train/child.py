"""A training run in its own process, for tests that kill it or send it signals.

It prints "batch I" when it reads the batch of step I, and finally a digest of its
state.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import resource
import signal
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent


def spawn(workdir, *args, devices=1, **popen):
    """Starts a process that trains in `workdir`."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    return subprocess.Popen(
        [sys.executable, "-u", __file__, str(workdir), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        **popen,
    )


@contextlib.contextmanager
def running(*processes):
    """Ends the processes on exit."""
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


def finish(process, timeout=300):
    """Returns exit code, standard output and standard error."""
    with running(process):
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err


def first_batch(process):
    """Returns the first step of a run, which is about to compile or to take it."""
    batches = (line for line in process.stdout if line.startswith("batch "))
    next(batches)  # read for its shape
    return int(next(batches).split()[1])


def digest(state):
    """Returns a hash of all arrays of a state."""
    import jax
    import numpy as np

    state = state._replace(rng=jax.random.key_data(state.rng))
    sha = hashlib.sha256()
    for leaf in jax.tree.leaves(state):
        sha.update(np.asarray(leaf.addressable_data(0)).tobytes())
    return sha.hexdigest()


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--save-every", type=int, default=2)
    parser.add_argument("--width", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--largest-file", type=int)
    parser.add_argument("--coordinator")
    parser.add_argument("--process", type=int)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--placement", default="replicate")
    return parser.parse_args()


def main():
    args = parse()
    import jax
    import optax
    from quadratic import Points, Quadratic

    from zoo.errors import ZooError
    from zoo.train import distributed, loop
    from zoo.train.options import Options

    distributed.connect(args.coordinator, args.processes, args.process)
    if args.largest_file is not None:  # a larger write fails, as on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (args.largest_file, resource.RLIM_INFINITY)
        )
    share = slice(jax.process_index(), None, jax.process_count())
    on_read = lambda index: print("batch", index)
    try:
        outcome = loop.fit(
            Quadratic(args.width, noise=0.1),
            Points(delay=args.delay, on_read=on_read, share=share),
            tx=optax.adam(1e-2),
            steps=args.steps,
            workdir=args.workdir,
            options=Options(
                save_every=args.save_every,
                log_every=1,
                ema=0.9,
                placement=args.placement,
            ),
            validate=lambda params: {
                "valid": float(params["net"]["w"].addressable_data(0)[0])
            },
        )
    except ZooError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from error
    print("digest", digest(outcome.state))


if __name__ == "__main__":
    main()
