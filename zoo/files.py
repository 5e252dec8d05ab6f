"""Places of files, and files that are written as a whole or not at all."""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from zoo.errors import NO_HOME, UsageError, ZooError

P = ParamSpec("P")
T = TypeVar("T")
ADVICE = "free disk space, or choose a place that can be written"
CORPUS_ADVICE = (
    "free disk space, or set ZOO_DATA to another folder; the files read so far are kept"
)


def cache_root() -> Path:
    """Returns the folder of all that can be made again: $XDG_CACHE_HOME/music-zoo.

    Raises:
      UsageError: there is neither such a folder nor a home.
    """
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(folder):  # the standard says to ignore others
        return Path(folder) / "music-zoo"
    return home() / ".cache" / "music-zoo"


def data_root() -> Path:
    """Returns the folder of built corpora, $ZOO_DATA or in the user's cache."""
    folder = os.environ.get("ZOO_DATA")
    return user_path(folder) if folder else cache_root() / "data"


def xla_cache() -> Path:
    """Returns the folder where compiled programs are kept between runs."""
    if os.environ.get("ZOO_DATA"):
        return data_root() / "xla"
    return cache_root() / "xla"


def home() -> Path:
    """Returns the user's home. Raises UsageError if the system knows of none."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError(NO_HOME) from error


def user_path(path: str | Path) -> Path:
    """Returns a path whose ~ is replaced by the user's home.

    Raises:
      UsageError: there is no such user, or no home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"The home folder in {path} is not known: write the whole path."
        ) from error


def without_home(text: str) -> str:
    """Returns a text that is to be kept, with ~ for the path of the user's home."""
    try:
        folder = str(Path.home())
    except RuntimeError:
        return text
    if folder == "/":
        return text
    return text.replace(f"{folder}/", "~/")


def write_error(path: Path, error: OSError, advice: str = ADVICE) -> ZooError:
    """Returns the error of a path that cannot be written."""
    return ZooError(
        f"{path} could not be written ({error.strerror or error}): {advice}."
    )


def require_place(path: Path, *, folder: bool) -> None:
    """Checks before any work is done that a file or a folder can be written.

    Raises:
      UsageError: it cannot.
    """
    if path.exists() and path.is_dir() != folder:
        kind, needed = ("a file", "folder") if folder else ("a folder", "file")
        raise UsageError(f"{path} is {kind}: choose another {needed} as `out`.")
    place = path.absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not os.access(place, os.W_OK) or (
        place != path.absolute() and not place.is_dir()
    ):
        raise UsageError(f"{path} cannot be written: choose another place as `out`.")


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yields a path beside `path`, which replaces it if the body succeeds.

    Raises:
      ZooError: it cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def written_whole(
    write: Callable[Concatenate[T, Path, P], Path],
) -> Callable[Concatenate[T, Path, P], Path]:
    """Makes a function that writes things to a folder do so whole or not at all.

    It returns the path of one of its files.
    """

    @functools.wraps(write)
    def whole(things: T, folder: Path, *args: P.args, **kwargs: P.kwargs) -> Path:
        with folder_aside(folder) as staging:
            path = write(things, staging, *args, **kwargs)
        return folder / path.name

    return whole


@contextlib.contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """Yields an empty folder, whose files are moved to `folder` if the body succeeds.

    Other files of `folder` are kept, and those of the same names replaced.

    Raises:
      ZooError: it cannot be written; nothing is left behind then.
    """
    created = not folder.exists()
    staging = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
        yield staging
        for path in staging.iterdir():
            os.replace(path, folder / path.name)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        if staging:
            shutil.rmtree(staging, ignore_errors=True)
        if created:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def shipping_folders() -> tuple[Path, Path]:
    """Returns the folders of shipped weights and their cards.

    In a clone they are those of the package and of its documentation, elsewhere the
    current folder.
    """
    package = Path(__file__).parent
    cards = package.parent / "docs" / "models" / "cards"
    if not cards.parent.is_dir():
        return Path(), Path()
    return package / "weights", cards
