"""Names of files: as people see them, as they write several, and which of a folder are audio."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections import deque
from pathlib import Path

from rtnmf.words import plain

__all__ = ["audio_files", "is_file", "is_folder", "is_there", "is_url", "name", "printable", "shortened", "split"]

_LONGEST_NAME = 200  # bytes of a file's name, which may have 255 with its number and extension

_URL = re.compile(r"([a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE | re.ASCII)
_SECRETS = re.compile(r"(?<=://)[^/?#]*@|[?#].*", re.DOTALL)  # of a URL: who asks, and with which key
_AUDIO = re.compile(
    r"\.(3gp|aac|ac3|aif|aifc|aiff|amr|ape|au|avi|caf|dsf|dts|flac|flv|gsm|m4a|m4b|m4v|mka|mkv|mov|mp2|mp3|"
    r"mp4|mpc|mpg|oga|ogg|ogv|opus|ra|rf64|snd|spx|tta|voc|w64|wav|wave|webm|wma|wmv|wv)",
    re.IGNORECASE,
)
_STEMS = re.compile(r"-stems(-\d+)?$")  # folders that stems were written into, if no other name was given
_SUBFOLDER = "a subfolder: name it, too"


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path fit to be printed: bytes that are not UTF-8 are replaced, and what `checks.plain` replaces.

    Names, passwords and keys in a URL are left out.
    """
    text = os.fsencode(path).decode("utf-8", "replace")
    return plain(_SECRETS.sub("", text) if is_url(path) else text)


def name(path: str | os.PathLike[str]) -> str:
    """Return the last part of a path or URL, fit to be printed."""
    return printable(Path(_SECRETS.sub("", path) if isinstance(path, str) and is_url(path) else path).name)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a URL such as https://host/x.flac or s3://bucket/x.flac, and not that of a file."""
    return isinstance(path, str) and bool(_URL.match(path)) and not is_there(path)


def shortened(name: str) -> str:
    """Return the name of a file, or as much of its beginning as leaves room for a number and an extension."""
    name_bytes = os.fsencode(name)
    return name if len(name_bytes) <= _LONGEST_NAME else name_bytes[:_LONGEST_NAME].decode("utf-8", "ignore")


def split(text: str, separator: str) -> list[str]:
    """Return the names in a text that has a separator between them.

    A separator that belongs to a name has a backslash before it; it needs none where the name with it is that of a
    file: the longest such name is taken.
    """
    pieces, names = re.split(rf"(?<!\\){re.escape(separator)}", text), []
    while pieces:
        lengths = [n for n in range(len(pieces), 1, -1) if is_file(separator.join(pieces[:n]))]
        n = lengths[0] if lengths else 1
        name = separator.join(pieces[:n])
        names.append(name if is_file(name) else name.replace(f"\\{separator}", separator))
        pieces = pieces[n:]
    return names


def audio_files(folder: str | os.PathLike[str], *, subfolders: bool = False) -> list[str]:
    """Return the paths of the audio files in a folder, by their extensions, in order; warn of others.

    What is hidden is left out, and so are subfolders unless they are asked for: a warning names them, but for those
    that stems were written into. Links to folders are followed, unless they lead to one that is read anyway, or that
    holds the folder.

    Raises
    ------
    ValueError
        If there are none, or the folder cannot be read.
    """
    from rtnmf.checks import few  # only where it is needed: it loads numpy

    top = Path(folder)
    found, left_out = _files(top, subfolders=subfolders)
    odd = [f"{printable(path.relative_to(top))} ({reason})" for path, reason in sorted(left_out.items())]
    if odd:
        warnings.warn(f"{printable(folder)}: left out, {len(odd)} in all: {few(odd)}", stacklevel=2)
    audio = [str(path) for path in sorted(found) if _AUDIO.fullmatch(path.suffix)]
    if not audio:
        where = "this folder and its subfolders" if subfolders else "this folder"
        raise ValueError(f"{printable(folder)}: there are no audio files in {where}")
    others = [printable(path.relative_to(top)) for path in sorted(found) if not _AUDIO.fullmatch(path.suffix)]
    if others:
        warnings.warn(f"{printable(folder)}: left out, as not audio by their endings: {few(others)}", stacklevel=2)
    return audio


def _files(top: Path, *, subfolders: bool) -> tuple[list[Path], dict[Path, str]]:
    """Return the files in a folder that are not hidden, and what else is there but cannot be read, and why."""
    files: list[Path] = []
    left_out: dict[Path, str] = {}
    known = {_identity(folder) for folder in top.resolve().parents if is_there(folder)}
    folders, links = deque([top]), deque[Path]()  # links last: files are named as they are without them
    while folders or links:
        folder = (folders or links).popleft()
        try:
            entries = _entries(folder, known)
        except OSError as error:
            if folder == top:
                raise ValueError(f"{printable(top)}: cannot be read ({error.strerror})") from error
            left_out[folder] = str(error.strerror)
            continue
        for entry in entries:
            _sort(entry, files, links if entry.is_symlink() else folders, left_out)
        if not subfolders:
            left_out |= {path: _SUBFOLDER for path in (*folders, *links) if not _STEMS.search(path.name)}
            break
    return files, left_out


def _entries(folder: Path, known: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """Return what is in a folder and not hidden, and make it known; OSError if it cannot be listed, or is known."""
    identity = _identity(folder)
    if identity in known:
        raise OSError(errno.ELOOP, "a link to a folder that is read without it, or that holds this one")
    known.add(identity)
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def _sort(entry: os.DirEntry[str], files: list[Path], folders: deque[Path], left_out: dict[Path, str]) -> None:
    """Add what is in a folder to the files, to the folders, or to what is left out."""
    path = Path(entry.path)
    try:
        if entry.is_dir():
            folders.append(path)
        elif entry.is_file():
            files.append(path)
        else:
            left_out[path] = "a link to nothing" if entry.is_symlink() and not is_there(path) else "no file"
    except OSError as error:
        left_out[path] = str(error.strerror)


def _identity(folder: Path) -> tuple[int, int]:
    """Return what tells a folder from all others, by whatever path it is reached."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a file; one that the system cannot look up, such as too long a name, is not."""
    return os.path.isfile(path)  # noqa: PTH113  # which raises nothing


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a folder, as `is_file` does."""
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: str | os.PathLike[str]) -> bool:
    """Return whether there is something at a path, as `is_file` does."""
    return os.path.exists(path)  # noqa: PTH110
