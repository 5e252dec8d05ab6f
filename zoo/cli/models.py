"""Models of commands: named by the user, or the best that ships."""

import contextlib
import dataclasses
import functools
import inspect
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from zoo.errors import UsageError, require

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence
    from zoo.inference.model import Model

NAMED = (
    "a directory that training has written, a .safetensors file, or the name of "
    "shipped weights (see `zoo list`); by default the best shipped model."
)
ACCEPT = "agree to the terms of weights for non-commercial use."
POSITIONAL: Any = Positional  # which type checkers read otherwise
Verb = Callable[[Mapping[str, Any]], str]


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The model of a command.

    Attributes:
      name: the path or the name.
      accept_licence: whether the user agrees to its terms.
    """

    name: str
    accept_licence: bool = False

    def __str__(self) -> str:
        return self.name

    def load(self, other: str | pathlib.Path | None = None) -> "Model":
        """Loads the model, or another one on the same terms.

        The programs that it compiles are kept for the next command.

        Raises:
          UsageError: there is none, or its terms must be agreed to.
        """
        import jax

        from zoo.files import require_place, xla_cache
        from zoo.inference.loading import load

        with contextlib.suppress(UsageError):
            require_place(xla_cache(), folder=True)
            jax.config.update("jax_compilation_cache_dir", str(xla_cache()))
        return load(other or self.name, accept_licence=self.accept_licence)


def with_model(command: Callable[..., None], verb: str | Verb) -> Callable[..., None]:
    """Makes a command choose its model: its argument `run` is then a `Chosen`.

    The command line gets an optional name in place of `run`, and `accept_licence`. A
    name may stand before files; the first word is a file if it ends as scores do.

    Args:
      command: the command; its positional arguments after `run` are files.
      verb: the verb to choose the best model for, or `options -> verb`.
    """
    parameters = list(inspect.signature(command).parameters.values())
    positional = parameters[0].name == "run"
    files = [x for x in parameters if x.kind is x.POSITIONAL_ONLY and x.name != "run"]
    options = [x for x in parameters if x not in files and x.name != "run"]

    def chosen(
        name: str | None,
        given: Mapping[str, Any],
        accept: bool,
        paths: Sequence[pathlib.Path] = (),
    ) -> Chosen:
        return Chosen(name or announced(verb, given, accept, paths), accept)

    @functools.wraps(command)
    def with_words(
        words: Sequence[str], /, accept_licence: bool = False, **given: Any
    ) -> None:
        name, paths = divided(words)
        bound = matched(files, paths)
        command(chosen(name, given, accept_licence, paths), *bound, **given)

    @functools.wraps(command)
    def with_name(
        *paths: Any, run: str | None = None, accept_licence: bool = False, **given: Any
    ) -> None:
        name = chosen(run, given, accept_licence)
        if positional:
            command(name, **given)
        else:
            command(*paths, run=name, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    accepts = option("accept_licence", bool, ACCEPT, default=False)
    if positional and files:
        forms = " ".join(form(file) for file in files)
        text = f"{NAMED[:-1]}; then MIDI, ABC or MusicXML files."
        metavar = arg(metavar=f"[RUN] {forms}", help=text)
        words: Any = Annotated[tuple[str, ...], metavar]
        first = inspect.Parameter(
            "words",
            inspect.Parameter.POSITIONAL_ONLY,
            annotation=POSITIONAL[words],
            default=(),
        )
        rest = [x.replace(kind=keyword) for x in options]
        return signed(with_words, [first, *rest, accepts])
    run = option("run", str | None, NAMED, default=None)
    if positional:
        named: Any = Annotated[str | None, arg(metavar="[RUN]", help=NAMED)]
        run = run.replace(annotation=POSITIONAL[named])
    rest = [x.replace(kind=keyword) for x in options]
    return signed(with_name, [*files, run, *rest, accepts])


def option(name: str, kind: Any, text: str, *, default: Any) -> inspect.Parameter:
    """Returns the parameter of an option with a help text."""
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind, arg(help=text)],
        default=default,
    )


def signed(
    command: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """Returns a command whose signature has these parameters."""
    del command.__wrapped__  # type: ignore[attr-defined]  # tyro would read its own
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {x.name: x.annotation for x in parameters}
    return command


def form(file: inspect.Parameter) -> str:
    """Returns how the files of a parameter are written in a usage line."""
    name = file.name.upper()
    return f"[{name} ...]" if is_several(file) else name


def is_several(file: inspect.Parameter) -> bool:
    """Says whether a parameter is any number of files."""
    return "tuple" in str(file.annotation)


def divided(words: Sequence[str]) -> tuple[str | None, list[pathlib.Path]]:
    """Returns the name of a model, None without one, and the files after it."""
    from zoo.data.scores.read import SUFFIXES

    first_is_file = not words or pathlib.Path(words[0]).suffix.lower() in SUFFIXES
    name, files = (None, words) if first_is_file else (words[0], words[1:])
    return name, [pathlib.Path(file) for file in files]


def matched(
    parameters: Sequence[inspect.Parameter], paths: Sequence[pathlib.Path]
) -> list[Any]:
    """Returns files as the values of a command's parameters.

    Raises:
      UsageError: there are more or fewer than the command takes.
    """
    if is_several(parameters[0]):
        return [tuple(paths)]
    names = " and ".join(x.name.upper() for x in parameters)
    require(
        len(paths) == len(parameters),
        f"the command takes {len(parameters)} files of music ({names}) and was given "
        f"{len(paths)}: name them after the model, or without one.",
    )
    return list(paths)


def announced(
    verb: str | Verb,
    options: Mapping[str, Any],
    accept_licence: bool,
    paths: Sequence[pathlib.Path] = (),
) -> str:
    """Returns the best shipped model for a command, and prints which it is.

    It is one that reads the first of the files, if there is one.

    Raises:
      UsageError: none that ships can do it.
    """
    from zoo.inference.shipped import best

    word = verb if isinstance(verb, str) else verb(options)
    name = best(word, accept_licence, piece=first_piece(paths))
    print(f"model: {name}, the best shipped one to {word}", file=sys.stderr)
    return name


def first_piece(paths: Sequence[pathlib.Path]) -> "NoteSequence | None":
    """Returns the first piece of files; None without one that can be read."""
    from zoo.data.scores.read import SUFFIXES, read

    if not paths or paths[0].suffix.lower() not in SUFFIXES:
        return None
    return read(paths[0])[0].sequence
