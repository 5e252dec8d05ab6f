"""Numbers of options: each has a range, and a number outside is refused in a sentence.

The table is made from the signatures of all experiments and commands, and from the
classes of what they configure.
"""

import collections.abc
import dataclasses
import importlib
import inspect
import math
import pathlib
import re
import typing
from typing import Annotated

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo.models
from zoo.cli import main
from zoo.data.codecs import CODECS
from zoo.errors import UsageError
from zoo.inference.sampler import Request
from zoo.ranges import Range, checked, hints_of, require_range
from zoo.runner import launch, train, train_on_latents

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "experiments").glob("*/*.py"))
COMMANDS = sorted(main.COMMANDS)
HUGE = (10**30, -(10**30))


def numeric(annotation) -> bool:
    """Says whether an annotation holds numbers, at any depth.

    Functions, and arrays that may be a number, are not options.
    """
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is collections.abc.Callable or np.ndarray in inner:
        return False
    return annotation in (int, float) or any(map(numeric, inner))


def ranges(annotation) -> list[tuple[type, Range]]:
    """Returns the ranges of the numbers of an annotation, at any depth.

    A number without a range is an error.
    """
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is Annotated:
        found = [(inner[0], x) for x in inner[1:] if isinstance(x, Range)]
        return found or ranges(inner[0])
    assert annotation not in (int, float), "a number without a range"
    return [x for part in inner for x in ranges(part)]


def outside(kind: type, limits: Range) -> list:
    """Returns numbers that are not in a range, and values that are no numbers."""
    step = 1 if kind is int else 1e-3 * max(abs(limits.high), 1)
    below = limits.low if limits.open_low else limits.low - step
    above = limits.high if limits.open_high else limits.high + step
    wrong = [below, above, *HUGE, math.nan, math.inf, -math.inf, "a", True]
    return [*wrong, 1.5] if kind is int else wrong


def wrapped(annotation, value):
    """Returns a value of an annotation's form that holds `value` where a number is."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        return {"irish": wrapped(inner[1], value)}
    if origin is tuple:
        kinds = [kind for kind in inner if kind is not ...]
        return tuple(wrapped(kind, value) for kind in kinds)
    if origin in (typing.Union, type(int | None)):
        return wrapped(inner[0], value)
    return value


def configured(function) -> list:
    """Returns the dataclasses that are defaults of a function, and those in them."""
    found = []
    waiting = [x.default for x in inspect.signature(function).parameters.values()]
    while waiting:
        value = waiting.pop()
        if dataclasses.is_dataclass(value):
            found.append(value)
            fields = dataclasses.fields(value)
            waiting += [getattr(value, field.name) for field in fields if field.init]
    return found


def experiment(name: str):
    return getattr(importlib.import_module(name), name)


FUNCTIONS = {
    **{name: lambda name=name: experiment(name) for name in EXPERIMENTS},
    **{f"zoo {name}": lambda name=name: main.COMMANDS[name] for name in COMMANDS},
    "train": lambda: train,
    "train_on_latents": lambda: train_on_latents,
}
FAMILIES = [module.TINY for module in zoo.models.families().values()]
CLASSES = [
    *FAMILIES,
    *(codec() for codec in CODECS.values()),
    Request(),
]


def check_fields(value) -> None:
    hints = hints_of(type(value))
    for field in dataclasses.fields(value):
        hint = hints[field.name]
        if not numeric(hint) or not field.init:
            continue
        for kind, limits in ranges(hint):
            for wrong in outside(kind, limits):
                with pytest.raises(UsageError, match=f"^`{field.name}` is "):
                    dataclasses.replace(value, **{field.name: wrapped(hint, wrong)})


@pytest.mark.parametrize("value", CLASSES, ids=lambda value: type(value).__name__)
def test_fields_have_ranges(value):
    check_fields(value)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_have_ranges_and_so_have_the_fields_of_defaults(name):
    function = FUNCTIONS[name]()
    for value in configured(function):
        check_fields(value)
    for parameter in inspect.signature(function).parameters.values():
        hint = hints_of(function).get(parameter.name)
        if hint is not None and numeric(hint):
            for kind, limits in ranges(hint):
                for wrong in outside(kind, limits):
                    with pytest.raises(UsageError, match=f"^`{parameter.name}` is "):
                        call(function, {parameter.name: wrapped(hint, wrong)})


def call(function, given: dict) -> None:
    """Calls a function with some arguments; what else it needs is 1."""
    positional = []
    for x in inspect.signature(function).parameters.values():
        if x.default is x.empty and x.kind is not x.VAR_KEYWORD:
            given = {x.name: 1, **given}
        if x.kind is x.POSITIONAL_ONLY:
            positional.append(given.pop(x.name, 1))
    checked(function)(*positional, **given)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--layers 100000", "--layers is 100000: choose a whole number from 1 to 128."),
        ("--ema 1", "--ema is 1: choose a number from 0 to below 1."),
        ("--ema 2", "--ema is 2: choose a number from 0 to below 1."),
        ("--clip -1", "--clip is -1: choose a number from 0 to 1,000,000."),
        ("--length 0", "--length is 0: choose a whole number from 1 to 1,048,576."),
        ("--rate nan", "--rate is nan: choose a number above 0 and at most 10."),
        ("--seed -1", "--seed is -1: choose a whole number from 0 to 4,294,967,295."),
        ("--steps 0", "--steps is 0: choose a whole number from 1 to 2,147,483,647."),
    ],
)
def test_the_command_line_names_the_option_and_its_range(options, says, capsys):
    with pytest.raises(SystemExit) as stop:
        launch(experiment("tunes_lstm"), options.split())
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"{says}\n"


@pytest.mark.parametrize("value", ["a", "1.5", "nan", ""])
def test_a_word_for_a_number_names_the_option(value, capsys):
    with pytest.raises(SystemExit) as stop:
        launch(experiment("tunes_lstm"), ["--width", value])
    assert stop.value.code == 2
    assert "--width" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Range(0, 1), "from 0 to 1"),
        (Range(0, 1, open_high=True), "from 0 to below 1"),
        (Range(0, 1, open_low=True), "above 0 and at most 1"),
        (Range(0, 3, open_low=True, open_high=True), "above 0 and below 3"),
        (Range(1, 65_536), "from 1 to 65,536"),
        (Range(0.25, 1e6), "from 0.25 to 1,000,000"),
    ],
)
def test_ranges_in_words(limits, words):
    assert str(limits) == words


def test_tuples_must_have_as_many_values_as_their_annotation():
    with pytest.raises(UsageError, match=re.escape("`span` has 3 values: give 2")):
        require_range("span", (1, 2, 3), tuple[int, int])


def test_values_of_numpy_are_numbers():
    hint = Annotated[int, Range(1, 8)] | None
    for value in (np.int64(8), np.uint8(1), None):
        require_range("n", value, hint)
    with pytest.raises(UsageError, match="`n` is"):
        require_range("n", np.int64(9), hint)


NUMBERS = st.one_of(
    st.integers(),
    st.integers(-2, 300),
    st.floats(),
    st.booleans(),
    st.text(max_size=3),
    st.none(),
)


def options(value) -> list[str]:
    """Returns the names of the numeric fields of a dataclass."""
    hints = hints_of(type(value))
    return [x.name for x in dataclasses.fields(value) if numeric(hints[x.name])]


@given(st.sampled_from(CLASSES), st.data())
def test_any_value_of_an_option_is_taken_or_refused_in_a_sentence(value, data):
    name = data.draw(st.sampled_from(options(value) or [None]))
    if name is None:
        return
    number = data.draw(NUMBERS)
    hint = hints_of(type(value))[name]
    kind, limits = ranges(hint)[0]
    try:
        dataclasses.replace(value, **{name: wrapped(hint, number)})
    except UsageError as error:
        assert re.fullmatch(r"[^\n]+\.", str(error))  # noqa: PT017
        return
    optional = number is None and type(None) in typing.get_args(hint)
    assert optional or (isinstance(number, kind | int) and limits.holds(number))


@settings(max_examples=settings().max_examples // 3)  # each traces a model
@given(st.sampled_from(FAMILIES), st.data())
def test_a_family_that_is_taken_can_be_trained_or_says_why_not(family, data):
    """Small numbers, which are legal: the shapes of a loss are computed, or refused."""
    name = data.draw(st.sampled_from(options(family)))
    hint = hints_of(type(family))[name]
    kind, limits = ranges(hint)[0]
    low = limits.low + limits.open_low * (1 if kind is int else 0.01)
    number = data.draw(
        st.integers(int(low), int(low) + 9) if kind is int else st.just(float(low))
    )
    try:
        changed = dataclasses.replace(family, **{name: wrapped(hint, number)})
        batch = changed.example(2)
        params = jax.eval_shape(lambda: changed.init(jax.random.key(0), batch))
        for objective in changed.objectives().values():
            jax.eval_shape(objective.loss, params, batch, jax.random.key(0), None)
    except UsageError as error:
        assert re.fullmatch(r"[^\n]+\.", str(error))  # noqa: PT017
