"""Configurations as JSON and back."""

import dataclasses
import json

import pytest

from zoo.config import record, restore
from zoo.data.codecs import CODECS, Melody
from zoo.errors import ZooError
from zoo.models import (
    latent_classifier,
    latent_diffusion,
    latent_mdn,
    musegan,
    music_vae,
    seqgan,
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
    ("family", "names"),
    [
        (latent_diffusion.TINY, {"style_dropout": "drop"}),
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
def test_records_with_old_field_names_are_restored(family, names):
    old = {names.get(name, name): value for name, value in record(family).items()}
    assert restore(old) == family


def test_a_classifier_of_latents_had_a_vocabulary_of_0():
    family = dataclasses.replace(latent_classifier.TINY, vocab=None)
    assert restore({**record(family), "vocab": 0}) == family
