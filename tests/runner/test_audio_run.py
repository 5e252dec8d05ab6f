"""An experiment over sound leaves a record, a model, and something to listen to."""

import dataclasses
import importlib
import json
import types
import wave

import jax
import numpy as np
import pytest
import soundfile
from zoo.runner.sounding import Audio, reconstructed, sounding

import zoo
import zoo.cli.main
from zoo.data.audio.datasets import audio_dataset, open_split
from zoo.data.audio.recordings import Recording
from zoo.errors import UsageError
from zoo.evaluation.audio import Heard, figures
from zoo.evaluation.instrument_classifier import learn
from zoo.inference.resynthesis import blended, resynthesise
from zoo.inference.timbre_transfer import Ranking, Statistics, latents, like
from zoo.models.variational_vocoder import TINY
from zoo.train.options import Options

RATE = 800


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four steps on a few recordings, two of them before the critic comes in."""
    home = tmp_path_factory.mktemp("sounding")
    (home / "bells").mkdir()
    for i in range(6):
        tone = 0.5 * np.sin(2 * np.pi * (50 + 20 * i) / RATE * np.arange(4 * RATE))
        soundfile.write(home / "bells" / f"{i}.wav", tone, RATE)
    audio = Audio(
        f"audio_folder:{home / 'bells'}", RATE, seconds=1.0, length=256, batch=4
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(home / "data"))
        sounding(
            lambda rate: dataclasses.replace(TINY, rate=rate, warm=2),
            name="bells",
            workdir=home / "run",
            steps=4,
            audio=audio,
            options=Options(quiet=True),
            samples=2,
            finish=lambda model, whole: {"seen": float(len([*whole("test")]))},
        )
        yield home / "run", open_split(audio_dataset(audio.corpus, RATE, 1.0), "test")


def test_it_leaves_a_record(run):
    home, test = run
    result = json.loads((home / "result.json").read_text())
    assert result["metrics"]["seen"] == -(-len(test) // 4)
    assert result["metrics"]["test_reconstruct_distance"] > 0
    config = json.loads((home / "config.json").read_text())
    assert config["codec"]["rate"] == config["family"]["rate"] == RATE


def test_sounds_are_heard_beside_what_they_were_made_of(run):
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


def test_what_was_trained_is_loaded_and_gives_the_same_back(run):
    home, test = run
    model = zoo.load(home)
    x = model.codec.decode(test[0].audio)[None]
    one, again = (reconstructed(model, x) for _ in range(2))
    assert one.shape == x.shape
    assert np.array_equal(one, again)
    with wave.open(str(home / "samples" / "01-reconstruction.wav")) as file:
        heard = np.frombuffer(file.readframes(RATE), "<i2") / 32767
    np.testing.assert_allclose(heard, np.clip(one[0], -1, 1), atol=1e-3)


@pytest.mark.parametrize(("seconds", "rate"), [(7.3, 44_100), (0.01, RATE)])
def test_a_recording_is_given_back_in_blocks_as_the_whole(run, tmp_path, seconds, rate):
    model = zoo.load(run[0])
    noise = 0.1 * np.random.default_rng(0).normal(size=int(seconds * rate))
    soundfile.write(tmp_path / "a.wav", noise, rate)
    found = resynthesise(model, tmp_path / "a.wav", tmp_path / "out.wav")
    made, at = soundfile.read(tmp_path / "out.wav")
    assert (round(found[0], 6), found[1], at) == (len(made) / RATE, RATE, RATE)
    heard = np.concatenate([*Recording(tmp_path / "a.wav", RATE).resampled()])
    assert abs(len(made) - seconds * RATE) <= 1
    whole = reconstructed(model, heard[None])[0]
    np.testing.assert_allclose(made, np.clip(whole, -1, 1), atol=1e-4)


def test_a_decoder_goes_on_against_a_critic(run, tmp_path, monkeypatch):
    refine = importlib.import_module("vocoder_refined").vocoder_refined
    before = zoo.load(run[0])
    told = before.about["music"]
    audio = Audio(told["corpus"], RATE, told["seconds"], length=256, batch=4)
    few = {"heard": Heard(2, 2, ""), "options": Options(quiet=True), "samples": 0}
    with pytest.raises(UsageError, match="is of 800 Hz"):
        refine(
            run[0], tmp_path / "on", audio=dataclasses.replace(audio, hertz=900), **few
        )
    result = refine(run[0], tmp_path / "on", steps=2, audio=audio, **few)
    assert {"distance", "log_mel", "griffin_lim_log_mel"} <= set(result["metrics"])
    assert "named" not in result["metrics"]  # there is but one kind to be named
    after = zoo.load(tmp_path / "on")
    same = jax.tree.map(lambda x, y: bool((x == y).all()), before.params, after.params)
    assert all(jax.tree.leaves(same["encoder"]))
    assert not all(jax.tree.leaves(same["decoder"]))


def test_a_mel_spectrum_takes_the_place_of_the_encoder(run, tmp_path, monkeypatch):
    train = importlib.import_module("vocoder_mel").vocoder_mel
    told = zoo.load(run[0]).about["music"]
    audio = Audio(told["corpus"], RATE, 2.0, length=1024, batch=4)
    small = {
        "mel": 4,
        "width": 4,
        "factors": (2, 2),
        "heard": Heard(2, 2, ""),
        "samples": 1,
    }
    result = train(tmp_path, 2, audio=audio, options=Options(quiet=True), **small)
    assert {"distance", "log_mel", "griffin_lim_log_mel"} <= set(result["metrics"])
    assert zoo.load(tmp_path).params.keys() == {"decoder", "critic"}
    assert (tmp_path / "samples" / "01-reconstruction.wav").exists()


def test_latents_take_on_the_statistics_of_another_sound(run, tmp_path):
    model, rng = zoo.load(run[0]), np.random.default_rng(0)
    own, its = (
        rng.normal(size=1600) * np.sin(np.arange(1600) * f) for f in (0.02, 0.03)
    )
    one, other = (
        Statistics.of(model, x.astype(np.float32)) for x in (0.1 * own, 0.3 * its)
    )
    z = np.asarray(latents(model, 0.1 * own[None].astype(np.float32)))
    loud = lambda z: np.asarray(model.family.loudness(z))
    level, bands = np.sqrt((loud(z) ** 2).mean(axis=-1)), model.family.bands
    np.testing.assert_allclose(like(model, one, other, 0.0)(z), z, atol=1e-6)
    moved = np.asarray(like(model, one, other)(z))
    np.testing.assert_allclose(
        np.sqrt((loud(moved) ** 2).mean(axis=-1)), level, rtol=1e-4
    )
    audio_dataset = loud(z)[0].mean(axis=1) > 1e-3 * loud(z)[0].mean(axis=1).max()
    heard = moved[0, audio_dataset, :-bands]
    np.testing.assert_allclose(heard.mean(axis=0), other.mean[:-bands], atol=1e-4)
    np.testing.assert_allclose(heard.std(axis=0), other.spread[:-bands], rtol=1e-3)
    colour = (
        moved[0, audio_dataset, -bands:] - moved[0, audio_dataset, -1:]
    )  # of the bands, beside the highest
    by = other.mean[-bands:] - other.mean[-1:]
    np.testing.assert_allclose(colour.mean(axis=0), by, atol=1e-3)
    for name, x in (("own", own), ("its", its)):
        soundfile.write(tmp_path / f"{name}.wav", 0.3 * x / np.abs(x).max(), RATE)
    plain, varied = tmp_path / "plain.wav", tmp_path / "varied.wav"
    resynthesise(model, tmp_path / "own.wav", plain)
    resynthesise(model, tmp_path / "own.wav", varied, other=tmp_path / "its.wav")
    assert np.abs(soundfile.read(plain)[0] - soundfile.read(varied)[0]).max() > 1e-3


def test_the_way_from_one_sound_to_another_has_both_at_its_ends(run, tmp_path):
    model, rng = zoo.load(run[0]), np.random.default_rng(0)
    for name in ("one", "other"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.normal(size=800), RATE)
    ends = [tmp_path / f"{name}.wav" for name in ("one", "other")]
    page = blended(model, *ends, tmp_path / "out", steps=3)
    assert page.read_text().count("<audio") == 3
    names = [f"01-{share}.wav" for share in ("0.00", "0.50", "1.00")]
    first, middle, last = (soundfile.read(tmp_path / "out" / name)[0] for name in names)
    for end, made, row in zip(
        ends, (first, last), (0, 2), strict=True
    ):  # noise is a row's
        audio = soundfile.read(end)[0][None].astype(np.float32)
        alone = reconstructed(model, np.repeat(audio, 3, axis=0))[row]
        assert np.corrcoef(made, alone)[0, 1] > 0.99
    assert min(np.abs(middle - first).max(), np.abs(middle - last).max()) > 1e-3
    with pytest.raises(UsageError, match="1 steps"):
        blended(model, *ends, tmp_path / "out", steps=1)


def test_directions_are_ranked_by_what_they_explain():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    z = rng.normal(size=(4000, 4)) * [3, 2, 1, 0] @ turn + 5
    ranking = Ranking.of(np.array_split(z, 7))
    np.testing.assert_allclose(ranking.shares, [9 / 14, 4 / 14, 1 / 14, 0], atol=0.02)
    assert [ranking.kept(x) for x in (0.5, 0.9, 0.95, 1.0)] == [1, 2, 3, 4]
    few = np.asarray(ranking.within(0.9)(z[None].astype(np.float32)))[0]
    lost = ((few - z) ** 2).sum() / ((z - z.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(lost, 1 - ranking.shares[:2].sum(), rtol=1e-3)
    with pytest.raises(UsageError, match="fidelity of 0"):
        ranking.kept(0)


def test_a_judge_names_what_it_has_heard():
    rng = np.random.default_rng(0)

    def note(label):
        """A sine for a pipe, noise for a drum."""
        x = np.sin(np.arange(16_000) * rng.uniform(0.1, 1))
        x = x if label == "pipe" else rng.normal(size=16_000)
        audio = (8000 * rng.uniform(0.1, 1) * x / np.abs(x).max()).astype(np.int16)
        return types.SimpleNamespace(audio=audio, label=label)

    labels = ["pipe", "drum"] * 20
    judge = learn([note(label) for label in labels], 16_000, 16_000, steps=60)
    fresh = np.stack([note(label).audio for label in labels[:8]])
    assert judge.names(fresh).tolist() == labels[:8]
    assert learn([note("pipe")], 16_000, 16_000) is None


def test_it_is_evaluated_by_its_objectives_alone(run, monkeypatch, capsys):
    home, _ = run
    monkeypatch.setenv("ZOO_DATA", str(home.parent / "data"))
    monkeypatch.setattr("sys.argv", ["zoo", "evaluate", str(home)])
    zoo.cli.main.main()
    told = json.loads((home / "result.json").read_text())["metrics"]
    assert f"{told['test_reconstruct_distance']:,.4f}" in capsys.readouterr().out


def test_what_is_no_sound_is_refused(run, tmp_path):
    model = zoo.load(run[0])
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(UsageError, match="is not heard: It is no recording"):
        resynthesise(model, tmp_path / "a.wav", tmp_path / "out.wav")
    with pytest.raises(UsageError, match="zoo reconstruct"):
        model.sample(1)
    with pytest.raises(UsageError, match="makes music, not sound"):
        resynthesise(zoo.load("tunes_lstm"), tmp_path / "a.wav", tmp_path / "out.wav")


def test_crops_longer_than_excerpts_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    audio = Audio(
        f"audio_folder:{run[0].parent / 'bells'}", RATE, seconds=0.1, length=256
    )
    with pytest.raises(UsageError, match="256 samples are longer than excerpts of 80"):
        sounding(
            lambda rate: TINY, name="x", workdir=tmp_path / "run", steps=1, audio=audio
        )


class Shifter:
    """Gives back what it is given, so many cents higher: it reads a table of sines."""

    def __init__(self, cents):
        self.ratio = 2 ** (cents / 1200)

    def reconstructed(self, params, x, rng):
        import jax.numpy as jnp

        at = jnp.minimum(jnp.arange(x.shape[1]) * self.ratio, x.shape[1] - 1)
        return jnp.stack([jnp.interp(at, jnp.arange(x.shape[1]), row) for row in x])


@pytest.mark.parametrize("cents", [0, 30])
def test_figures_are_of_what_comes_back(cents):
    from zoo.data.codecs.waveform import Waveform
    from zoo.inference.model import Trained

    rate, hz = 16_000, 440.0
    tone = (16_000 * np.sin(2 * np.pi * hz / rate * np.arange(8000))).astype(np.int16)
    note = types.SimpleNamespace(
        audio=tone, label="pipe", rate=rate, about={"pitch": 69}
    )
    noise = (np.random.default_rng(0).normal(size=8000) * 3000).astype(np.int16)
    hiss = types.SimpleNamespace(audio=noise, label="hiss", rate=rate, about={})
    model = Trained(Shifter(cents), {}, Waveform(rate), {})
    found = figures(model, [note, hiss], 2)
    assert found["cents"] == found["cents_pipe"] == pytest.approx(cents, abs=3)
    assert "cents_hiss" not in found
    assert found["griffin_lim_cents"] < 20
    if not cents:
        assert found["distance"] < 1e-3
        assert found["log_mel"] < 1e-3
    assert found["griffin_lim_distance_hiss"] > 0.5
    halves = (found["log_mel_pipe"] + found["log_mel_hiss"]) / 2
    assert found["log_mel"] == pytest.approx(halves)
