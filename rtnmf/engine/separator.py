"""The streaming engine: blocks of sound in, the stems of the sources out, a fixed number of samples later.

Nothing here reads files, learns, or knows about sound cards.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.checks import check_whole
from rtnmf.dictionary import Dictionary
from rtnmf.frames import masks
from rtnmf.kernels import hop

__all__ = ["Separator", "separate"]

Array = NDArray[np.float32]

_MOST_CHANNELS = 64


class Separator:
    """Separate a stream into the sources of a dictionary.

    Each frame of the STFT is explained by the components with a few updates of their activations, starting
    from those of the frame before; each source gets the share of each bin that its components explain. A trained
    dictionary explains the frame a second time, with its trained columns and from a uniform start: a source then gets
    what both agree on, see `masking.agreed_masks`. All channels of a frame share one set of activations and masks, so
    a source stays where it is in the image.

    State
        The last frame of input, the overlap-add of the outputs, the activations. `reset` clears all of it.
    Latency
        `latency` samples, exactly, for any blocks. The same samples cut into other blocks give bit-identical stems.
    Thread safety
        `gains` and `n_iter` may be set from another thread; all else belongs to one thread.

    Parameters
    ----------
    dictionary : Dictionary
        What to listen for.
    sample_rate : int, optional
        Of the stream, in Hz; None means the dictionary's. For another one `dictionary.at_rate` is used, with a warning.
    n_channels : int
        Channels of the stream.
    n_iter : int
        Updates of the activations per frame.
    mask_power : float
        1 shares a bin in proportion to the magnitudes; larger values decide more sharply.
    gains : array, shape (n_outputs, n_sources), optional
        Weight of each source in each output; None gives one output per source.

    Raises
    ------
    TypeError, ValueError
        If a setting is out of its range or the gains do not fit the sources.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        *,
        sample_rate: int | None = None,
        n_channels: int = 1,
        n_iter: int = 5,
        mask_power: float = 1.0,
        gains: ArrayLike | None = None,
    ) -> None:
        if not isinstance(dictionary, Dictionary):
            raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
        if not mask_power > 0 or not np.isfinite(mask_power):
            raise ValueError(f"mask_power is {mask_power}, expected a positive number")
        if not 1 <= n_channels <= _MOST_CHANNELS:
            raise ValueError(
                f"n_channels is {n_channels}, expected 1 to {_MOST_CHANNELS}: signals are (n_samples, n_channels),"
                " pass x.T if yours is the other way round"
            )
        dictionary = _at_rate(dictionary, sample_rate).select(*dictionary.sources)
        self.dictionary = dictionary
        self.sources = dictionary.sources
        self.n_channels = n_channels
        self.n_iter = n_iter
        self._gains = self._checked_gains(np.eye(len(self.sources)) if gains is None else gains)
        bounds = np.cumsum([0, *(dictionary.labels.count(source) for source in self.sources)])
        W, M, memory, weights = _explanations(dictionary)
        self._plan = hop.Plan(
            dictionary.stft.hop_length,
            dictionary.stft.analysis_window,
            dictionary.stft.synthesis_window,
            W,
            M,
            memory,
            weights,
            bounds.astype(np.uintp),
            np.float32(mask_power),
        )
        self._stream = hop.started(self._plan, n_channels, len(self._gains))
        self._flat = n_channels == 1
        self.process(np.zeros((0, n_channels), np.float32))  # compiles, so that no later block is late

    @property
    def latency(self) -> int:
        """Delay from input to output in samples."""
        return self.dictionary.stft.latency

    @property
    def sample_rate(self) -> int:
        """Sample rate of the stream in Hz."""
        return self.dictionary.sample_rate

    @property
    def n_iter(self) -> int:
        """Updates of the activations per frame; setting it takes effect with the next block."""
        return self._n_iter

    @n_iter.setter
    def n_iter(self, n_iter: int) -> None:
        check_whole("n_iter", n_iter, 1)
        self._n_iter = int(n_iter)

    @property
    def activations(self) -> Array:
        """Activations of `dictionary.components` in the last frame, shape (n_components,); a copy.

        In the order of `dictionary.labels` of the separator, which groups them by source.
        """
        return self._stream.h[0] * self._stream.level

    @property
    def gains(self) -> Array:
        """Weight of each source in each output, shape (n_outputs, n_sources).

        Setting it, to an array of the same shape, takes effect with the next block, cross-faded by the windows.
        """
        return self._gains.copy()

    @gains.setter
    def gains(self, gains: ArrayLike) -> None:
        checked = self._checked_gains(gains)
        if checked.shape != self._gains.shape:
            raise ValueError(f"gains have shape {checked.shape}, expected {self._gains.shape}: make a new Separator")
        self._gains = checked

    def reset(self) -> None:
        """Forget the past: the next sample is the first one."""
        hop.forget(self._stream)

    def process(self, block: ArrayLike) -> Array:
        """Take a block of the stream and return as many samples of each output, `latency` samples late.

        Samples that are not finite, or below 1e-10 (-200 dB), count as silence.

        Parameters
        ----------
        block : array of floats, shape (n_samples,) or (n_samples, n_channels)
            Full scale is 1; any number of samples, also none; the first shape for one channel only. Not changed.

        Returns
        -------
        array, shape (n_outputs, n_samples) or (n_outputs, n_samples, n_channels), as the block's; the caller's own

        Raises
        ------
        TypeError, ValueError
            If the samples are not floats, or the shape is another one.
        """
        samples = np.asarray(block)
        if not np.issubdtype(samples.dtype, np.floating):
            raise TypeError(f"block has samples of type {samples.dtype}, expected floats with full scale 1")
        flat = samples.ndim == 1
        if samples.ndim not in (1, 2):
            raise ValueError(f"block has shape {samples.shape}, expected (n_samples, {self.n_channels})")
        n_channels = 1 if flat else samples.shape[1]
        if n_channels != self.n_channels:
            raise ValueError(
                f"block has {n_channels} channels, separator was made for {self.n_channels}:"
                f" pass n_channels={n_channels}"
            )
        self._flat = flat
        with np.errstate(over="ignore"):  # what is infinite in float32 counts as silence, too
            samples = np.ascontiguousarray(samples.reshape(len(samples), n_channels), np.float32)
        stems = np.empty((len(self._gains), *samples.shape), np.float32)
        hop.process(self._plan, self._stream, samples, stems, self._gains, self._n_iter)
        return stems[:, :, 0] if flat else stems

    def flush(self) -> Array:
        """Return the last `latency` samples of the stems, shaped as those of the last block, and `reset`."""
        silence = np.zeros(self.latency if self._flat else (self.latency, self.n_channels), np.float32)
        stems = self.process(silence)
        self.reset()
        return stems

    def _checked_gains(self, gains: ArrayLike) -> Array:
        checked = np.array(gains, np.float32)
        if checked.ndim != 2 or not len(checked) or checked.shape[1] != len(self.sources):
            raise ValueError(f"gains have shape {checked.shape}, expected (n_outputs, {len(self.sources)})")
        if not np.isfinite(checked).all():
            raise ValueError("gains hold non-finite values, expected weights such as 0, 0.5 or 1")
        return checked


def separate(
    x: ArrayLike,
    dictionary: Dictionary,
    *,
    sample_rate: int | None = None,
    n_iter: int = 5,
    mask_power: float = 1.0,
    gains: ArrayLike | None = None,
) -> Array:
    """Separate a whole signal: `Separator.process` and `flush`, with the latency taken off.

    Parameters
    ----------
    x : array, shape (n_samples,) or (n_samples, n_channels)
        The mixture; not changed.
    dictionary, sample_rate, n_iter, mask_power, gains
        As for `Separator`.

    Returns
    -------
    array, shape (n_outputs, n_samples) or (n_outputs, n_samples, n_channels)
        Aligned with `x` and as long.
    """
    x = np.asarray(x)
    separator = Separator(
        dictionary,
        sample_rate=sample_rate,
        n_channels=x.shape[1] if x.ndim == 2 else 1,
        n_iter=n_iter,
        mask_power=mask_power,
        gains=gains,
    )
    stems = separator.process(x)
    return np.concatenate([stems, separator.flush()], axis=1)[:, separator.latency :]


def _explanations(dictionary: Dictionary) -> tuple[Array, Array, Array, Array]:
    """Return what each explanation finds activations with and makes masks of, its memory, and its weight."""
    if dictionary.update_components is None or dictionary.mask_components is None:
        W = hop.tiled(dictionary.components)
        return W, W, np.array([hop.MEMORY]), np.ones(1, np.float32)
    return (
        hop.tiled(dictionary.components, dictionary.update_components),
        hop.tiled(dictionary.components, dictionary.mask_components),
        np.array([hop.MEMORY, 0], np.float32),  # columns are trained from a uniform start
        np.array(masks.WEIGHTS, np.float32),
    )


def _at_rate(dictionary: Dictionary, sample_rate: int | None) -> Dictionary:
    if sample_rate is None or sample_rate == dictionary.sample_rate:
        return dictionary
    converted = dictionary.at_rate(sample_rate)
    warnings.warn(
        f"the dictionary was learned at {dictionary.sample_rate} Hz and is converted to {sample_rate} Hz:"
        " learn it at that rate for the best result",
        stacklevel=3,
    )
    return converted
