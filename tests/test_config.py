"""Configurations as JSON and back."""

import dataclasses
import json

import pytest

from zoo.config import current, record, restore
from zoo.data.codecs import CODECS, Compound, Melody, Multitrack
from zoo.data.corpora.registry import corpus
from zoo.errors import ZooError
from zoo.models import (
    MelVocoder,
    VariationalVocoder,
    attention_rnn,
    latent_classifier,
    latent_diffusion,
    latent_mdn,
    musegan,
    music_vae,
    seqgan,
    transformer,
)
from zoo.nn.sequence.sampling import Draw


@dataclasses.dataclass(frozen=True)
class Mine:
    sizes: tuple[int, ...] = (1, 2)
    draw: Draw = Draw(top_k=3)
    note: str | None = None


def there_and_back(value, known=()):
    return restore(json.loads(json.dumps(record(value))), known)


@pytest.mark.parametrize("codec", CODECS.values())
def test_codecs_come_back(codec):
    assert there_and_back(codec()) == codec()


def test_nested_values_come_back():
    assert there_and_back(Mine(), known=[Mine, Draw]) == Mine()


def test_a_record_never_names_code_from_elsewhere():
    with pytest.raises(ZooError, match="which this version does not have"):
        there_and_back(Mine(), known=[Draw])
    for name in ("os.system", "subprocess.Popen", "zoo.models.families", "Such"):
        with pytest.raises(ZooError, match="which this version does not have"):
            restore({"class": name})


def test_a_newer_record_says_so():
    with pytest.raises(ZooError, match=r"does not know .warmth.: .* upgrade"):
        restore({**record(Melody()), "warmth": 1.0})


def test_what_is_not_configuration_is_refused():
    with pytest.raises(TypeError, match="plain values"):
        record({"f": test_nested_values_come_back})


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (latent_diffusion.TINY, {"style_dropout": "drop", "solver_steps": "steps"}),
        (attention_rnn.TINY, {"bar_lengths": "bars", "bar_bits": "counted"}),
        (Melody(), {"min_notes": "fewest"}),
        (Compound(), {"max_bars": "most_bars", "max_duration": "longest"}),
        (Multitrack(), {"required": "wanted"}),
        (Multitrack().source, {"required": "wanted"}),
        (latent_mdn.TINY, {"style_dropout": "drop"}),
        (music_vae.TINY, {"kl_anneal": "anneal", "free_per_latent": "each"}),
        (music_vae.TINY, {"free_nats": "free", "sampling_schedule": "schedule"}),
        (musegan.TINY, {"conditioning": "given", "critic_width": "reader"}),
        (musegan.TINY, {"polyphonic": "chords", "critic_steps": "every"}),
        (seqgan.TINY, {"warmup": "warm", "critic_warmup": "tutor"}),
        (seqgan.TINY, {"critic_steps": "every", "policy_rate": "trail"}),
        (seqgan.TINY, {"temperature": "heat", "likelihood_every": "lessons"}),
    ],
)
def test_records_with_old_field_names_are_restored(value, names):
    old = {names.get(name, name): field for name, field in record(value).items()}
    assert restore(old) == value


def test_a_transformer_knew_no_metre():
    """It goes on with `bars_counted` 0, whatever metres the data have."""
    old = record(transformer.TINY)
    del old["bar_lengths"], old["bars_counted"]
    metres = (0,) * 7 + (4,)
    now = dataclasses.replace(transformer.TINY, bars_counted=0, bar_lengths=metres)
    assert restore(old) == now


def test_a_classifier_of_latents_had_a_vocabulary_of_0():
    family = dataclasses.replace(latent_classifier.TINY, vocab=None)
    assert restore({**record(family), "vocab": 0}) == family


OLD_VOCODER = {
    "class": "VariationalVocoder",
    "rate": 16_000,
    "bands": 16,
    "overlap": 8,
    "factors": [4, 4],
    "width": 48,
    "latent": 64,
    "dilations": [1, 3, 9],
    "causal": False,
    "mel": 0,
    "beta": 1e-4,
    "wave": 1.0,
    "envelope": 4.0,
    "warm": 4000,
    "critic": 16,
    "scales": 3,
    "game": "hinge",
    "matching": 10.0,
    "sizes": [2048, 512],
    "seconds": 1.0,
}


@pytest.mark.parametrize("module", ["", "zoo.models.variational_vocoder."])
def test_old_vocoders_are_upgraded_to_the_family_that_they_are(module):
    old = {**OLD_VOCODER, "class": f"{module}VariationalVocoder"}
    shared = {
        "rate": 16_000,
        "factors": (4, 4),
        "width": 48,
        "causal": False,
        "warm": 4000,
        "fft_sizes": (2048, 512),
    }
    assert restore(old) == VariationalVocoder(**shared)
    mel_vocoder = restore({**old, "mel": 80})
    assert mel_vocoder == MelVocoder(mel_bands=80, **shared)
    assert there_and_back(mel_vocoder) == mel_vocoder


def test_a_record_holds_no_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    mine = Mine(note="folder:/home/someone/music")
    assert record(mine)["note"] == "folder:~/music"
    before = {**record(mine), "note": mine.note}  # as 0.2 wrote it
    assert current(before) == current(record(mine))


def test_a_corpus_of_a_record_is_found_again(monkeypatch, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.abc").write_text("X:1\nK:C\nCDEF|\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    spec = f"folder:{tmp_path / 'music'}"
    assert corpus(record(spec)).key == corpus(spec).key
