"""Learning: from recordings of each source to a dictionary."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rtnmf.checks import check_single, check_text, check_whole
from rtnmf.dictionary import Dictionary
from rtnmf.frames.model import Model
from rtnmf.frames.stft import STFT
from rtnmf.learning import sources
from rtnmf.learning.backgrounds import Background
from rtnmf.learning.checkpoint import Checkpoint, identities
from rtnmf.learning.clips import Recording, listed, short
from rtnmf.learning.columns import chosen_components
from rtnmf.learning.readable import readable
from rtnmf.learning.recordings import checked_rate, frames, pipes_read
from rtnmf.learning.rest import REST, WithRest, checked_rest, licences, with_rest
from rtnmf.learning.training import N_STEPS, N_STEPS_AGAINST_REST, trained
from rtnmf.learning.workers import chosen
from rtnmf.nmf.torch_sums import check_device
from rtnmf.progress import Progress
from rtnmf.version import version

__all__ = ["learn"]

_MOST_TITLES = 50  # of the recordings of a source that are kept
_MOST = 10**6  # of components, iterations or steps: more is a slip of the finger


def learn(
    recordings: Mapping[str, Recording | Sequence[Recording] | Dictionary] | Recording,
    sample_rate: int | None = None,
    *,
    stft: STFT | None = None,
    latency: int | Literal["low"] | None = None,
    latency_ms: float | None = None,
    model: Model = Model(),
    n_components: int | None = None,
    n_iter: int | None = None,
    n_steps: int | None = None,
    rest: WithRest = None,
    voices: Sequence[str] | None = None,
    n_passes: int = 0,
    client: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    memory: int | None = None,
    device: str | None = None,
    seed: int = 0,
    description: str = "",
    licence: str = "",
    progress: Progress | None = None,
    strict: bool = False,
) -> Dictionary:
    """Learn a dictionary from recordings of each source, or from one recording of unknown sources.

    The components of each source are learned from the frames of its own recordings by KL-NMF: silent frames are left
    out, recordings are brought to the same level, the channels of a stereo recording are added as magnitudes. The
    components start as averages of random frames; after the fit, each is blended half and half with the source's mean
    spectrum. Two sources or more then get a second set of columns, by discriminative training on mixtures of the
    recordings. A single recording is learned blind: each component becomes a source, `component-1`, `component-2`, ...
    Where one source is taught, a second one, `rest`, stands for all that was not: it is learned from the backgrounds of
    a pool, and may later be learned from a mixture, too (`adapted`). Frames of all sources travel with the dictionary.
    Several recordings of a source are one sound where their mean spectra overlap by 70 % or more, like takes of a
    voice; different sounds, like the stems of a song, are also mixed with each other in the training.
    Of long recordings, frames are left out evenly, so that the spectrogram does not grow with their length, unless
    passes over all of them are asked for.

    Parameters
    ----------
    recordings : {source name: recording, list of recordings, or Dictionary}, or a recording
        A recording is an array, shape (n_samples,) or (n_samples, n_channels), the path of an audio file, an
        `AudioReader`, stretches of a file, `Clip("episode.m4a", (12.5, 15.5), (20, None))`, or the sum of sounds that
        sound together, `Together("bass.wav", "keys.wav")`. A dictionary with one sound that was taught, such as a
        preset, takes the place of the recordings that it was learned from.
    sample_rate : int, optional
        Rate of the arrays and of the dictionary in Hz. Needed with arrays; files are converted to it, and
        without it to the highest rate among them.
    stft : STFT, optional
        Settings to learn and later stream with; None means `STFT.default` with the latency below.
    latency : int or "low", optional
        Delay of the stream in samples, instead of an `stft`; None means the length of the window, "low" a sixteenth
        of it, 128 samples at 48 kHz.
    latency_ms : float, optional
        Upper limit on that delay in ms, instead of `latency` or an `stft`.
    model : Model
        How a frame is explained, in the training and in every stream.
    n_components : int, optional
        Components per source, 32 when None, or components in all when learned blind, 3 when None.
    n_iter : int, optional
        Iterations of the factorisation; None means 40, which keeps the components from fitting these very
        recordings, and when learned blind at most 100, fewer when it converged.
    n_steps : int, optional
        Steps of the discriminative training of two or more sources; None means 900, and 450 for one source and a rest
        of backgrounds; 0 leaves it out.
    rest : bool or sequence of Background, optional
        Add a source `rest`, learned from the pool (`pool()`) or from these backgrounds, such as those of a folder,
        `backgrounds.own(folder)`. None means where one source is taught. Recordings of a source of that name join them.
    voices : sequence of str, optional
        The sources that are people who speak: an expert will help to separate them (`Separator`). None means those
        that are named so, such as voice or speech, or are in the dictionary that is given for them.
    n_passes : int
        Passes over all frames of the recordings of each source, after learning from some of them: two are enough. They
        are read anew in each, in partitions, so that memory does not grow with them. Files that cannot be read, or are
        silent or too short, are left out, with a warning that names and counts them; where more than a tenth of all
        frames cannot be read any more in a pass, that is an error. The result is the same to the bit
        on any number of threads and workers. 0 learns from some of the frames alone.
    client : distributed.Client, optional
        Cluster of Dask on which the recordings are read, in passes; None means the threads of this process. All
        machines need the recordings at the same paths, and the same version of this library.
    checkpoint : path, optional
        File in which is kept what each pass has reached; where it is there, learning goes on from it, on another
        device or cluster and to more passes, too. Where settings or recordings are others, the error names them. The
        caller removes it.
    memory : int, optional
        Upper limit on the memory of this process in bytes, in passes: with less of it, fewer threads read. None means
        as many as there are processors.
    device : str, optional
        Where torch is to compute the passes and the training, such as "cuda": with `pip install 'rtnmf[gpu]'`. The
        result is the same but for rounding. With a client, it is the device of each worker, which does the passes. None
        means on the processors.
    seed : int
        Of the random start and of the mixtures: the same input and seed give the same dictionary.
    description, licence : str
        Kept in the dictionary, the licence with those of the dictionaries that are given and of the backgrounds.
    progress : Progress, optional
        Its stages are the names of the sources ("components" when learned blind), with the pass and the hours of audio
        where there are passes, then "training".
    strict : bool
        Raise where a file is damaged or, in passes, would be left out, instead of a warning.

    Raises
    ------
    TypeError, ValueError
        A setting that is out of its range or would be ignored is refused before anything is read; a file that cannot
        be read, or that ends before a stretch of it, is refused before anything is learned. It is an error, too, if
        there is nothing to learn from: no source, no recording, or one that is silent, too short or not finite.
    """
    _check_settings(seed, description, licence, n_components=n_components, n_iter=n_iter)
    _check_types(model, progress, stft=stft, latency=latency, latency_ms=latency_ms)
    _check_passes(n_passes, recordings, n_iter=n_iter, client=client, checkpoint=checkpoint, memory=memory)
    _check_device(device, client=client, memory=memory)
    unknown, known = sources.split(recordings)
    given = {} if known and not unknown else listed(unknown)
    given, files_rate, n_channels = readable(given, strict=strict) if n_passes else (given, None, 1)
    sample_rate = files_rate if sample_rate is None else sample_rate
    backgrounds = checked_rest(rest, {**given, **known}, sources.rest_among(known))
    names = list(recordings) if isinstance(recordings, Mapping) else [""]
    names += [REST] if backgrounds and REST not in names else []
    n_steps = _steps(n_steps, len(names), has_backgrounds=bool(backgrounds))
    if device is not None and not (n_passes or n_steps):
        raise ValueError(f"there are neither passes nor a training to be done on device {device!r}: leave it out")
    facts = _facts(known, backgrounds, names, voices, licence)
    titles = {name: [short(name, one) for one in given[name]] for name in given}
    settings: dict[str, Any] = {"n_components": n_components, "seed": seed, "progress": progress}
    with contextlib.ExitStack() as stack:
        given = pipes_read(given, stack, strict)
        rate = checked_rate(given, sample_rate, [one.sample_rate for one in known.values()], are_checked=n_passes > 0)
        stft = STFT.default(rate, latency=latency, latency_ms=latency_ms) if stft is None else stft
        heard = with_rest(given, backgrounds)
        archived = {name: heard[name] for name in given} if n_passes else {}
        n = chosen_components(n_components, names[0])
        kept = _kept(checkpoint, n_passes, archived, stft, n_components=n, seed=seed, rate=rate, model=model)
        workers = chosen(client, device, memory, stft.n_bins, n_channels, len(names))

        def part(name: str) -> sources.Part:
            form = rate, stft, model.audible_hz
            if name in known:
                return sources.from_dictionary(known[name].at_rate(rate, stft))
            if name in archived:
                passes = sources.Passes(n_passes, workers, kept, strict)
                return sources.from_archive(name, archived[name], *form, len(names), passes, **settings)
            read = frames(name, heard[name], *form, strict=strict, is_told=name in given)
            return sources.from_frames(name, read, len(names), n_iter=n_iter, **settings)

        parts = {name: part(name) for name in names}
    facts["learned_from"] = _learned_from(titles, parts, known, len(backgrounds))
    dictionary = sources.dictionary_of(parts, stft, rate, model=model, description=description, **facts)
    if not n_steps:
        return dictionary
    spectra = {name: part.spectra for name, part in parts.items()}
    device = None if client is not None else device  # which is that of its workers
    return trained(dictionary, spectra, n_steps=n_steps, seed=seed, device=device, progress=progress)


def _kept(
    path: str | os.PathLike[str] | None,
    n_passes: int,
    recordings: Mapping[str, Sequence[Any]],
    stft: STFT,
    *,
    n_components: int,
    seed: int,
    rate: int,
    model: Model,
) -> Checkpoint | None:
    """Return the checkpoint of a learning, with all that W depends on after a pass; None where none is kept.

    The device is not among it: what it reached differs by rounding, as on another kind of processor.
    """
    if path is None:
        return None
    settings = {
        "n_components": int(n_components),
        "seed": int(seed),
        "sample_rate": int(rate),
        "stft": repr(stft),
        "model.audible_hz": float(model.audible_hz),
        "the version of rtnmf": version(),
    }
    checkpoint = Checkpoint(Path(path), settings, identities(recordings), stft.n_bins)
    checkpoint.check_passes(n_passes)
    return checkpoint


def _facts(
    known: Mapping[str, Dictionary],
    backgrounds: Sequence[Background],
    names: Sequence[str],
    voices: Sequence[str] | None,
    licence: str,
) -> dict[str, Any]:
    """Return what the dictionary says of itself, from the arguments of `learn`."""
    rest = REST if backgrounds else sources.rest_among(known)
    return {
        "licence": "; ".join(filter(None, [sources.licences_of(licence, known), licences(backgrounds)])),
        "rtnmf_version": version(),
        "rest": rest,
        "voices": sources.voices_among(voices, names, known, rest),
    }


def _check_settings(seed: int, description: str, licence: str, **numbers: int | None) -> None:
    check_whole("seed", seed, 0)
    check_text("description", description)
    check_text("licence", licence)
    for name, value in numbers.items():
        if value is not None:
            check_whole(name, value, 1, _MOST)


def _check_types(model: object, progress: object, *, stft: object, **latencies: object) -> None:
    check_single(stft=stft, **latencies)
    if not isinstance(stft, STFT | None):
        raise TypeError(f"stft is {stft!r:.80}, expected an STFT")
    if not isinstance(model, Model):
        raise TypeError(f"model is {model!r:.80}, expected a Model")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress is {progress!r:.80}, expected a function of a stage, the steps done and their number"
        )


def _check_passes(
    n_passes: int, recordings: Any, *, n_iter: object, memory: Any, checkpoint: object, **others: object
) -> None:
    """Raise an error if the number of passes is out of its range, or something is unusable or ignored with it."""
    if not isinstance(checkpoint, str | os.PathLike | None):
        raise TypeError(f"checkpoint is {checkpoint!r:.80}, expected the path of a file")
    if check_whole("n_passes", n_passes, 0, _MOST) and n_iter is not None:
        raise ValueError(f"n_iter is {n_iter}, but all frames are learned from in passes: leave it out")
    if n_passes and isinstance(recordings, Mapping) and all(isinstance(x, Dictionary) for x in recordings.values()):
        raise ValueError(f"n_passes is {n_passes}, but there are no recordings to read: leave it out")
    for name, value in {**others, "checkpoint": checkpoint, "memory": memory}.items():
        if not n_passes and value is not None:
            raise ValueError(f"{name} is for passes over all frames: pass n_passes=2, or leave it out")
    if memory is not None:
        check_whole("memory", memory, 1)
        if others["client"] is not None:
            raise ValueError("memory is for learning in this process, and a client is given: leave one of them out")


def _check_device(device: str | None, *, client: object, memory: object) -> None:
    """Raise ValueError if torch cannot compute on a device, or a limit on the memory would not hold with torch."""
    if device is None:
        return
    if client is None:  # else its workers are asked
        check_device("device", device)
    if memory is not None:
        raise ValueError(f"memory is limited without torch only, and device is {device!r}: leave one of them out")


def _steps(n_steps: int | None, n_sources: int, *, has_backgrounds: bool) -> int:
    """Return the steps of the training; where there is nothing to tell apart, refuse a number that would be ignored."""
    if n_steps is not None:
        check_whole("n_steps", n_steps, 0, _MOST)
    if n_sources > 1:
        usual = N_STEPS_AGAINST_REST if has_backgrounds and n_sources == 2 else N_STEPS
        return usual if n_steps is None else n_steps
    if n_steps:
        raise ValueError(
            f"n_steps is {n_steps}, but the training needs two sources to tell apart: leave it out, or give another"
        )
    return 0


def _learned_from(
    titles: Mapping[str, Sequence[str]],
    parts: Mapping[str, sources.Part],
    known: Mapping[str, Dictionary],
    n_backgrounds: int,
) -> tuple[str, ...]:
    """Return what the sources are learned from, in words: of many recordings how many there are.

    What was left out is not among it; backgrounds of a rest stand behind the recordings that are given of it.
    """
    learned = list[str]()
    for name, given in titles.items():
        left_out = parts[name].left_out
        n_backgrounds -= sum(i >= len(given) for i in left_out)
        own = [title for i, title in enumerate(given) if i not in left_out]
        learned += own if len(own) <= _MOST_TITLES else [f"{len(own)} recordings of {name}"]
    learned += [title for dictionary in known.values() for title in dictionary.learned_from]
    return (*learned, *([f"{n_backgrounds} backgrounds"] if n_backgrounds else []))
