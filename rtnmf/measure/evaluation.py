"""Measures of separation: how good.

`evaluate` learns, separates and measures every case of a folder; the measures can be used on their own.
Nothing here prints.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, linalg

from rtnmf.audio import files
from rtnmf.dictionary import Dictionary
from rtnmf.engine.separator import separate
from rtnmf.frames.masks import soft_masks
from rtnmf.frames.stft import STFT
from rtnmf.learning.learn import learn

__all__ = [
    "BSSEval",
    "CaseResult",
    "Comparison",
    "bss_eval",
    "compare",
    "evaluate",
    "ideal_separate",
    "load_case",
    "si_sdr",
    "summary",
]

Array = NDArray[np.float32]

_DRAWS = 2000
_VOICE = re.compile("voice|vocal|speech|speak|spk|talk|sing|male", re.IGNORECASE)
_KINDS = ("no voice", "a voice and other sounds", "voices only")


class BSSEval(NamedTuple):
    """Ratios in dB, one per source: to all errors, to the other sources, to what is in no source."""

    sdr: NDArray[np.float64]
    sir: NDArray[np.float64]
    sar: NDArray[np.float64]


class CaseResult(NamedTuple):
    """What was measured of one case: SI-SDR in dB and BSS-eval, one value per source, and what was heard.

    before is the SI-SDR of the mixture, after that of the stems, untrained that of the stems without the training that
    tells sources apart, bound that of the ideal ratio mask. mixture is (n_samples, n_channels), estimates
    (n_sources, n_samples, n_channels).
    """

    id: str
    condition: str
    sources: tuple[str, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    untrained: NDArray[np.float64]
    bound: NDArray[np.float64]
    bss: BSSEval
    sample_rate: int
    mixture: Array
    estimates: Array

    @property
    def improvement(self) -> NDArray[np.float64]:
        """SI-SDR that was gained, in dB, one value per source."""
        return self.after - self.before


class Comparison(NamedTuple):
    """What the training that tells sources apart gained in a group of cases, in dB of SI-SDR improvement.

    untrained_db is the mean without it; gained_db what it adds in the mean, low_db and high_db the ends of the
    bootstrap interval of 95 % of that mean, least_db what it adds to the case that it serves worst. bound_db is the
    mean of the ideal ratio mask, share_of_stems_worse that of the stems which are worse than the mixture.
    """

    name: str
    n_cases: int
    untrained_db: float
    gained_db: float
    low_db: float
    high_db: float
    least_db: float
    bound_db: float
    share_of_stems_worse: float


def si_sdr(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB.

    `10 log10(|a s|^2 / |a s - e|^2)`, where `a = <e, s> / |s|^2`. Infinite for a perfect estimate, minus infinite
    for a silent one.

    Parameters
    ----------
    reference, estimate : array, the same shape
        All channels count as one signal.

    Raises
    ------
    ValueError
        If the shapes differ or the reference is silent.

    References
    ----------
    J. Le Roux, S. Wisdom, H. Erdogan and J. R. Hershey, "SDR - half-baked or well done?", ICASSP 2019, equation 5.
    """
    s, e = np.ravel(np.asarray(reference, np.float64)), np.ravel(np.asarray(estimate, np.float64))
    if np.shape(reference) != np.shape(estimate):
        raise ValueError(f"estimate has shape {np.shape(estimate)}, expected {np.shape(reference)}")
    if not s.any():
        raise ValueError("reference is silent, so no ratio to it exists")
    if not e.any():
        return -np.inf
    target = (e @ s) / (s @ s) * s
    error = target - e
    return float(_ratio_db(target @ target, error @ error))


def bss_eval(references: ArrayLike, estimates: ArrayLike, filter_length: int = 512) -> BSSEval:
    """Return SDR, SIR and SAR of BSS-eval, in dB, with a time-invariant filter allowed on each true source.

    An estimate is projected on the delayed copies of its own source, and of all sources; what lies outside
    the first is error, what lies between the two is interference, what lies outside both are artifacts. A
    filter reaches across the channels of its source.

    Parameters
    ----------
    references, estimates : array, shape (n_sources, n_samples) or (n_sources, n_samples, n_channels)
        In the same order; no reference may be silent.
    filter_length : int
        Taps of the filter.

    References
    ----------
    E. Vincent, R. Gribonval and C. Fevotte, "Performance measurement in blind audio source separation",
    IEEE Transactions on Audio, Speech and Language Processing 14(4), 2006, section III.
    """
    s, e = (np.asarray(x, np.float64) for x in (references, estimates))
    if s.shape != e.shape or s.ndim not in (2, 3):
        raise ValueError(f"estimates have shape {e.shape}, references {s.shape}, expected (n_sources, n_samples) twice")
    s, e = (x.reshape(*x.shape[:2], -1).transpose(0, 2, 1) for x in (s, e))
    n_sources, n_channels, n_samples = s.shape
    n_fft = fft.next_fast_len(n_samples + filter_length, real=True)
    spectra, estimated = (fft.rfft(x.reshape(-1, n_samples), n_fft) for x in (s, e))
    gram = _gram(spectra, n_fft, filter_length)
    products = fft.irfft(spectra.conj()[:, None] * estimated, n_fft)[:, :, :filter_length]
    everything = _projected_energy(gram, products.transpose(0, 2, 1).reshape(len(gram), -1))
    inside_all = everything.reshape(n_sources, n_channels).sum(axis=1)
    inside_own = np.empty(n_sources)
    for i in range(n_sources):
        own = slice(i * n_channels, (i + 1) * n_channels)
        taps = slice(own.start * filter_length, own.stop * filter_length)
        columns = products[own, own].transpose(0, 2, 1).reshape(-1, n_channels)
        inside_own[i] = _projected_energy(gram[taps, taps], columns).sum()
    energy = np.sum(e**2, axis=(1, 2))
    return BSSEval(
        _ratio_db(inside_own, energy - inside_own),
        _ratio_db(inside_own, inside_all - inside_own),
        _ratio_db(inside_all, energy - inside_all),
    )


def ideal_separate(x: ArrayLike, stems: ArrayLike, stft: STFT) -> Array:
    """Separate with the ideal ratio mask, made from the magnitudes of the true stems: the bound of soft masking.

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
    stems : array, shape (n_sources, n_samples, n_channels)
        The true ones, which sum to `x`.
    stft : STFT

    Returns
    -------
    array, shape (n_sources, n_samples, n_channels)
    """
    mixture, truth = np.asarray(x, np.float32), np.asarray(stems, np.float32)
    estimates = np.zeros_like(truth)
    magnitudes = [np.sum([np.abs(stft.forward(channel)) for channel in stem.T], axis=0) for stem in truth]
    for c, channel in enumerate(mixture.T):
        spectrum = stft.forward(channel)
        masks = [soft_masks(np.stack(frames)) for frames in zip(*(m.T for m in magnitudes), strict=True)]
        for i in range(len(truth)):
            estimates[i, :, c] = stft.inverse(spectrum * np.stack([mask[i] for mask in masks], axis=1), len(mixture))
    return estimates


def load_case(folder: str | os.PathLike[str], case: Mapping[str, Any]) -> tuple[Array, Array, tuple[str, ...]]:
    """Return the mixture, the true stems that sum to it, and the names of the sources of a case of `cases.json`.

    Returns
    -------
    array, shape (n_samples, n_channels); array, shape (n_sources, n_samples, n_channels); tuple of str
    """
    n_samples, n_channels = int(case["seconds"] * case["sample_rate"]), case["channels"]
    stems = np.zeros((len(case["stems"]), n_samples, n_channels), np.float32)
    for stem, out in zip(case["stems"], stems, strict=True):
        x, rate = files.read(Path(folder) / stem["path"])
        x = x[round(stem["start"] * rate) :][: round((case["seconds"] + 0.05) * rate)]
        x = files.resample(x.mean(axis=1, keepdims=True) if n_channels == 1 else x, rate, case["sample_rate"])
        out[: len(x)] = x[:n_samples] * np.asarray(stem["gain"], np.float32)
    return stems.sum(axis=0), stems, tuple(stem["name"] for stem in case["stems"])


def evaluate(
    folder: str | os.PathLike[str],
    dictionary: Dictionary | None = None,
    *,
    latency_ms: float | None = None,
    progress: Callable[[CaseResult, int, int], object] | None = None,
    **learn_options: Any,
) -> list[CaseResult]:
    """Separate and measure the cases of a folder, each with a dictionary learned from its own training clips.

    Parameters
    ----------
    folder : path
        With a `cases.json`: `{"cases": [{"id", "condition", "sample_rate", "channels", "seconds", "stems": [{"name",
        "path", "start", "gain"}], "train": {name: [path]}}]}`; paths are relative to the folder.
    dictionary : Dictionary, optional
        To use for all cases instead of learning; cases with a source that it lacks are left out.
    latency_ms : float, optional
        Separate with at most so much latency in milliseconds; see `Dictionary.at_latency`.
    progress : callable, optional
        Called with each result, its number from 1, and the number of cases.
    **learn_options
        Passed on to `learn`.

    Raises
    ------
    ValueError
        If there is no `cases.json`, it is not in this format, or no case is left.
    """
    cases = _cases(folder)
    if dictionary is not None:
        cases = [case for case in cases if {stem["name"] for stem in case["stems"]} <= set(dictionary.sources)]
    if not cases:
        raise ValueError(f"{folder}: no case to evaluate")
    results = []
    for i, case in enumerate(cases, 1):
        try:
            results.append(_evaluated(Path(folder), case, dictionary, latency_ms, learn_options))
        except ValueError as error:
            raise ValueError(f"case {case['id']!r}: {error}") from error
        if progress is not None:
            progress(results[-1], i, len(cases))
    return results


def summary(results: list[CaseResult]) -> dict[str, float]:
    """Return mean and median of the SI-SDR improvement per case in dB, the least, and the share of worse stems."""
    per_case = [float(result.improvement.mean()) for result in results]
    per_stem = np.concatenate([result.improvement for result in results])
    return {
        "cases": len(results),
        "mean_improvement_db": float(np.mean(per_case)),
        "median_improvement_db": float(np.median(per_case)),
        "least_improvement_db": min(per_case),
        "mean_bound_db": float(np.mean([(result.bound - result.before).mean() for result in results])),
        "share_of_stems_worse": float(np.mean(per_stem < 0)),
    }


def compare(results: list[CaseResult]) -> list[Comparison]:
    """Return what the training gained, for all cases and for each group of them.

    Cases whose condition begins alike, up to the first comma, semicolon or bracket, are a group, and so are, by the
    names of the sources, those of voices only, of a voice and other sounds, and of no voice.
    """
    groups = {"all": results}
    for result in results:
        groups.setdefault(re.split(r"[,;:(]", result.condition)[0].strip() or "no condition", []).append(result)
    for result in results:
        voices = [bool(_VOICE.search(source)) for source in result.sources]
        groups.setdefault(_KINDS[any(voices) + all(voices)], []).append(result)
    return [_compared(name, some) for name, some in groups.items()]


def _compared(name: str, results: list[CaseResult]) -> Comparison:
    untrained = np.array([(result.untrained - result.before).mean() for result in results])
    gained = np.array([(result.after - result.untrained).mean() for result in results])
    draws = np.random.default_rng(0).integers(len(gained), size=(_DRAWS, len(gained)))
    low, high = np.percentile(gained[draws].mean(axis=1), [2.5, 97.5])
    return Comparison(
        name,
        len(results),
        float(untrained.mean()),
        float(gained.mean()),
        float(low),
        float(high),
        float(gained.min()),
        float(np.mean([(result.bound - result.before).mean() for result in results])),
        float(np.mean(np.concatenate([result.improvement for result in results]) < 0)),
    )


def _cases(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    path = Path(folder) / "cases.json"
    try:
        cases = list(json.loads(path.read_text(encoding="utf-8"))["cases"])
        for i, case in enumerate(cases, 1):
            if not _is_case(case):
                raise ValueError(f"case {i} lacks something, or has it in another form")
        return cases
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}): name a folder with a cases.json") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f'{path}: not a list of cases, expected {{"cases": [...]}} ({error})') from error


def _is_case(case: Any) -> bool:
    """Return whether a case has what it takes to be loaded."""
    number = (int, float)
    stems = case.get("stems") if isinstance(case, dict) else None
    return (
        isinstance(stems, list)
        and isinstance(case.get("id"), str)
        and all(isinstance(case.get(name), int) and 0 < case[name] < 1e7 for name in ("sample_rate", "channels"))
        and isinstance(case.get("seconds"), number)
        and 0 < case["seconds"] < 1e6
        and bool(stems)
        and all(isinstance(stem, dict) for stem in stems)
        and all(isinstance(stem.get(name), str) for stem in stems for name in ("name", "path"))
        and all(isinstance(stem.get("start"), number) and 0 <= stem["start"] < 1e6 for stem in stems)
        and all(isinstance(stem.get("gain"), (*number, list)) for stem in stems)
    )


def _evaluated(
    folder: Path,
    case: dict[str, Any],
    dictionary: Dictionary | None,
    latency_ms: float | None,
    learn_options: dict[str, Any],
) -> CaseResult:
    try:
        mixture, stems, sources = load_case(folder, case)
        if dictionary is None:
            clips = {name: [folder / path for path in case["train"][name]] for name in sources}
            dictionary = learn(clips, case["sample_rate"], **learn_options)
        name, condition = str(case["id"]), str(case.get("condition", ""))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no training clips ({error})") from error
    dictionary = dictionary.at_rate(case["sample_rate"]).select(*sources)
    if latency_ms is not None:
        dictionary = dictionary.at_latency(latency_ms)
    estimates = separate(mixture, dictionary)
    ideal = ideal_separate(mixture, stems, dictionary.stft)
    untrained = separate(mixture, dictionary.untrained()) if dictionary.is_trained else estimates
    before, after, without, bound = (
        np.array([si_sdr(s, e) for s, e in zip(stems, given, strict=True)])
        for given in ([mixture] * len(stems), estimates, untrained, ideal)
    )
    bss = bss_eval(stems, estimates)
    rate = case["sample_rate"]
    return CaseResult(name, condition, sources, before, after, without, bound, bss, rate, mixture, estimates)


def _gram(spectra: NDArray[np.complex128], n_fft: int, filter_length: int) -> NDArray[np.float64]:
    """Return the inner products of all delayed copies of all signals, as blocks of Toeplitz matrices."""
    n = len(spectra)
    gram = np.empty((n, filter_length, n, filter_length))
    for i in range(n):
        for j in range(i, n):
            lags = fft.irfft(spectra[i].conj() * spectra[j], n_fft)
            block = linalg.toeplitz(lags[:filter_length], np.roll(lags[::-1], 1)[:filter_length])
            gram[i, :, j], gram[j, :, i] = block, block.T
    return gram.reshape(n * filter_length, n * filter_length)


def _projected_energy(gram: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each column of inner products, the energy of the projection on the span."""
    ridge = np.eye(len(gram)) * (1e-12 * np.trace(gram) / len(gram))
    energies: NDArray[np.float64] = np.sum(products * linalg.solve(gram + ridge, products, assume_a="pos"), axis=0)
    return energies


def _ratio_db(signal: NDArray[np.float64] | float, error: NDArray[np.float64] | float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = 10 * np.log10(np.asarray(signal) / np.maximum(error, 0))
    return ratio
