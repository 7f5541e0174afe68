"""Whole signals and files through the engine in blocks, so that memory does not grow with their length."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.audio.names import printable
from rtnmf.dictionary import Dictionary
from rtnmf.engine.mixer import Mixer
from rtnmf.engine.separator import Separator
from rtnmf.progress import Progress

__all__ = ["aligned", "separate_file"]

Array = NDArray[np.float32]

_BLOCK_S = 1.0
_LEAST_BLOCK, _MOST_BLOCK = 2**12, 2**20  # whatever the header says of the sample rate


def aligned(separator: Separator, blocks: Iterable[Array]) -> Iterator[Array]:
    """Yield what becomes of a signal that comes in blocks, its latency taken off; in all as long as the signal.

    Parameters
    ----------
    separator : Separator
        Reset at the end.
    blocks : iterable of arrays, shape (n_samples, n_channels)

    Yields
    ------
    array, shape (n_outputs, n_samples, n_channels)
        One for each block, the first ones shorter by the latency, and what is flushed in the end.
    """
    skip = separator.latency
    for block in blocks:
        outputs = separator.process(block)
        yield outputs[:, skip:]
        skip = max(0, skip - len(block))
    yield separator.flush()[:, skip:]


def separate_file(
    path: str | os.PathLike[str] | files.AudioReader,
    dictionary: Dictionary,
    folder: str | os.PathLike[str] | None = None,
    *,
    gains: Mapping[str, float] | None = None,
    progress: Progress | None = None,
    strict: bool = False,
    **separator_options: Any,
) -> dict[str, Path]:
    """Separate an audio file of any length into one file per source, or into one remix.

    The files have the format of the mixture, 24 bits in WAV where it is compressed with loss; they are aligned with it
    and as long, and are there all together or not at all. They hold the same samples as `separate` gives. What was odd
    or lost in the mixture is a warning each.

    Parameters
    ----------
    path : path or AudioReader
        The mixture.
    dictionary : Dictionary
        With two sources or more; at another rate than the file's it is converted, with a warning.
    folder : path, optional
        Where the files go; made where it is missing. None means `NAME-stems` beside the mixture.
    gains : {source: gain}, optional
        Write one remix with these linear gains instead; sources that are not in it get 1.
    progress : Progress, optional
        Its stage is the time of the mixture that was reached, its steps are samples, or bytes where the length is not
        known.
    strict : bool
        Raise where something in the mixture is damaged.
    **separator_options
        `n_iter` and `mask_power`, as for `Separator`.

    Returns
    -------
    {source: path}
        Of the files that were written, the only key being "remix" where there are gains.

    Raises
    ------
    TypeError, ValueError
        If the mixture cannot be read, an output cannot be written, or the dictionary has one source only.
    """
    if not isinstance(dictionary, Dictionary):
        raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
    if len(dictionary.sources) == 1:
        raise ValueError(
            f"the dictionary has one source only, {dictionary.sources[0]!r}: add what it is to be told from,"
            " such as dictionary + rtnmf.load('keyboard')"
        )
    mixer = None if gains is None else Mixer(dictionary.sources, gains)
    with files.opened(path, strict=strict) as mix:
        separator = Separator(
            dictionary, sample_rate=mix.sample_rate, n_channels=mix.n_channels, gains=mixer, **separator_options
        )
        outputs = _output_paths(mix, folder, None if mixer else separator.sources)
        paths = list(outputs.values())
        with files.AudioWriter(paths, mix.sample_rate, mix.n_channels, mix.container, mix.subtype) as writer:
            blocks = mix.blocks(min(max(int(_BLOCK_S * mix.sample_rate), _LEAST_BLOCK), _MOST_BLOCK))
            for block in aligned(separator, blocks):
                writer.write(block)
                if progress is not None:
                    progress(f"{mix.position / mix.sample_rate:.0f} s", *mix.progress)
        mix.warn(stacklevel=3)
    for output, n_clipped in zip(paths, writer.n_clipped, strict=True):
        if n_clipped:
            warnings.warn(f"{printable(output)}: {n_clipped} samples were above full scale and cut off", stacklevel=2)
    return outputs


def _output_paths(
    mix: files.AudioReader, folder: str | os.PathLike[str] | None, sources: tuple[str, ...] | None
) -> dict[str, Path]:
    """Make the folder, and return a path in it for each source, or for the remix; none is that of the mixture."""
    folder = mix.path.with_name(f"{mix.path.stem}-stems") if folder is None else Path(folder)
    files.make_folder(folder)
    names = (
        {"remix": f"{mix.path.stem}-remix"}
        if sources is None
        else dict(zip(sources, files.safe_names(sources), strict=True))
    )
    paths = {source: folder / f"{name}{mix.suffix}" for source, name in names.items()}
    for path in paths.values():
        with contextlib.suppress(OSError):
            if path.samefile(mix.path):
                raise ValueError(f"{printable(path)}: is the mixture itself: choose another folder")
    return paths
