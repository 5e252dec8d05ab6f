"""Ranges of numbers, declared in the annotations of fields and parameters.

    @dataclasses.dataclass(frozen=True)
    @checked
    class LSTM:
        width: Width = 256

`checked` makes a class, or a function, refuse numbers outside. The aliases below are
the kinds of numbers of hyperparameters and options. Their upper limits are far above
what is useful, and below what stops a machine; `zoo.train.memory` compares the sizes
that they make together with the memory there is.
"""

import dataclasses
import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Annotated, Any, TypeVar

from zoo.errors import UsageError, shown

T = TypeVar("T", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included unless they are said to be open."""

    low: float
    high: float
    _: dataclasses.KW_ONLY
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: Any) -> bool:
        """Says whether a number is in the range."""
        above = self.low < value if self.open_low else self.low <= value
        below = value < self.high if self.open_high else value <= self.high
        return above and below  # both are false of NaN

    def __str__(self) -> str:
        low = f"above {number(self.low)}" if self.open_low else f"{number(self.low)}"
        if self.open_low:
            end = "below" if self.open_high else "at most"
            return f"{low} and {end} {number(self.high)}"
        return f"from {low} to {'below ' if self.open_high else ''}{number(self.high)}"


Seed = Annotated[int, Range(0, 2**32 - 1)]
TrainingSteps = Annotated[int, Range(1, 2**31 - 1)]
WarmUp = Annotated[int, Range(0, 2**31 - 1)]
BatchSize = Annotated[int, Range(1, 2**16)]
Length = Annotated[int, Range(1, 2**20)]  # events, frames or steps of a row
Samples = Annotated[int, Range(1, 64 << 20)]  # of audio
Bars = Annotated[int, Range(1, 1024)]
Vocab = Annotated[int, Range(1, 2**20)]
Voices = Annotated[int, Range(1, 64)]
Keys = Annotated[int, Range(1, 128)]
Parts = Bars  # phrases of a piece
Scales = Annotated[int, Range(1, 16)]
Width = Annotated[int, Range(1, 2**14)]
Size = Annotated[int, Range(0, 2**14)]  # of a part that 0 leaves out
Layers = Annotated[int, Range(1, 128)]
Heads = Annotated[int, Range(1, 256)]
Count = Annotated[int, Range(1, 10_000)]
Number = Annotated[int, Range(0, 10_000)]  # of things of which there may be none
Several = Annotated[int, Range(2, 10_000)]
TopK = Annotated[int, Range(0, 2**31 - 1)]  # 0 for all
Position = Annotated[int, Range(0, 2**20)]  # of an event, frame or step
Pieces = Annotated[int, Range(1, 100_000)]
Examples = Annotated[int, Range(0, 100_000)]  # pieces, or 0 for none
Pitch = Annotated[int, Range(0, 127)]
Semitones = Pitch
StepsPerQuarter = Annotated[int, Range(1, 96)]
Hertz = Annotated[int, Range(1, 384_000)]
Seconds = Annotated[float, Range(0, 3600, open_low=True)]
Tempo = Annotated[float, Range(10, 1000)]  # quarters per minute
Pace = Annotated[float, Range(0.25, 4)]  # of speech, as a factor
LearningRate = Annotated[float, Range(0, 10, open_low=True)]
Weight = Annotated[float, Range(0, 1e6)]
Change = Annotated[float, Range(-1e6, 1e6)]
Share = Annotated[float, Range(0, 1)]
PositiveShare = Annotated[float, Range(0, 1, open_low=True)]
DropoutRate = Annotated[float, Range(0, 1, open_high=True)]
Decay = DropoutRate  # of a moving average, which would never move with 1
Temperature = Annotated[float, Range(0, 1000)]


def number(value: float) -> str:
    """Returns a limit in words: whole numbers in full, with commas."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def checked(what: T) -> T:
    """Makes a class or a function refuse numbers outside their ranges.

    A class is decorated below `dataclass`: its fields are checked before its own
    `__post_init__`. Of a function, the arguments are.

    Raises:
      UsageError: by what is decorated. It names the first number, and its range.
    """
    return checked_class(what) if isinstance(what, type) else checked_function(what)  # type: ignore[return-value]


def checked_class(cls: type) -> type:
    """Returns the class itself, with a `__post_init__` that checks its fields."""
    further = getattr(cls, "__post_init__", None)

    def __post_init__(self: Any) -> None:
        hints = hints_of(self.__class__)
        for field in dataclasses.fields(self):
            require_range(field.name, getattr(self, field.name), hints[field.name])
        if further is not None:
            further(self)

    cls.__post_init__ = __post_init__  # type: ignore[attr-defined]
    return cls


def checked_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function, whose arguments are checked first."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        hints = hints_of(function)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            require_range(name, value, hints.get(name))
        return function(*args, **kwargs)

    return call


@functools.cache
def hints_of(what: Hashable) -> Mapping[str, Any]:
    """Returns the annotations of a class or a function, with their ranges."""
    return typing.get_type_hints(what, include_extras=True)


def require_range(name: str, value: Any, annotation: Any) -> None:
    """Raises UsageError if a number in `value` is outside the range of `annotation`.

    Optional values, tuples and the values of dictionaries are looked into.
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        for limits in inner[1:]:
            if isinstance(limits, Range):
                require_number(name, value, whole=inner[0] is int, limits=limits)
    elif origin in (typing.Union, types.UnionType):
        choices = [kind for kind in inner if kind is not type(None)]
        if value is not None and len(choices) == 1:
            require_range(name, value, choices[0])
    elif origin is tuple and isinstance(value, tuple | list):
        kinds = inner[:1] * len(value) if inner[-1:] == (...,) else inner
        if len(kinds) != len(value):
            raise UsageError(
                f"`{name}` has {len(value)} values: give {len(kinds)} of them."
            )
        for item, kind in zip(value, kinds, strict=True):
            require_range(name, item, kind)
    elif origin is dict and isinstance(value, dict):
        for item in value.values():
            require_range(name, item, inner[1])


def require_number(name: str, value: Any, *, whole: bool, limits: Range) -> None:
    """Raises UsageError unless `value` is a number of the kind and range."""
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, kind) and not isinstance(value, bool) and limits.holds(value):
        return
    raise UsageError(
        f"`{name}` is {shown(value)}: choose a {'whole ' if whole else ''}number "
        f"{limits}."
    )
