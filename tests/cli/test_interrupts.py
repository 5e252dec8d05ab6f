"""Ctrl-C in a process of its own, at several times of its life."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# a shell may have started the tests with SIGINT ignored
ENABLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
PROGRAMS = {
    "while it imports": f"""
        import zoo
        {INTERRUPT}
    """,
    "in a command": f"""
        from zoo.errors import exit_on_error
        def command():
            {INTERRUPT}
        exit_on_error(command)
    """,
    "in a callback that ignores it": f"""
        import gc, time
        from zoo.errors import exit_on_error
        import zoo
        def callback(phase, info):
            gc.callbacks.remove(callback)
            {INTERRUPT}
        def command():
            gc.callbacks.append(callback)
            gc.collect()
            time.sleep(60)
        exit_on_error(command)
    """,
    "twice": f"""
        import zoo
        from zoo.errors import exit_on_error
        def command():
            try:
                {INTERRUPT}
            finally:
                {INTERRUPT}
        exit_on_error(command)
    """,
}


@pytest.mark.parametrize("when", PROGRAMS)
def test_an_interruption_is_one_line(tmp_path, when):
    place = tmp_path / "experiments" / "topic"
    place.mkdir(parents=True)
    (place / "some.py").write_text(f"{ENABLE}\n{textwrap.dedent(PROGRAMS[when])}")
    done = subprocess.run(
        [sys.executable, str(place / "some.py")],
        capture_output=True,
        text=True,
        timeout=30,  # which is less than a program sleeps
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (
        130,
        "interrupted: run the same command again.\n",
    )
