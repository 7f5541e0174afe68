"""Whole files through the engine in blocks, so that memory does not grow with their length; several: `many_files`."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files, outputs
from rtnmf.audio.names import printable, shortened
from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.parts import check_adaptable
from rtnmf.engine.mixer import Mixer
from rtnmf.engine.separator import Separator
from rtnmf.engine.streaming import aligned
from rtnmf.progress import Progress

__all__ = ["REST", "AnyPath", "heard", "loaded", "separate_file", "separate_to", "separators_for", "written_by"]

Array = NDArray[np.float32]
AnyPath = str | os.PathLike[str]

REST = ("mixture", "pool")
"""What the rest of the world is learned from, where a dictionary has one: each mixture too, or the pool alone."""

_BLOCK_S = 1.0
_MOST_VALUES = 2**24  # of all stems of a block
_LEAST_BLOCK, _MOST_BLOCK = 2**12, 2**20  # whatever the header says of the sample rate


def separate_file(
    path: AnyPath | files.AudioReader,
    dictionary: Dictionary | AnyPath,
    folder: AnyPath | None = None,
    *,
    gains: Mapping[str, float] | None = None,
    rest: str = "mixture",
    format: str | None = None,
    subtype: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    strict: bool = False,
    **separator_options: Any,
) -> dict[str, Path]:
    """Separate an audio file of any length into one file per source, or into one remix.

    The files are aligned with the mixture and as long, and are there all together or not at all. They hold the same
    samples as `separate` gives, with the dictionary that `adapted` returns where it has a rest. What was odd or lost
    in the mixture is a warning each.

    Parameters
    ----------
    path : path or AudioReader
        The mixture; `-` is the standard input.
    dictionary : Dictionary or str
        With two sources or more; at another rate than the file's it is converted, with a warning. A name is loaded
        with `load`, at the rate of the mixture.
    folder : path, optional
        Where the files go; made where it is missing. None means `NAME-stems` beside the mixture, or `NAME-stems-2`
        where there is something in that, and so on.
    gains : {source: gain}, optional
        Write one remix with these linear gains instead; sources that are not in it get 1.
    rest : {"mixture", "pool"}
        Where the dictionary has a rest: learn it from this mixture first, which reads the file twice, or leave it as it
        was learned.
    format : str, optional
        `wav`, `flac`, `aiff`, `mp3`, `ogg` or `opus`; the last three with the highest bit rate. None is the format of
        the mixture where that is lossless, else WAV, with a warning.
    subtype : str, optional
        `pcm16`, `pcm24`, `pcm32`, `float` or `double`. None is that of the mixture, 24 bits where it is compressed with
        loss.
    overwrite : bool
        Replace files that are there. By default they are left alone, and all new ones get the same free number:
        `voice-2.wav` and `fan-2.wav`.
    progress : Progress, optional
        Its stage is that of learning the rest, then the time of the mixture that was reached, whose steps are samples,
        or bytes where the length is not known.
    strict : bool
        Raise where something in the mixture is damaged.
    **separator_options
        `n_iter`, `mask_power` and `experts`, as for `Separator`.

    Returns
    -------
    {source: path}
        Of the files that were written, the only key being "remix" where there are gains.

    Raises
    ------
    TypeError, ValueError
        If the mixture cannot be read, an output cannot be written, or the dictionary has one source only.
    """
    outputs.check_kind(format, subtype)
    separators = separators_for(dictionary, gains, rest, separator_options, progress)
    with contextlib.ExitStack() as stack:
        mix = stack.enter_context(files.opened(path, strict=strict))
        wish = mix.path.with_name(f"{shortened(mix.path.stem)}-stems") if folder is None else Path(folder)
        place = stack.enter_context(outputs.made_folder(wish, is_new=folder is None and not overwrite))
        separator = separators(mix, progress)  # which may take a while
        return written_by(mix, separator, place, gains is not None, format, subtype, overwrite, progress)


def separate_to(
    stream: BinaryIO,
    path: AnyPath | files.AudioReader,
    dictionary: Dictionary | AnyPath,
    source: str,
    *,
    gains: Mapping[str, float] | None = None,
    rest: str = "mixture",
    subtype: str | None = None,
    progress: Progress | None = None,
    strict: bool = False,
    **separator_options: Any,
) -> None:
    """Separate an audio file and write one stem to a stream, as a WAV file that grows as it is separated.

    Parameters
    ----------
    stream : binary file
        It need not be possible to go back in it.
    path, dictionary, gains, rest, subtype, progress, strict, **separator_options
        As for `separate_file`.
    source : str
        The stem to write; "remix" where there are gains.

    Raises
    ------
    TypeError, ValueError
        If the mixture cannot be read, or there is no such source.
    """
    outputs.check_kind("wav", subtype)
    separators = separators_for(dictionary, gains, rest, separator_options, progress)
    with files.opened(path, strict=strict) as mix:
        separator = separators(mix, progress)
        sources = separator.sources if gains is None else ("remix",)
        if source not in sources:
            raise ValueError(f"there is no source {source!r}: choose from {', '.join(sources)}")
        coding = outputs.chosen_format(mix, "wav", subtype).subtype
        stream.write(outputs.wav_header(mix.sample_rate, mix.n_channels, coding, mix.n_samples))
        for block in _outputs(mix, separator, progress):
            stream.write(outputs.encoded(block[sources.index(source)], mix.sample_rate, coding))
            stream.flush()
        mix.warn(stacklevel=3)


def separators_for(
    dictionary: Dictionary | AnyPath,
    gains: Mapping[str, float] | None,
    rest: str,
    options: Mapping[str, Any],
    progress: Progress | None,
) -> Callable[[files.AudioReader, Progress | None], Separator]:
    """Return the function that gives the separator for a mixture; it makes one for each rate and number of channels.

    Raises
    ------
    TypeError, ValueError
        If none could be made, whatever the rate.
    """
    if not isinstance(dictionary, (Dictionary, str, os.PathLike)):
        raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
    if rest not in REST:
        raise ValueError(f"rest is {rest!r:.80}, expected one of {', '.join(REST)}")

    @functools.cache
    def made(sample_rate: int | None, n_channels: int) -> tuple[Separator, Dictionary]:
        ready = dictionary if isinstance(dictionary, Dictionary) else loaded(dictionary, sample_rate, progress)
        _check_sources(ready, dictionary)
        mixer = None if gains is None else Mixer(ready.sources, gains)
        separator = Separator(ready, sample_rate=sample_rate, n_channels=n_channels, gains=mixer, **options)
        return separator, separator.dictionary

    def separator(mix: files.AudioReader, progress: Progress | None) -> Separator:
        ready, learned = made(mix.sample_rate, mix.n_channels)
        ready.dictionary = (
            heard(learned, mix, progress, ready.experts) if rest == "mixture" and learned.rest else learned
        )
        return ready

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each comes again when one is made for a mixture
        made(None, 1)
    return separator


def loaded(name: AnyPath, sample_rate: int | None, progress: Progress | None) -> Dictionary:
    """Return the dictionary of a name at a sample rate."""
    from rtnmf.learning.joining import load  # only where it is needed: what learns takes memory

    return load(name, sample_rate, progress=progress)


def heard(
    dictionary: Dictionary,
    mix: files.AudioReader,
    progress: Progress | None = None,
    experts: Sequence[str] | None = None,
) -> Dictionary:
    """Return the dictionary with the rest of a mixture learned, or as it is, with a warning, where that cannot be."""
    from rtnmf.learning.adapting import adapted

    try:
        check_adaptable(dictionary)
    except ValueError as error:
        warnings.warn(f"the rest is not learned from {mix.name}: {error}", stacklevel=4)
        return dictionary
    return adapted(dictionary, mix, progress=progress, experts=experts)


def _check_sources(dictionary: Dictionary, name: Dictionary | AnyPath) -> None:
    if len(dictionary.sources) > 1:
        return
    of = "the dictionary" if isinstance(name, Dictionary) else printable(name)
    example = "dictionary + rtnmf.load('rest')" if isinstance(name, Dictionary) else f"{of}+rest"
    raise ValueError(f"{of} has one source only: add what it is to be separated from, as in {example}")


def _outputs(mix: files.AudioReader, separator: Separator, progress: Progress | None) -> Iterator[Array]:
    """Yield the outputs of a separator, in blocks."""
    separator.reset()  # it may have stopped half-way through another file
    fits = max(1, _MOST_VALUES // (len(separator.sources) * mix.n_channels))
    blocks = mix.blocks(min(max(int(_BLOCK_S * mix.sample_rate), _LEAST_BLOCK), _MOST_BLOCK, fits))
    for block in aligned(separator, blocks):
        yield block
        if progress is not None:
            progress(f"{mix.position / mix.sample_rate:.0f} s", *mix.progress)


def written_by(
    mix: files.AudioReader,
    separator: Separator,
    folder: Path,
    is_remix: bool,
    format: str | None,
    subtype: str | None,
    overwrite: bool,
    progress: Progress | None,
) -> dict[str, Path]:
    """Write the outputs of a separator into files, and return their paths."""
    kind = outputs.chosen_format(mix, format, subtype)
    _say_format(mix, kind, format)
    sources = separator.sources
    stems = dict(zip(sources, files.safe_names(sources), strict=True))
    names = {"remix": f"{shortened(mix.path.stem)}-remix"} if is_remix else stems
    paths = outputs.free_paths(folder, names, kind.suffix, overwrite=overwrite)
    for path in paths.values():
        with contextlib.suppress(OSError):
            if path.samefile(mix.path):
                raise ValueError(f"{printable(path)}: is the mixture itself: choose another folder")
    written, form = list(paths.values()), (mix.sample_rate, mix.n_channels, kind.container, kind.subtype)
    with files.AudioWriter(written, *form, overwrite=overwrite, tags=mix.tags) as writer:
        for block in _outputs(mix, separator, progress):
            writer.write(block)
    mix.warn(stacklevel=3)
    for path, n_clipped in zip(written, writer.n_clipped, strict=True):
        if n_clipped:
            message = (
                f"{printable(path)}: samples above full scale were cut off ({n_clipped}): subtype='float' keeps them"
            )
            warnings.warn(message, stacklevel=3)
    return paths


def _say_format(mix: files.AudioReader, kind: outputs.Format, format: str | None) -> None:
    """Warn if no format was asked for, and that of the mixture is not kept."""
    ending = mix.path.suffix
    if format is None and ending and ending.lower() != kind.suffix.lower():
        depth = kind.subtype.removeprefix("PCM_")
        bits = f"{depth} bits" if depth.isdigit() else depth.lower()
        message = f"{ending} files are separated into {kind.container} of {bits}: choose another with format='flac'"
        warnings.warn(message, stacklevel=4)
