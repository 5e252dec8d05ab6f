"""Disk failures and non-finite gradients give short errors and lose no checkpoint."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from child import digest, finish, spawn
from quadratic import Points, Quadratic

from zoo.errors import UsageError, ZooError
from zoo.train import loop
from zoo.train.checkpoint import Checkpoints
from zoo.train.options import Options

ALWAYS_NAN = range(3, 1000)


LSTM_META = {"family": {"class": "zoo.models.lstm.LSTM", "width": 64}}


def fit(workdir, steps=6, *, batches=None, family=None, tx=None, meta=None, **options):
    return loop.fit(
        family or Quadratic(300, noise=0.1),
        batches or Points(),
        tx=tx or optax.adam(1e-2),
        steps=steps,
        workdir=workdir,
        options=Options(save_every=2, log_every=1, quiet=True, **options),
        meta=LSTM_META if meta is None else meta,
    )


def steps(workdir):
    with Checkpoints(workdir, read_only=True) as checkpoints:
        return checkpoints.steps


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    fit(workdir, 6)
    return workdir


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def empty(path):
    path.write_bytes(b"")


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [empty, halve, remove])
@pytest.mark.parametrize("file", ["meta/metadata", "params/d/*", "rest/manifest.ocdbt"])
def test_a_damaged_checkpoint_names_the_one_before(run, file, damage):
    (damaged,) = (run / "checkpoints" / "6").glob(file)
    damage(damaged)
    with pytest.raises(
        ZooError, match=r"^checkpoint 6 in \S+ cannot be read \(.*`restore_step=4`"
    ):
        fit(run, 8)
    assert steps(run) == [4, 6]


def test_going_back_deletes_later_checkpoints(run, trained):
    empty(run / "checkpoints" / "6" / "rest" / "_METADATA")
    earlier = fit(run, 5, restore_step=4)
    assert steps(run) == [4, 5]
    later = fit(run, 6)
    assert int(earlier.state.step) == 5
    with Checkpoints(trained, read_only=True) as checkpoints:
        assert digest(checkpoints.restore(later.state, 6)) == digest(later.state)


def test_a_missing_checkpoint_lists_the_existing_ones(run):
    with pytest.raises(UsageError, match=r"no checkpoint 3 in \S+: it has 4, 6"):
        fit(run, restore_step=3)


def test_damaged_metrics_do_not_hide_a_checkpoint(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        state = fit(tmp_path / "other", 1).state
        checkpoints.save(state, {}, valid=1.0)
    empty(tmp_path / "checkpoints" / "1" / "metrics" / "metrics")
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert digest(checkpoints.restore(state, checkpoints.best)) == digest(state)


def test_another_family_is_refused_and_both_are_named(run):
    with pytest.raises(UsageError, match=r"class=LSTM.*class=MusicVAE"):
        fit(run, meta={"family": {"class": "zoo.models.vae.MusicVAE", "width": 64}})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"family": Quadratic(400)}, r"\[300\].*\[400\]"),
        ({"tx": optax.sgd(1.0)}, "opt/fit"),
    ],
)
def test_tensors_that_do_not_fit_are_named(run, other, message):
    with pytest.raises(UsageError, match=message):
        fit(run, **other)


def test_a_directory_that_is_not_a_checkpoint_is_refused(tmp_path):
    folder = tmp_path / "checkpoints" / "7"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("not a checkpoint")
    with pytest.raises(ZooError, match=r"checkpoint 7 .* cannot be read"):
        fit(tmp_path)


def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    with ocp.CheckpointManager(tmp_path / "checkpoints") as manager:
        manager.save(3, args=ocp.args.StandardSave({"w": np.ones(3)}))
    with pytest.raises(ZooError, match=r"checkpoint 3 .* cannot be read"):
        fit(tmp_path)


def test_a_newer_format_asks_for_an_upgrade(run):
    about = run / "checkpoints" / "6" / "meta" / "metadata"
    about.write_text(
        about.read_text().replace('"format":1', '"format":2').replace(": 1,", ": 2,")
    )
    with pytest.raises(ZooError, match="upgrade music-zoo"):
        fit(run)


def test_an_unwritable_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="`workdir`"):
        fit(tmp_path / "file")


def test_a_full_disk_loses_only_the_steps_since_the_last_save(tmp_path):
    wide = ("--width", 50_000, "--save-every", 2)
    fit(tmp_path / "run", 4, family=Quadratic(50_000, noise=0.1), ema=0.9, meta={})
    code, _, err = finish(
        spawn(tmp_path / "run", "--steps", 8, *wide, "--largest-file", 50_000)
    )
    assert code == 1
    (message,) = [
        line for line in err.splitlines() if "step 4 is safe: free space" in line
    ]
    assert "too large" in message
    assert steps(tmp_path / "run") == [2, 4]
    code, _, err = finish(spawn(tmp_path / "run", "--steps", 8, *wide))
    assert code == 0, err
    assert steps(tmp_path / "run") == [6, 8]


def test_a_save_that_does_not_fit_is_not_started(run, monkeypatch):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 999)
    )
    with pytest.raises(
        ZooError, match=r"save step 8 .*0.0 are free\); step 6 is safe: free space"
    ):
        fit(run, 8)
    monkeypatch.undo()
    assert int(fit(run, 8).state.step) == 8


def test_bad_batches_are_skipped(tmp_path):
    good, bad = (
        fit(tmp_path / name, 8, batches=Points(bad=bad)).state
        for name, bad in {"good": (), "bad": (2, 3, 4)}.items()
    )
    assert int(bad.step) == 8
    assert np.isfinite(bad.params["net"]["w"]).all()
    before, after = (
        fit(tmp_path / f"{n}", n, batches=Points(bad=(2, 3, 4))) for n in (2, 5)
    )
    assert np.array_equal(
        before.state.params["net"]["w"], after.state.params["net"]["w"]
    )
    assert not np.array_equal(good.params["net"]["w"], bad.params["net"]["w"])


def test_ten_bad_batches_in_a_row_stop_the_run(tmp_path):
    with pytest.raises(
        ZooError, match="10 steps in a row, the last of them step 13, on batch 12;"
    ):
        fit(tmp_path, 40, batches=Points(bad=ALWAYS_NAN))
    saved = steps(tmp_path)[-1]
    assert 13 <= saved <= 15
    sane = fit(tmp_path / "sane", 3).state
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        state = checkpoints.restore(sane, saved)
    assert np.array_equal(state.params["net"]["w"], sane.params["net"]["w"])
    # it resumes with correct data
    assert int(fit(tmp_path, 20).state.step) == 20


@pytest.mark.usefixtures("eight")
def test_rows_that_do_not_divide_are_refused_before_compiling(tmp_path):
    with pytest.raises(UsageError, match="multiple of 16"):
        fit(tmp_path, accumulate=2)
    with pytest.raises(UsageError, match="multiple of 8"):
        fit(tmp_path, batches=Points(rows=12))


def test_an_error_of_the_data_is_raised_unchanged(tmp_path):
    def on_read(index):
        if index == at:
            raise UsageError(f"no batch {index}")

    for at in (0, 3):
        with pytest.raises(UsageError, match=f"^no batch {at}$"):
            fit(tmp_path / str(at), batches=Points(on_read=on_read))
    assert jax.tree.leaves(fit(tmp_path / "3").state)  # it resumes


@dataclasses.dataclass(frozen=True)
class Overfull(Quadratic):
    """A loss that is infinite from step 4 on, with the same finite gradients."""

    def loss(self, params, batch, rng, step):
        value, metrics = super().loss(params, batch, rng, step)
        return value + jnp.where(step < 4, 0.0, jnp.inf), metrics


def test_ten_infinite_losses_in_a_row_stop_the_run(tmp_path):
    with pytest.raises(ZooError, match=r"loss was not finite for 10 .* step 14, on"):
        fit(tmp_path, 40, family=Overfull())
    assert 14 <= steps(tmp_path)[-1] <= 16


def test_a_corpus_that_changed_is_refused_unless_it_is_accepted(tmp_path):
    fit(tmp_path, 4, meta={"data": "old"})
    with pytest.raises(
        UsageError, match=r"changed since checkpoint 4 .* was old and is new; .*`accept"
    ):
        fit(tmp_path, 6, meta={"data": "new"})
    fit(tmp_path, 6, meta={"data": "new"}, accept_new_data=True)
    fit(tmp_path, 8, meta={"data": "new"})
    assert steps(tmp_path)[-1] == 8
