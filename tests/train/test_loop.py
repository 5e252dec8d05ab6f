"""Training runs: checkpoints, logs, resumption and initial parameters."""

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

from zoo.config import restore
from zoo.errors import UsageError, ZooError
from zoo.models import lstm
from zoo.train import loop, sharding
from zoo.train.checkpoint import Checkpoints
from zoo.train.log import Log, truncate
from zoo.train.options import Options
from zoo.train.prefetch import Prefetcher
from zoo.train.tensorboard import crc32c, scalar

pytestmark = pytest.mark.usefixtures("eight")


def fit(
    workdir,
    steps=6,
    *,
    batches=None,
    family=None,
    validate=None,
    pretrained=None,
    **options,
):
    return loop.fit(
        family or Quadratic(300, noise=0.1),
        batches or Points(),
        tx=optax.adam(1e-2),
        steps=steps,
        workdir=workdir,
        options=Options(**{"save_every": 2, "log_every": 1, "quiet": True, **options}),
        validate=validate,
        pretrained=pretrained,
    )


def losses(*values):
    """Returns a validation function that yields the values one after another."""
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


def test_the_latest_and_the_best_checkpoints_are_kept(tmp_path):
    fit(tmp_path, 10, keep=2, validate=losses(3.0, 1.0, float("nan"), 2.0, 4.0))
    assert kept(tmp_path) == ([4, 8, 10], 4)
    fit(
        tmp_path, 14, keep=2, validate=losses(0.5, 9.0)
    )  # a resumed run remembers the best
    assert kept(tmp_path) == ([12, 14], 12)
    assert [
        p for p in (tmp_path / "checkpoints").iterdir() if not p.name.isdigit()
    ] == []


def test_without_validation_the_latest_is_the_best(tmp_path):
    fit(tmp_path, 6, keep=1)
    assert kept(tmp_path) == ([6], 6)


def test_a_finished_run_does_nothing_when_repeated(tmp_path):
    first = fit(tmp_path, 6, validate=losses(3.0, 2.0, 1.0))
    before = (tmp_path / "metrics.jsonl").read_text()
    again = fit(tmp_path, 6, validate=losses())
    assert digest(first.state) == digest(again.state)
    assert again.first_step == 0
    assert (tmp_path / "metrics.jsonl").read_text() == before
    with pytest.raises(UsageError, match="at step 6 already"):
        fit(tmp_path, 5)


def test_a_resumed_run_logs_the_curve_of_an_uninterrupted_one(tmp_path):
    """A kill may leave lines past the checkpoint and an incomplete one."""
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
    on_read = lambda index: index == 3 and pytest.fail("unreadable batch")
    with pytest.raises(pytest.fail.Exception):
        fit(tmp_path / "breaks", batches=Points(on_read=on_read))
    left = set(threading.enumerate()) - before
    # Orbax's event loop keeps one idle helper for the life of the process
    assert not [thread for thread in left if not thread.name.startswith("asyncio_")]


def test_a_save_during_training_has_the_state_of_its_step(tmp_path):
    """The state is donated to the next step while it is being written."""
    wide = {"family": Quadratic(300_000, noise=0.1), "keep": 10, "save_every": 1}
    busy = fit(tmp_path / "busy", 4, **wide)
    with Checkpoints(tmp_path / "busy", read_only=True) as checkpoints:
        saved = [digest(checkpoints.restore(busy.state, step)) for step in (1, 2, 3)]
    calm = [digest(fit(tmp_path / "calm", step, **wide).state) for step in (1, 2, 3)]
    assert saved == calm


def test_a_run_starts_from_the_parameters_of_another(tmp_path, capsys):
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
    printed = capsys.readouterr().err
    assert "1 tensors loaded" in printed
    assert "new: net/is, net/old" in printed
    assert "skipped: net/old, net/was" in printed
    with Checkpoints(tmp_path / "from", read_only=True) as checkpoints:
        best = checkpoints.restore(source.state, 4)
    # one step of Adam moves a parameter by no more than its rate
    moved = np.abs(started.state.params["net"]["w"] - best.ema["net"]["w"])
    assert 0 < moved.max() <= 0.011
    with pytest.raises(UsageError, match="no tensor"):
        fit(tmp_path / "none", 1, family=Quadratic(7), init_from=str(tmp_path / "from"))
    with pytest.raises(ZooError, match="no run at"):
        fit(tmp_path / "lost", 1, init_from=str(tmp_path / "nowhere"))


def test_pretrained_networks_replace_the_initial_ones(tmp_path):
    """Parameters and average need separate buffers. A resumed run ignores them."""
    pretrained = {"net": {"w": jnp.full(4, 5.0)}}
    begun = fit(tmp_path, 1, family=Quadratic(4), pretrained=pretrained, ema=0.5)
    assert np.abs(begun.state.params["net"]["w"] - 5).max() <= 0.011
    assert pretrained["net"]["w"][0] == 5  # not donated
    again = fit(
        tmp_path,
        2,
        family=Quadratic(4),
        pretrained={"net": {"w": jnp.zeros(4)}},
        ema=0.5,
    )
    assert np.abs(again.state.params["net"]["w"] - 5).max() <= 0.021


def test_prefetching_keeps_the_order_and_raises_errors_of_their_batch():
    mesh = sharding.mesh()
    with Prefetcher(Points(delay=0.1), mesh, 3, 9) as prefetcher:
        batches = dict(prefetcher)
    assert list(batches) == list(range(3, 9))
    for index, batch in batches.items():
        assert np.array_equal(batch["x"], Points()[index]["x"])
    assert prefetcher.waited >= 0.2
    last_drawn = threading.Event()
    drawing = lambda index: last_drawn.set() if index == 3 else None
    with Prefetcher(Points(on_read=drawing), mesh, 0, 4, ahead=4) as prefetcher:
        assert last_drawn.wait(timeout=60)
        list(prefetcher)
    assert prefetcher.waited < 0.5

    def on_read(index):
        if index == 1:
            raise OSError("gone")

    with Prefetcher(Points(on_read=on_read), mesh, 0, 4) as prefetcher:
        batches = iter(prefetcher)
        assert next(batches)[0] == 0
        with pytest.raises(OSError, match=r"^gone$"):
            next(batches)


def test_progress_lines_without_a_terminal(tmp_path, capsys):
    fit(tmp_path, quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("step 6/6  loss ")
    assert "input wait" in err
    assert "\x1b" not in err


def test_a_progress_bar_on_a_terminal(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with Log(tmp_path, 10, 0) as log:
        log.show(5, "loss 1.5000")
        log.progress.refresh()
        printed = sys.stderr.getvalue()
    assert "5/10" in printed
    assert "loss 1.5000" in printed
    assert "step 5/10" not in printed


def test_truncation_keeps_the_lines_up_to_the_checkpoint(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 1}\n{"step": 2}\n{"step": 2, "valid": 1}\nnoise\n{"step": 3}\n{"st'
    )
    truncate(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 2, "valid": 1}\n'


def test_events_have_the_format_of_tensorboard():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720
    # serialised by TensorFlow's Event protocol buffer
    event = "09000000000000f83f10ac022a110a0f0a086669742f6c6f7373150000803e"
    assert (
        scalar(1.5, 300, "fit/loss", 0.25).hex()
        == f"1f00000000000000514b4418{event}4b5a217f"
    )


def test_a_checkpoint_of_format_1_loads(tmp_path, request):
    """`golden` was written once, together with its loss."""
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


class OwnBatches:
    """Batches with random access and no length."""

    def __getitem__(self, index):
        return lstm.TINY.example(8)


@pytest.mark.parametrize("batches", [[lstm.TINY.example(8)] * 2, OwnBatches()])
def test_a_checkpoint_records_its_family(tmp_path, batches):
    fit(tmp_path, 2, family=lstm.TINY, batches=batches)
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        meta = checkpoints.meta(2)
    assert restore(meta["family"]) == lstm.TINY


def test_a_family_that_cannot_be_recorded_trains_without_a_record(tmp_path):
    class Local(Quadratic):
        def __getattribute__(self, name):
            return object() if name == "noise" else super().__getattribute__(name)

        def loss(self, params, batch, rng, step):
            return 0.5 * (params["net"]["w"] ** 2).sum(), {}

    fit(tmp_path, 2, family=Local(4))
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert "family" not in checkpoints.meta(2)
