"""Downloads of public files: resumed where they stopped, verified, never half there.

A file is written as `NAME.part`, and renamed once its SHA-256 is right. A download that
stops continues at the next call, if the server allows it (HTTP Range).
"""

import hashlib
import http.client
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from zoo.errors import ZooError

ATTEMPTS = 4  # successive connections that bring nothing, after which it stops
PAUSE = 2.0  # seconds between connections
TIMEOUT = 30.0  # seconds without an answer
BLOCK = 1 << 16
# A server that answers so may answer otherwise in a moment.
TEMPORARY = {408, 429, 500, 502, 503, 504}
COMPLETE = 416  # the range begins at the end of the file
BROKEN = (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


@dataclass(frozen=True)
class Remote:
    """A public file.

    Attributes:
      name: the corpus that it contains, as in specs.
      file: its own name.
      url: its address.
      sha256: the SHA-256 of its contents, in hexadecimal.
      page: the address of the page that describes it.
      megabytes: its approximate size.
      licence: its terms, printed before it is fetched.
    """

    name: str
    file: str
    _: KW_ONLY
    url: str
    sha256: str
    page: str
    megabytes: float
    licence: str

    @property
    def by_hand(self) -> str:
        """The advice if it cannot be downloaded."""
        return (
            f"fetch {self.file} by hand (see {self.page}) and give "
            f"{self.name}:/PATH/TO/{self.file}"
        )


def fetch(remote: Remote, folder: Path) -> Path:
    """Returns the path of a file in `folder`; downloads it the first time.

    Raises:
      ZooError: it cannot be downloaded or written, or is another file than expected.
    """
    from zoo.data.corpora.tfds_writer import exclusive_lock, translate_write_errors

    path = folder / remote.sha256[:12] / remote.file
    if path.exists():
        return path
    part = path.with_name(f"{path.name}.part")
    lock = path.with_name(f"{path.name}.lock")
    with translate_write_errors(folder), exclusive_lock(lock):
        if path.exists():  # another process was first
            return path
        print(
            f"{remote.name}: {remote.licence}\nfetching {remote.url} "
            f"(about {remote.megabytes:g} MB) to {path}",
            file=sys.stderr,
        )
        download(remote, part)
        found = sha256(part)
        if found != remote.sha256:
            part.unlink()
            raise ZooError(
                f"{remote.url} has the SHA-256 {found}, and {remote.sha256} was "
                "expected: run the same command again, or, if you trust another copy, "
                f"{remote.by_hand}."
            )
        os.replace(part, path)
    return path


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def warn_unless_public(path: Path, found: str, remote: Remote) -> None:
    """Prints a warning to stderr if a file with the SHA-256 `found` is another one."""
    if found != remote.sha256:
        print(
            f"{path} is not the public {remote.file}: its SHA-256 differs.",
            file=sys.stderr,
        )


def download(remote: Remote, part: Path) -> None:
    """Downloads a file to `part`, from where an earlier download stopped.

    Raises:
      ZooError: the server has no such file, or cannot be reached.
    """
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    speed = TransferSpeedColumn(), TimeRemainingColumn()
    with Progress(*columns, *speed, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fetching {remote.name}", total=None)
        left = ATTEMPTS
        while left:
            before = size_of(part)
            problem = transfer(remote, part, lambda **at: bar.update(task, **at))
            if not problem:
                return
            left = left - 1 if size_of(part) <= before else ATTEMPTS
            time.sleep(PAUSE if left else 0)
    raise ZooError(
        f"{remote.url} stopped at {size_of(part):,} bytes ({problem}): run the same "
        f"command again to continue there, or {remote.by_hand}."
    )


def transfer(remote: Remote, part: Path, report: Callable[..., None]) -> str:
    """Makes one connection and appends what it brings to `part`.

    Args:
      remote: the file.
      part: where it is written.
      report: called with `completed` and `total`, in bytes.

    Returns:
      "" if the file is complete, or why it is not.

    Raises:
      ZooError: another connection would not help.
    """
    start = size_of(part)
    # some servers refuse Python's own name
    request = urllib.request.Request(remote.url, headers={"User-Agent": "music-zoo"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            if response.status != http.client.PARTIAL_CONTENT:
                start = 0  # the server sends the whole file
            length = response.headers.get("Content-Length")
            total = None if length is None else start + int(length)
            with part.open("ab" if start else "wb") as file:
                append(response, file, lambda at: report(completed=at, total=total))
                done = file.tell()
            return "" if total in (None, done) else "the connection was closed"
    except urllib.error.HTTPError as error:
        if error.code == COMPLETE:
            return ""
        if error.code in TEMPORARY:
            return f"{error.code} {error.reason}"
        raise ZooError(
            f"{remote.url} answers {error.code} {error.reason}: {remote.by_hand}."
        ) from error
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        if isinstance(error.reason, TimeoutError):
            return str(reason)
        raise ZooError(
            f"{remote.url} cannot be reached ({reason}): run the same command again "
            f"with a network, or {remote.by_hand}."
        ) from error
    except BROKEN as error:
        return str(error) or type(error).__name__


def append(response: Any, file: BinaryIO, report: Callable[[int], None]) -> None:
    """Appends the body of a response; calls `report` with the size of the file."""
    while block := response.read(BLOCK):
        file.write(block)
        report(file.tell())


def size_of(path: Path) -> int:
    """Returns the size of a file in bytes, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0
