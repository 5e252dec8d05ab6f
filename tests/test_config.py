"""Configurations as JSON and back."""

import dataclasses
import json

import pytest

import zoo.models
from zoo.config import RENAMED_FIELDS, record, restore
from zoo.data.codecs import CODECS, Melody
from zoo.errors import ZooError
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


@pytest.mark.parametrize(
    "family", [module.TINY for module in zoo.models.families().values()]
)
def test_records_with_old_field_names_are_restored(family):
    json = record(family)
    for old, new in RENAMED_FIELDS.get(type(family).__name__, {}).items():
        json[old] = json.pop(new)
    assert restore(json) == family


def test_what_is_not_configuration_is_refused():
    with pytest.raises(TypeError, match="plain values"):
        record({"f": test_nested_values_come_back})
