"""A run on audio: its record, its page, its model, and reconstructions by it."""

import dataclasses
import importlib
import json
import types
import wave

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

import zoo
import zoo.cli.main
from zoo.data.audio.recordings import Recording
from zoo.data.codecs.waveform import Waveform
from zoo.errors import UsageError
from zoo.evaluation.audio import AudioEvaluation, reconstruction_metrics
from zoo.evaluation.instrument_classifier import learn
from zoo.inference.resynthesis import AudioModel, reconstructed, resynthesise
from zoo.inference.timbre_transfer import (
    PrincipalAxes,
    Statistics,
    interpolated,
    latents,
    matched,
    transfer,
)
from zoo.models import MelVocoder
from zoo.models.variational_vocoder import TINY
from zoo.runner import train
from zoo.tasks import Audio
from zoo.train.options import Options

RATE = 800
FEW = AudioEvaluation(measured=2, judged=2, besides="")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of four steps on a few recordings, the last two against the critic.

    Yields its directory, and the excerpts of the test split.
    """
    home = tmp_path_factory.mktemp("audio")
    (home / "bells").mkdir()
    for i in range(6):
        tone = 0.5 * np.sin(2 * np.pi * (50 + 20 * i) / RATE * np.arange(4 * RATE))
        soundfile.write(home / "bells" / f"{i}.wav", tone, RATE)
    task = Audio(
        f"audio_folder:{home / 'bells'}", RATE, seconds=1.0, length=256, batch=4
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(home / "data"))
        train(
            dataclasses.replace(TINY, rate=RATE, warm=2),
            task,
            name="bells",
            workdir=home / "run",
            steps=4,
            options=Options(quiet=True),
            samples=2,
            evaluate=lambda _, task: {"batches": len([*task.eval_batches("test")])},
        )
        yield home / "run", task.excerpts("test")


def test_it_leaves_a_record(run):
    home, test = run
    result = json.loads((home / "result.json").read_text())
    assert result["metrics"]["batches"] == -(-len(test) // 4)
    assert result["metrics"]["test_reconstruct_distance"] > 0
    config = json.loads((home / "config.json").read_text())
    assert config["codec"]["rate"] == config["family"]["rate"] == RATE


def test_the_page_has_originals_and_reconstructions(run):
    home, test = run
    names = {path.name for path in (home / "samples").iterdir()}
    versions = ("original", "reconstruction")
    wavs = {f"{i:02d}-{version}.wav" for i in (1, 2) for version in versions}
    assert names == wavs | {"01.png", "02.png", "index.html"}
    with wave.open(str(home / "samples" / "01-original.wav")) as file:
        samples = np.frombuffer(file.readframes(RATE), "<i2")
        assert file.getframerate() == RATE
    np.testing.assert_allclose(samples, test[0].audio, atol=2)
    page = (home / "samples" / "index.html").read_text()
    assert page.count("<audio") == 4
    assert page.count("data:image/png") == 2


def test_a_loaded_model_reconstructs_as_in_training(run):
    home, test = run
    model = zoo.load(home)
    x = model.codec.decode(test[0].audio)[None]
    once, again = (reconstructed(model, x) for _ in range(2))
    assert once.shape == x.shape
    assert np.array_equal(once, again)
    with wave.open(str(home / "samples" / "01-reconstruction.wav")) as file:
        written = np.frombuffer(file.readframes(RATE), "<i2") / 32767
    np.testing.assert_allclose(written, np.clip(once[0], -1, 1), atol=1e-3)


@pytest.mark.parametrize(("seconds", "rate"), [(7.3, 44_100), (0.01, RATE)])
def test_a_recording_is_reconstructed_in_blocks_as_the_whole(
    run, tmp_path, seconds, rate
):
    model = zoo.load(run[0])
    noise = 0.1 * np.random.default_rng(0).normal(size=int(seconds * rate))
    soundfile.write(tmp_path / "a.wav", noise, rate)
    length, out_rate = resynthesise(model, tmp_path / "a.wav", tmp_path / "out.wav")
    made, at = soundfile.read(tmp_path / "out.wav")
    assert (round(length, 6), out_rate, at) == (len(made) / RATE, RATE, RATE)
    original = np.concatenate([*Recording(tmp_path / "a.wav", RATE).resampled()])
    assert abs(len(made) - seconds * RATE) <= 1
    whole = reconstructed(model, original[None])[0]
    np.testing.assert_allclose(made, np.clip(whole, -1, 1), atol=1e-4)


def test_a_decoder_is_refined_and_the_encoder_is_frozen(run, tmp_path):
    refine = importlib.import_module("vocoder_refined").vocoder_refined
    before = zoo.load(run[0])
    few = {"evaluation": FEW, "options": Options(quiet=True), "samples": 0}
    other_rate = dataclasses.replace(before.task, hertz=900)
    with pytest.raises(UsageError, match="sampling rate of 800 Hz"):
        refine(run[0], tmp_path / "on", task=other_rate, **few)
    result = refine(run[0], tmp_path / "on", steps=2, task=before.task, **few)
    assert {"distance", "log_mel", "griffin_lim_log_mel"} <= set(result["metrics"])
    assert "named" not in result["metrics"]  # there is one label only
    after = zoo.load(tmp_path / "on")
    same = jax.tree.map(lambda x, y: bool((x == y).all()), before.params, after.params)
    assert all(jax.tree.leaves(same["encoder"]))
    assert not all(jax.tree.leaves(same["decoder"]))


def test_a_vocoder_of_mel_spectra_is_trained(run, tmp_path):
    experiment = importlib.import_module("vocoder_mel").vocoder_mel
    task = dataclasses.replace(zoo.load(run[0]).task, seconds=2.0, length=1024)
    result = experiment(
        tmp_path,
        2,
        model=MelVocoder(mel_bands=4, width=4, factors=(2, 2), warm=2),
        task=task,
        options=Options(quiet=True),
        evaluation=FEW,
        samples=1,
    )
    assert {"distance", "log_mel", "griffin_lim_log_mel"} <= set(result["metrics"])
    assert zoo.load(tmp_path).params.keys() == {"decoder", "critic"}
    assert (tmp_path / "samples" / "01-reconstruction.wav").exists()


def test_latents_take_on_the_statistics_of_another_sound(run, tmp_path):
    model, rng = zoo.load(run[0]), np.random.default_rng(0)
    own, other = (
        rng.normal(size=1600) * np.sin(np.arange(1600) * f) for f in (0.02, 0.03)
    )
    source, target = (
        Statistics.of(model, x.astype(np.float32)) for x in (0.1 * own, 0.3 * other)
    )
    z = np.asarray(latents(model, 0.1 * own[None].astype(np.float32)))
    loudness = lambda z: np.asarray(model.family.loudness(z))
    level, bands = np.sqrt((loudness(z) ** 2).mean(axis=-1)), model.family.bands
    unmoved = matched(model, source, target, 0.0)(z)
    np.testing.assert_allclose(unmoved, z, atol=1e-6)
    moved = np.asarray(matched(model, source, target)(z))
    np.testing.assert_allclose(
        np.sqrt((loudness(moved) ** 2).mean(axis=-1)), level, rtol=1e-4
    )
    mean_loudness = loudness(z)[0].mean(axis=1)
    sounding = mean_loudness > 1e-3 * mean_loudness.max()
    values = moved[0, sounding, :-bands]
    np.testing.assert_allclose(values.mean(axis=0), target.mean[:-bands], atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), target.std[:-bands], rtol=1e-3)
    # the loudness of the bands, relative to the highest
    timbre = moved[0, sounding, -bands:] - moved[0, sounding, -1:]
    expected = target.mean[-bands:] - target.mean[-1:]
    np.testing.assert_allclose(timbre.mean(axis=0), expected, atol=1e-3)


def test_a_recording_takes_on_the_timbre_of_another(run, tmp_path):
    model, rng = zoo.load(run[0]), np.random.default_rng(0)
    for name, f in (("own", 0.02), ("other", 0.03)):
        x = rng.normal(size=1600) * np.sin(np.arange(1600) * f)
        soundfile.write(tmp_path / f"{name}.wav", 0.3 * x / np.abs(x).max(), RATE)
    own, plain, varied = (
        tmp_path / f"{name}.wav" for name in ("own", "plain", "varied")
    )
    resynthesise(model, own, plain)
    change = transfer(model, own, tmp_path / "other.wav")
    resynthesise(model, own, varied, transform=change)
    assert np.abs(soundfile.read(plain)[0] - soundfile.read(varied)[0]).max() > 1e-3


def test_an_interpolation_ends_at_the_reconstructions(run):
    model, rng = zoo.load(run[0]), np.random.default_rng(0)
    ends = [(0.1 * rng.normal(size=800)).astype(np.float32) for _ in range(2)]
    first, middle, last = interpolated(model, *ends, shares=(0, 0.5, 1))
    for end, made, row in zip(ends, (first, last), (0, 2), strict=True):
        rows = np.repeat(end[None], 3, axis=0)  # the noise depends on the row
        alone = reconstructed(model, rows)[row]
        assert np.corrcoef(made, alone)[0, 1] > 0.99
    assert min(np.abs(middle - first).max(), np.abs(middle - last).max()) > 1e-3


def test_a_page_of_interpolations_is_written(run, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for name in ("one", "other"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.normal(size=800), RATE)
    monkeypatch.chdir(tmp_path)
    words = ["zoo", "blend", "one.wav", "other.wav", "--run", str(run[0])]
    monkeypatch.setattr("sys.argv", [*words, "--steps", "3", "--out", "out"])
    zoo.cli.main.main()
    assert (tmp_path / "out" / "index.html").read_text().count("<audio") == 3
    monkeypatch.setattr("sys.argv", [*words, "--steps", "1"])
    with pytest.raises(SystemExit):
        zoo.cli.main.main()
    assert "steps is 1" in capsys.readouterr().err


def test_principal_axes_are_ranked_by_variance():
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    z = rng.normal(size=(4000, 4)) * [3, 2, 1, 0] @ rotation + 5
    axes = PrincipalAxes.of(np.array_split(z, 7))
    np.testing.assert_allclose(axes.shares, [9 / 14, 4 / 14, 1 / 14, 0], atol=0.02)
    assert [axes.count(x) for x in (0.5, 0.9, 0.95, 1.0)] == [1, 2, 3, 4]
    projected = np.asarray(axes.projection(0.9)(z[None].astype(np.float32)))[0]
    lost = ((projected - z) ** 2).sum() / ((z - z.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(lost, 1 - axes.shares[:2].sum(), rtol=1e-3)
    with pytest.raises(UsageError, match="fidelity is 0"):
        axes.count(0)


def test_a_classifier_labels_instruments():
    rng = np.random.default_rng(0)

    def note(label):
        """Returns a sine for a pipe, noise for a drum."""
        x = np.sin(np.arange(16_000) * rng.uniform(0.1, 1))
        x = x if label == "pipe" else rng.normal(size=16_000)
        audio = (8000 * rng.uniform(0.1, 1) * x / np.abs(x).max()).astype(np.int16)
        return types.SimpleNamespace(audio=audio, label=label)

    labels = ["pipe", "drum"] * 20
    classifier = learn([note(label) for label in labels], 16_000, 16_000, steps=60)
    fresh = np.stack([note(label).audio for label in labels[:8]])
    assert classifier.labels(fresh).tolist() == labels[:8]
    assert learn([note("pipe")], 16_000, 16_000) is None


def test_evaluate_prints_the_metrics_of_training(run, monkeypatch, capsys):
    home, _ = run
    monkeypatch.setenv("ZOO_DATA", str(home.parent / "data"))
    monkeypatch.setattr("sys.argv", ["zoo", "evaluate", str(home)])
    zoo.cli.main.main()
    metrics = json.loads((home / "result.json").read_text())["metrics"]
    printed = capsys.readouterr().out
    assert f"{metrics['test_reconstruct_distance']:,.4f}" in printed


def test_a_file_without_audio_is_refused(run, tmp_path):
    model = zoo.load(run[0])
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(UsageError, match="cannot read"):
        resynthesise(model, tmp_path / "a.wav", tmp_path / "out.wav")
    with pytest.raises(UsageError, match="reconstruct"):
        model.sample(1)
    with pytest.raises(UsageError, match="writes music, not audio"):
        resynthesise(zoo.load("tunes_lstm"), tmp_path / "a.wav", tmp_path / "out.wav")


def test_crops_longer_than_excerpts_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    task = Audio(
        f"audio_folder:{run[0].parent / 'bells'}", RATE, seconds=0.1, length=256
    )
    with pytest.raises(UsageError, match="256 samples are longer than excerpts of 80"):
        train(TINY, task, name="x", workdir=tmp_path / "run", steps=1)


class Shifter:
    """A family whose reconstruction is higher by a number of cents, of pure tones."""

    def __init__(self, cents):
        self.ratio = 2 ** (cents / 1200)

    def reconstructed(self, params, x, rng):
        at = jnp.minimum(jnp.arange(x.shape[1]) * self.ratio, x.shape[1] - 1)
        return jnp.stack([jnp.interp(at, jnp.arange(x.shape[1]), row) for row in x])


@pytest.mark.parametrize("cents", [0, 30])
def test_metrics_compare_reconstructions_with_originals(cents):
    rate, hz = 16_000, 440.0
    tone = (16_000 * np.sin(2 * np.pi * hz / rate * np.arange(8000))).astype(np.int16)
    note = types.SimpleNamespace(
        audio=tone, label="pipe", rate=rate, features={"pitch": 69}
    )
    noise = (np.random.default_rng(0).normal(size=8000) * 3000).astype(np.int16)
    hiss = types.SimpleNamespace(audio=noise, label="hiss", rate=rate, features={})
    model = AudioModel(Shifter(cents), {}, Waveform(rate))
    metrics = reconstruction_metrics(model, [note, hiss], 2)
    assert metrics["cents"] == metrics["cents_pipe"] == pytest.approx(cents, abs=3)
    assert "cents_hiss" not in metrics
    assert metrics["griffin_lim_cents"] < 20
    if not cents:
        assert metrics["distance"] < 1e-3
        assert metrics["log_mel"] < 1e-3
    assert metrics["griffin_lim_distance_hiss"] > 0.5
    mean = (metrics["log_mel_pipe"] + metrics["log_mel_hiss"]) / 2
    assert metrics["log_mel"] == pytest.approx(mean)
