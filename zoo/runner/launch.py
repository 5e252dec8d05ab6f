"""Experiments as command lines.

An experiment is a function whose keyword defaults are its configuration: a family, a
task, an optimiser. Each field of these is an option.
"""

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
from collections.abc import Callable, Collection
from typing import Annotated, Any

import jax
import tyro

from zoo.core import Family, supports
from zoo.errors import exit_on_error
from zoo.files import xla_cache
from zoo.ranges import checked


def launch(experiment: Callable[..., Any], args: list[str] | None = None) -> None:
    """Runs an experiment from the command line.

    Exits with 2 if the request is wrong, and with 1 on failure.
    """

    def run() -> Any:
        jax.config.update("jax_compilation_cache_dir", str(xla_cache()))
        config = (tyro.conf.OmitArgPrefixes,)
        return tyro.cli(without_sizes(checked(experiment)), args=args, config=config)

    exit_on_error(run, "the same command resumes from the last checkpoint")


def without_sizes(experiment: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the experiment without options for what its task's data decide.

    A family's `vocab` follows from the codec, so that `--vocab` would be refused.
    """
    signature = inspect.signature(experiment)
    defaults = [parameter.default for parameter in signature.parameters.values()]
    decided = {
        name for default in defaults for name in getattr(type(default), "SIZES", ())
    }
    parameters = [
        without_default(parameter, decided)
        if supports(parameter.default, Family)
        else keyword_only(parameter)
        for parameter in signature.parameters.values()
    ]

    @functools.wraps(experiment)
    def command(*args: Any, **kwargs: Any) -> Any:
        return experiment(*args, **kwargs)

    del command.__wrapped__  # tyro would read the signature of the experiment
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {
        parameter.name: parameter.annotation for parameter in parameters
    }
    return command


def keyword_only(parameter: inspect.Parameter) -> inspect.Parameter:
    """Returns a parameter that is an option, unless it is positional alone."""
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return parameter
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def without_default(
    parameter: inspect.Parameter, decided: Collection[str]
) -> inspect.Parameter:
    """Returns the parameter of a family, whose fields but for `decided` are options.

    Each field has a default of its own, and the help text shows that one.
    """
    annotation = options_of(parameter.default, decided)
    empty = inspect.Parameter.empty
    return keyword_only(parameter).replace(annotation=annotation, default=empty)


def options_of(default: Any, decided: Collection[str]) -> Any:
    """Returns an annotation by which `default`'s fields are options, but for
    `decided`."""
    cls = type(default)
    fields = [
        field
        for field in dataclasses.fields(cls)
        if field.init and field.name not in decided
    ]

    def build(**values: Any) -> Any:
        return dataclasses.replace(default, **values)

    hints = inspect.get_annotations(cls, eval_str=True)
    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=getattr(default, field.name),
                annotation=hints[field.name],
            )
            for field in fields
        ]
    )
    build.__annotations__ = {field.name: hints[field.name] for field in fields}
    docs = field_docs(cls)
    lines = [f"    {field.name}: {docs.get(field.name, '')}" for field in fields]
    build.__doc__ = "\n".join([f"{cls.__name__}.", "", "Args:", *lines])
    return Annotated[cls, tyro.conf.arg(constructor=build)]


def field_docs(cls: type) -> dict[str, str]:
    """Returns the docstrings below the fields of a dataclass, in one line each."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    assert isinstance(tree.body[0], ast.ClassDef)
    body, docs = tree.body[0].body, {}
    for field, after in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            docs[field.target.id] = " ".join(str(after.value.value).split())
    return docs
