"""Models as one safetensors file: whole for every family, damaged, newer, extended."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from small_models import FAMILIES, trained

import zoo
from zoo.config import record
from zoo.data.codecs.waveform import Waveform
from zoo.errors import UsageError, ZooError
from zoo.inference.model import Model
from zoo.inference.saving import save
from zoo.train.digests import with_digest
from zoo.train.trees import by_path
from zoo.train.weights import RECORD, WeightFile, stored


def drawn(name: str) -> Model:
    """The small model of a family with random parameters, without compiling any."""
    model = trained(name) if name in ("lstm", "musegan", "seqgan") else None
    family = FAMILIES[name].TINY if model is None else model.family
    shapes = jax.eval_shape(family.init, jax.random.key(0), family.example(1))
    rng = np.random.default_rng(0)

    def leaf(shape):
        values = rng.normal(size=shape.shape)
        whole = jnp.issubdtype(shape.dtype, jnp.integer)
        values = np.asarray(np.round(9 * values) if whole else values)
        return jnp.asarray(values.astype(shape.dtype))

    codec = Waveform(16_000) if model is None else model.codec
    return Model(family, jax.tree.map(leaf, shapes), codec, about={"seed": 3})


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_model_of_every_family_is_the_same_after_saving(name, tmp_path):
    model = drawn(name)
    path = model.save(tmp_path / "model.safetensors")
    again = zoo.load(path)
    assert (again.family, again.codec) == (model.family, model.codec)
    assert again.about["seed"] == 3
    whole, read = by_path(model.params), by_path(again.params)
    assert whole.keys() == read.keys()
    for key, leaf in whole.items():
        assert read[key].dtype == leaf.dtype
        np.testing.assert_array_equal(read[key], leaf, err_msg=key)
    assert pathlib.Path(path).stat().st_mode & 0o444 == 0o444


def test_a_loaded_file_writes_the_same_music_and_can_be_saved_again(tmp_path):
    model = trained("lstm")
    path = model.save(tmp_path / "a.safetensors")
    again = zoo.load(zoo.load(path).save(tmp_path / "run"))
    for other in (zoo.load(str(path)), again):
        rows = [x.tokens(2, seed=1, length=16) for x in (model, other)]
        np.testing.assert_array_equal(*rows)


def test_other_arrays_of_a_model_are_kept_by_both_forms(tmp_path):
    model = dataclasses.replace(trained("lstm"), extras={"a/b": np.arange(3)})
    for path in (tmp_path / "a.safetensors", tmp_path / "run"):
        np.testing.assert_array_equal(
            zoo.load(model.save(path)).extras["a/b"], np.arange(3)
        )
    (tmp_path / "run" / "a.npz").write_bytes(b"PK\3\4 no archive")
    with pytest.raises(ZooError, match=r"a\.npz is damaged: delete it"):
        zoo.load(tmp_path / "run")


def test_the_task_of_an_old_run_is_written_by_its_current_name_alone(tmp_path):
    old = {"music": {"class": "Music", "corpus": "/home/somebody/tunes"}}
    model = dataclasses.replace(trained("lstm"), about=old)
    path = model.save(tmp_path / "a.safetensors")
    assert b"somebody" not in path.read_bytes()


def test_whole_numbers_keep_their_values_in_any_precision():
    counts = np.array([[2**20 + 1]], np.int32)
    for precision in ("float16", "bfloat16", "int8"):
        assert stored(counts, precision)[0] is counts


def test_int8_is_within_half_a_step_of_each_channel(tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(64, 32)).astype(np.float32) * np.arange(32)
    values, scale = stored(kernel, "int8")
    assert values.dtype == np.int8
    step = np.abs(kernel).max(axis=0) / 127
    np.testing.assert_allclose(scale[1:], step[1:], rtol=1e-6)
    assert (np.abs(values * scale - kernel) <= 0.501 * step).all()
    model = drawn("transformer")
    again = zoo.load(model.save(tmp_path / "a.safetensors", precision="int8"))
    for name, leaf in by_path(model.params).items():
        far = np.abs(np.asarray(by_path(again.params)[name]) - np.asarray(leaf))
        assert far.max() <= np.abs(leaf).max() / 250, name


def counted(path: pathlib.Path) -> Model:
    """A Markov chain that has counted its example batch, saved at `path`."""
    model = drawn("markov")
    family = dataclasses.replace(model.family, slots=4096)
    batch = family.example(8)
    net = family.init(jax.random.key(0), batch)["net"]
    added = family.count(net, batch["tokens"], batch["mask"])
    params = {"net": jax.tree.map(jnp.add, net, added)}
    model = dataclasses.replace(model, family=family, params=params)
    model.save(path, precision="float16")
    return model


def test_counts_are_exact_in_any_precision_and_small(tmp_path):
    path = tmp_path / "a.safetensors"
    model = counted(path)
    assert by_path(model.params)["net/owner"].max() > 2**16  # float16 has no such
    for name, leaf in by_path(zoo.load(path).params).items():
        np.testing.assert_array_equal(leaf, by_path(model.params)[name])
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert {*tensors} == {
        "places/net/counts",
        "numbers/net/counts",
        "numbers/net/owner",
    }
    assert sum(x.nbytes for x in tensors.values()) < 2 * 4096 * 4 / 10


def test_a_loaded_file_of_counts_can_be_saved_as_anything(tmp_path):
    path = tmp_path / "a.safetensors"
    counted(path)
    model = zoo.load(path)
    same = model.save(tmp_path / "same.safetensors")
    assert same.read_bytes() == model.save(tmp_path / "two.safetensors").read_bytes()
    halves = jax.tree.map(lambda x: x + 0.5, model.params)
    for name in ("b.safetensors", "run"):
        other = dataclasses.replace(model, params=halves).save(tmp_path / name)
        found = by_path(zoo.load(other).params)
        for key, leaf in by_path(halves).items():
            np.testing.assert_array_equal(found[key], leaf)


def test_packed_tensors_that_do_not_fit_are_damage(tmp_path):
    path = tmp_path / "a.safetensors"
    counted(path)
    packed = WeightFile(path).about["packed"]
    for name in packed:
        for change in ({"width": 7}, {"places": "nowhere"}, {"dtype": 3}):
            other = {**packed, name: {**packed[name], **change}}
            copy = rewritten(path, tmp_path / "b.safetensors", packed=other)
            with pytest.raises(ZooError, match="packed tensors cannot be read"):
                zoo.load(copy)
    for other in (3, [], {"net/counts": None}):
        copy = rewritten(path, tmp_path / "b.safetensors", packed=other)
        with pytest.raises(ZooError, match=r"damaged|records no usable packed"):
            zoo.load(copy)


def test_numbers_too_large_for_the_precision_are_refused(tmp_path):
    model = drawn("lstm")
    params = jax.tree.map(lambda x: np.asarray(x) * np.float32(1e6), model.params)
    model = dataclasses.replace(model, params=params)
    with pytest.raises(UsageError, match=r"float16 cannot hold: choose `precision="):
        model.save(tmp_path / "a.safetensors", precision="float16")
    assert not list(tmp_path.iterdir())


def test_a_step_that_a_file_lacks_is_named(tmp_path):
    path = trained("lstm").save(tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match=r"no checkpoint 5 in .*: it has 0\."):
        zoo.load(path, step=5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pathlib.Path:
    return trained("lstm").save(tmp_path_factory.mktemp("whole") / "a.safetensors")


def test_every_flipped_byte_is_refused_in_a_sentence(whole, tmp_path):
    data, path = bytearray(whole.read_bytes()), tmp_path / "a.safetensors"
    header = 8 + int.from_bytes(data[:8], "little")
    rng = np.random.default_rng(0)
    places = [*range(0, 8), *rng.integers(8, len(data), 40), header + 1, len(data) - 1]
    for place in map(int, places):
        if data[place : place + 1] == b" " and place < header:
            continue  # the header is padded by spaces
        other = data.copy()
        other[place] ^= 1
        path.write_bytes(other)
        with pytest.raises(ZooError) as caught:
            zoo.load(path)
        said = str(caught.value)
        assert said.endswith("."), (place, said)
        assert "\n" not in said
        assert "safetensors" not in said.replace(str(path), "")
    path.write_bytes(data[:-5])
    with pytest.raises(ZooError, match=r"is damaged .*: take a copy that is whole"):
        zoo.load(path)


def test_a_changed_tensor_is_named_by_its_digest(whole, tmp_path):
    data, path = bytearray(whole.read_bytes()), tmp_path / "a.safetensors"
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ZooError, match=r"damaged \(params/.* is not what was written"):
        zoo.load(path)


def rewritten(whole: pathlib.Path, path: pathlib.Path, **fields) -> pathlib.Path:
    """Returns a copy of a file of weights with other fields, and a right digest."""
    with safe_open(whole, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()[RECORD])
    save_file(arrays, path, {RECORD: json.dumps(with_digest({**about, **fields}))})
    return path


def test_a_newer_format_says_which_version_to_install(whole, tmp_path):
    newer = {"format": 99, "versions": {"music-zoo": "7.3.1"}}
    path = rewritten(whole, tmp_path / "a.safetensors", **newer)
    with pytest.raises(ZooError, match=r"install music-zoo 7\.3\.1 or later\.$"):
        zoo.load(path)
    path = rewritten(whole, tmp_path / "b.safetensors", format=99, versions={})
    with pytest.raises(ZooError, match=r"upgrade music-zoo\.$"):
        zoo.load(path)


def test_files_of_others_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(UsageError, match="there is no run at"):
        zoo.load(path)
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ZooError, match="holds no model of the zoo"):
        zoo.load(path)


def test_terms_for_non_commercial_use_must_be_accepted(tmp_path):
    model = trained("lstm")
    card = {"non_commercial": True, "corpus": "essen"}
    path = save(
        tmp_path / "a_nc.safetensors",
        model.params,
        {**model.about, **record_of(model), "card": card},
        extras={},
    )
    with pytest.raises(UsageError, match=r"non-commercial use only.*`accept_licence`"):
        zoo.load(path)
    assert zoo.load(path, accept_licence=True).family == model.family


def record_of(model: Model) -> dict:
    return {"family": record(model.family), "codec": record(model.codec)}
