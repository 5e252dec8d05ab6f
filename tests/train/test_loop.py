"""A run as its owner sees it: what it keeps, what it says, and what it leaves."""

import io
import json
import shutil
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from child import digest
from quadratic import Points, Quadratic

from zoo.errors import UsageError, ZooError
from zoo.train import loop, sharding
from zoo.train.checkpoint import Checkpoints
from zoo.train.log import Log, rewind
from zoo.train.options import Options
from zoo.train.prefetch import Feed
from zoo.train.tensorboard import crc32c, scalar

pytestmark = pytest.mark.usefixtures("eight")


def fit(
    workdir, steps=6, *, batches=None, family=None, validate=None, given=None, **options
):
    return loop.fit(
        family or Quadratic(300, noise=0.1),
        batches or Points(),
        tx=optax.adam(1e-2),
        steps=steps,
        workdir=workdir,
        options=Options(**{"save_every": 2, "log_every": 1, "quiet": True, **options}),
        validate=validate,
        given=given,
    )


def losses(*values):
    """A validation that returns one after another."""
    rest = iter(values)
    return lambda params: {"valid": next(rest)}


def kept(workdir):
    with Checkpoints(workdir, read_only=True) as checkpoints:
        return checkpoints.steps, checkpoints.best


def lines(workdir):
    return [
        json.loads(line)
        for line in (workdir / "metrics.jsonl").read_text().splitlines()
    ]


def test_the_last_few_and_the_best_are_kept(tmp_path):
    fit(tmp_path, 10, keep=2, validate=losses(3.0, 1.0, float("nan"), 2.0, 4.0))
    assert kept(tmp_path) == ([4, 8, 10], 4)
    fit(
        tmp_path, 14, keep=2, validate=losses(0.5, 9.0)
    )  # a resumed run knows what was best
    assert kept(tmp_path) == ([12, 14], 12)
    assert [
        p for p in (tmp_path / "checkpoints").iterdir() if not p.name.isdigit()
    ] == []


def test_without_validation_the_latest_is_the_best(tmp_path):
    fit(tmp_path, 6, keep=1)
    assert kept(tmp_path) == ([6], 6)


def test_a_finished_run_run_again_does_nothing(tmp_path):
    first = fit(tmp_path, 6, validate=losses(3.0, 2.0, 1.0))
    before = (tmp_path / "metrics.jsonl").read_text()
    again = fit(tmp_path, 6, validate=losses())
    assert digest(first.state) == digest(again.state)
    assert again.first_step == 0
    assert (tmp_path / "metrics.jsonl").read_text() == before
    with pytest.raises(UsageError, match="at step 6 already"):
        fit(tmp_path, 5)


def test_a_run_goes_on_with_the_curve_of_one_that_never_stopped(tmp_path):
    """Whatever lines a kill left: those past the checkpoint, and one cut short."""
    whole = fit(tmp_path / "whole", 8, validate=losses(4, 3, 2, 1))
    fit(tmp_path / "parts", 4, validate=losses(4, 3))
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "fit/loss": 1.0}\n{"step": 6, "fit/l')
    parts = fit(tmp_path / "parts", 8, validate=losses(2, 1))
    assert digest(whole.state) == digest(parts.state)
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")
    assert [line["step"] for line in lines(tmp_path / "whole") if "valid" in line] == [
        2,
        4,
        6,
        8,
    ]


def test_a_run_leaves_no_thread(tmp_path):
    before = set(threading.enumerate())
    fit(tmp_path / "ends")
    told = lambda index: index == 3 and pytest.fail("a batch that cannot be read")
    with pytest.raises(pytest.fail.Exception):
        fit(tmp_path / "breaks", batches=Points(told=told))
    left = set(threading.enumerate()) - before
    # Orbax's event loop keeps one idle helper for the life of the process
    assert not [thread for thread in left if not thread.name.startswith("asyncio_")]


def test_saving_while_training_saves_what_was(tmp_path):
    """The state is donated to the next step while its save is still being written."""
    wide = {"family": Quadratic(300_000, noise=0.1), "keep": 10, "save_every": 1}
    busy = fit(tmp_path / "busy", 4, **wide)
    with Checkpoints(tmp_path / "busy", read_only=True) as checkpoints:
        saved = [digest(checkpoints.restore(busy.state, step)) for step in (1, 2, 3)]
    calm = [digest(fit(tmp_path / "calm", step, **wide).state) for step in (1, 2, 3)]
    assert saved == calm


def test_a_run_starts_from_anothers_parameters(tmp_path, capsys):
    class Two(Quadratic):
        def init(self, rng, batch):
            more = {"w": jnp.zeros(self.width), "old": jnp.zeros(3), "was": jnp.ones(2)}
            return {"net": more}

    class Other(Quadratic):
        def init(self, rng, batch):
            more = {"w": jnp.zeros(self.width), "old": jnp.zeros(4), "is": jnp.ones(2)}
            return {"net": more}

    source = fit(
        tmp_path / "from", 6, family=Two(300), ema=0.5, validate=losses(3, 1, 2)
    )
    started = fit(
        tmp_path / "to", 1, family=Other(300), init_from=str(tmp_path / "from")
    )
    said = capsys.readouterr().err
    assert "1 tensors loaded" in said
    assert "new: net/is, net/old" in said
    assert "skipped: net/old, net/was" in said
    with Checkpoints(tmp_path / "from", read_only=True) as checkpoints:
        best = checkpoints.restore(source.state, 4)
    # one step of Adam moves a parameter by no more than its rate
    moved = np.abs(started.state.params["net"]["w"] - best.ema["net"]["w"])
    assert 0 < moved.max() <= 0.011
    with pytest.raises(UsageError, match="no tensor"):
        fit(tmp_path / "none", 1, family=Quadratic(7), init_from=str(tmp_path / "from"))
    with pytest.raises(ZooError, match="no run at"):
        fit(tmp_path / "lost", 1, init_from=str(tmp_path / "nowhere"))


def test_given_networks_take_their_place_at_the_start_and_only_there(tmp_path):
    """They were once handed over twice, to the parameters and to their average, in one buffer."""
    given = {"net": {"w": jnp.full(4, 5.0)}}
    begun = fit(tmp_path, 1, family=Quadratic(4), given=given, ema=0.5)
    assert np.abs(begun.state.params["net"]["w"] - 5).max() <= 0.011
    assert given["net"]["w"][0] == 5  # still ours
    again = fit(
        tmp_path, 2, family=Quadratic(4), given={"net": {"w": jnp.zeros(4)}}, ema=0.5
    )
    assert np.abs(again.state.params["net"]["w"] - 5).max() <= 0.021


def test_the_feed_is_in_order_measures_waiting_and_raises_where_it_is_asked():
    mesh = sharding.mesh()
    with Feed(Points(delay=0.1), mesh, 3, 9) as feed:
        batches = dict(feed)
    assert list(batches) == list(range(3, 9))
    for index, batch in batches.items():
        assert np.array_equal(batch["x"], Points()[index]["x"])
    assert feed.waited >= 0.2
    last_drawn = threading.Event()
    drawing = lambda index: last_drawn.set() if index == 3 else None
    with Feed(Points(told=drawing), mesh, 0, 4, ahead=4) as feed:
        assert last_drawn.wait(timeout=60)
        list(feed)
    assert feed.waited < 0.5

    def told(index):
        if index == 1:
            raise OSError("gone")

    with Feed(Points(told=told), mesh, 0, 4) as feed:
        drawn = iter(feed)
        assert next(drawn)[0] == 0
        with pytest.raises(OSError, match=r"^gone$"):
            next(drawn)


def test_lines_where_there_is_no_terminal(tmp_path, capsys):
    fit(tmp_path, quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("step 6/6  loss ")
    assert "input wait" in err
    assert "\x1b" not in err


def test_a_live_bar_on_a_terminal(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with Log(tmp_path, 10, 0) as log:
        log.show(5, "loss 1.5000")
        log.bar.refresh()
        said = sys.stderr.getvalue()
    assert "5/10" in said
    assert "loss 1.5000" in said
    assert "step 5/10" not in said


def test_rewinding_keeps_what_the_checkpoint_knows(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 1}\n{"step": 2}\n{"step": 2, "valid": 1}\nnoise\n{"step": 3}\n{"st'
    )
    rewind(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 2, "valid": 1}\n'


def test_events_are_what_tensorboard_reads():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720
    # as TensorFlow's own Event protocol buffer serializes it
    event = "09000000000000f83f10ac022a110a0f0a086669742f6c6f7373150000803e"
    assert (
        scalar(1.5, 300, "fit/loss", 0.25).hex()
        == f"1f00000000000000514b4418{event}4b5a217f"
    )


def test_the_first_release_still_loads(tmp_path, request):
    """`golden` was written by format 1 and is never written again; so was its loss."""
    from zoo.config import restore
    from zoo.models import lstm

    golden = request.path.parent / "golden"
    shutil.copytree(golden, tmp_path / "run")
    with Checkpoints(tmp_path / "run", read_only=True) as checkpoints:
        about = checkpoints.meta(checkpoints.latest)
        family = restore(about["family"])
        like = jax.eval_shape(family.init, jax.random.key(0), family.example(1))
        params = checkpoints.params(like, checkpoints.latest)
    assert family == lstm.TINY
    assert about["format"] == 1
    assert restore(about["codec"]).vocab > 0
    loss, _ = family.loss(params, family.example(8), jax.random.key(0), None)
    assert loss == pytest.approx(2.0637758, abs=1e-5)
