"""The streaming engine: blocks of sound in, the stems of the sources out, a fixed number of samples later.

Nothing here reads files, learns, or knows about sound cards.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.checks import check_channels, check_number, check_whole, single
from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.planning import check_affordable, planned
from rtnmf.engine.fading import Fading
from rtnmf.engine.fitting import fitting
from rtnmf.engine.mix import Mix
from rtnmf.engine.mixer import HIGHEST_GAIN, Mixer
from rtnmf.experts.named import panel
from rtnmf.frames.masks import MASK_POWER
from rtnmf.frames.model import MOST_UPDATES
from rtnmf.kernels import hop

__all__ = ["Separator", "separate", "usable"]

Array = NDArray[np.float32]

_HIGHEST_POWER = 1e6
_LONGEST_PIECE = 2**16
_MOST_SAID = 2**23  # of values at a time, by all experts


class Separator:
    """Separate a stream into the sources of a dictionary.

    Each frame of the STFT is explained by the components with a few updates of their activations, starting from those
    of the frame before; each source gets the share of each bin that its components explain. A trained dictionary
    explains the frame a second time, with its trained columns and from a uniform start, and the masks are the product
    of both, see `frames.masks.agreed_masks`. Where there are voices, experts that know voices in general are asked,
    too, and their word multiplies the masks. All channels of a frame share one set of activations and masks, so a
    source stays where it is in the image.

    State
        The last frame of input, the overlap-add of the stems, the activations, that of the experts, and the gains and
        the dictionary on their way to new ones. `reset` clears all of it.
    Latency
        `latency` samples, exactly, for any blocks. The same samples cut into other blocks give bit-identical stems.
    Thread safety
        `gains`, `n_iter` and `dictionary` may be set from another thread; all else belongs to one thread.

    Parameters
    ----------
    dictionary : Dictionary
        What to listen for.
    sample_rate : int, optional
        Of the stream, in Hz; None means the dictionary's. For another one `dictionary.at_rate` is used, with a warning.
    n_channels : int
        Channels of the stream.
    n_iter : int, optional
        Updates of the activations per frame; None means those of `dictionary.model`. A trained dictionary warns when
        it is used with another number than it was trained for.
    mask_power : float
        1 shares a bin in proportion to the magnitudes; larger values decide more sharply.
    gains : array, shape (n_outputs, n_sources), or Mixer, optional
        Weight of each source in each output, linear; or a `Mixer` for the one output that it describes. None gives
        one output per source.
    experts : sequence of str, optional
        Which experts to ask about the voices of the dictionary, of `experts.named.NAMES`; none where it is empty. None
        means the usual ones, where there are voices and other sources.

    Attributes
    ----------
    experts : tuple of str
        Those that are asked.
    asks : bool
        Whether they are asked, or rest; they begin anew after a rest. May be set between two blocks.

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
        n_iter: int | None = None,
        mask_power: float = MASK_POWER,
        gains: ArrayLike | Mixer | None = None,
        experts: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(dictionary, Dictionary):
            raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
        mask_power = check_number("mask_power", mask_power)
        if not 0 < single(mask_power) <= _HIGHEST_POWER:
            raise ValueError(f"mask_power is {mask_power:g}, expected a positive number, at most a million")
        self.n_channels = check_channels(n_channels)
        self._mask_power = mask_power
        converted = _at_rate(dictionary, sample_rate)
        self.n_iter = converted.model.used_updates(n_iter, is_trained=converted.is_trained)
        check_affordable(converted, self.n_channels, self.n_iter)
        self._dictionary = converted.select(*dictionary.sources)
        self.sources = self._dictionary.sources
        self._wished_n_iter = n_iter
        if gains is None and len(self.sources) == 1:
            gains = [[1]]  # a mixer may be set later, and will need the input from before
        self._mix = None if gains is None else self._mixing(self._weights(gains))
        self.experts, self._panel = panel(experts, self._dictionary)
        self.asks = True
        self._fading = Fading(planned(self._dictionary, mask_power), self.n_channels, self.sample_rate)
        self.process(np.zeros((0, n_channels), np.float32))  # compiles, so that no later block is late
        self._flat = n_channels == 1

    def __repr__(self) -> str:
        return f"<Separator of {', '.join(self.sources)}; {self.sample_rate} Hz, latency {self.latency} samples>"

    @property
    def latency(self) -> int:
        """Delay from input to output in samples."""
        return self.dictionary.stft.latency

    @property
    def sample_rate(self) -> int:
        """Sample rate of the stream in Hz."""
        return self.dictionary.sample_rate

    @property
    def dictionary(self) -> Dictionary:
        """What it listens for, with its labels grouped by source.

        Set it to another dictionary of the same sample rate, STFT and sources, with any components, trained or not.
        From the very next sample on, stems are cross-faded to those of the new dictionary in 50 ms: without a click,
        and summing to the delayed input throughout. `n_iter` becomes that of its model, unless it was given. Experts go
        on speaking for the voices of the first dictionary.
        """
        return self._dictionary

    @dictionary.setter
    def dictionary(self, dictionary: Dictionary) -> None:
        fits = fitting(dictionary, self._dictionary)
        n_iter = fits.model.used_updates(self._wished_n_iter, is_trained=fits.is_trained)
        check_affordable(fits, self.n_channels, n_iter)
        plan = planned(fits, self._mask_power)
        self._n_iter = n_iter
        self._dictionary = fits
        self._fading.turn_to(plan)

    def turn_to(self, plan: hop.Plan) -> None:
        """Cross-fade to a plan that was made of another dictionary elsewhere, which `dictionary` does not tell."""
        self._fading.turn_to(plan)

    @property
    def plan(self) -> hop.Plan:
        """What the hop needs to know of the dictionary; not to be changed."""
        return self._fading.plan

    @property
    def is_fading(self) -> bool:
        """Whether a dictionary that was replaced can still be heard."""
        return self._fading.is_fading

    @property
    def n_iter(self) -> int:
        """Updates of the activations per frame; setting it takes effect with the next block."""
        return self._n_iter

    @n_iter.setter
    def n_iter(self, n_iter: int) -> None:
        self._n_iter = self._wished_n_iter = check_whole("n_iter", n_iter, 1, MOST_UPDATES)

    @property
    def activations(self) -> Array:
        """Activations of `dictionary.components` in the last frame, shape (n_components,); a copy.

        In the order of `dictionary.labels` of the separator, which groups them by source; zeros until a dictionary
        that was just set has had a frame.
        """
        return self._fading.activations

    @property
    def gains(self) -> Array:
        """Weight of each source in each output, shape (n_outputs, n_sources); a copy.

        Setting it, to an array of the same shape or a `Mixer` for one output, takes effect from the next block on,
        ramped linearly over one hop.
        """
        n_sources = len(self.sources)
        return np.eye(n_sources, dtype=np.float32) if self._mix is None else self._mix.target[:, :n_sources]

    @gains.setter
    def gains(self, gains: ArrayLike | Mixer) -> None:
        weights = self._weights(gains)
        if len(weights) != len(self.gains):
            raise ValueError(
                f"gains are for {len(weights)} outputs, expected {len(self.gains)}: make a new Separator for others"
            )
        if self._mix is None:
            self._mix = self._mixing(self._weights(self.gains))
        self._mix.turn_to(weights)

    def reset(self) -> None:
        """Reset the stream state."""
        self._fading.reset()
        if self._panel is not None:
            self._panel.reset()
        if self._mix is not None:
            self._mix.reset()

    def process(self, block: ArrayLike) -> Array:
        """Take a block of the stream and return as many samples of each output, `latency` samples late.

        Samples that are not finite, or below 1e-10 (-200 dB), count as silence.

        Parameters
        ----------
        block : array of floats, shape (n_samples,) or (n_samples, n_channels)
            Full scale is 1; any length, including 0; 1-D only if `n_channels` is 1. Not changed.

        Returns
        -------
        array, shape (n_outputs, n_samples) or (n_outputs, n_samples, n_channels), as the block's; the caller's own

        Raises
        ------
        TypeError, ValueError
            If the samples are not floats, or the shape is another one.
        """
        samples = _floats("block", block, self.n_channels)
        flat = samples.ndim == 1
        n_channels = 1 if flat else samples.shape[1]
        if n_channels != self.n_channels:
            raise ValueError(
                f"block has {n_channels} channels, separator was made for {self.n_channels}:"
                f" pass n_channels={n_channels}"
            )
        self._flat = flat
        with np.errstate(over="ignore", invalid="ignore"):  # what is infinite in float32 counts as silence, too
            samples = np.ascontiguousarray(samples.reshape(len(samples), n_channels), np.float32)
        length = self._piece_length
        pieces = [samples[i : i + length] for i in range(0, len(samples), length)] or [samples]
        outputs = np.concatenate([self._outputs(piece) for piece in pieces], axis=1)
        return outputs[:, :, 0] if flat else outputs

    def flush(self) -> Array:
        """Return the last `latency` samples of each output, shaped as those of the last block, and `reset`."""
        silence = np.zeros(self.latency if self._flat else (self.latency, self.n_channels), np.float32)
        stems = self.process(silence)
        self.reset()
        return stems

    @property
    def _piece_length(self) -> int:
        """Samples of a block that are worked on at a time: what experts say of many short hops is much, too."""
        said = len(self.experts) * self.dictionary.stft.n_bins
        return min(_LONGEST_PIECE, max(1, _MOST_SAID // (said or 1)) * self.dictionary.stft.hop_length)

    def _outputs(self, samples: Array) -> Array:
        """Return the outputs of a piece of a block; what experts say of a whole hour would not fit into memory."""
        advice = None if self._panel is None else self._panel.process(usable(samples), asks=self.asks)
        return self._mixed(self._fading.process(samples, self._n_iter, advice), samples)

    def _mixed(self, stems: Array, samples: Array) -> Array:
        return stems if self._mix is None else self._mix.apply(stems, self._mix.align(usable(samples)))

    def _mixing(self, weights: Array) -> Mix:
        return Mix(weights, self.latency, self.n_channels, self.dictionary.stft.hop_length)

    def _weights(self, gains: ArrayLike | Mixer) -> Array:
        """Return the weights of the stems, and last of the dry signal, shape (n_outputs, n_sources + 1)."""
        if isinstance(gains, Mixer):
            if gains.sources != self.sources:
                raise ValueError(f"the mixer is for {gains.sources}, expected the sources {self.sources}")
            return gains.weights[None]
        checked = _numbers(gains)
        if checked.ndim != 2 or not len(checked) or checked.shape[1] != len(self.sources):
            raise ValueError(f"gains have shape {checked.shape}, expected (n_outputs, {len(self.sources)})")
        if not np.isfinite(checked).all():
            raise ValueError("gains hold non-finite values, expected weights such as 0, 0.5 or 1")
        if not np.abs(checked).max() <= HIGHEST_GAIN:
            largest = np.abs(checked).max()
            raise ValueError(f"gains reach {largest:g}, expected weights such as 0, 0.5 or 1, at most {HIGHEST_GAIN:g}")
        return np.pad(checked, ((0, 0), (0, 1)))


def separate(x: ArrayLike, dictionary: Dictionary, **separator_options: Any) -> Array:
    """Separate a whole signal: `Separator.process` and `flush`, with the latency taken off.

    Parameters
    ----------
    x : array, shape (n_samples,) or (n_samples, n_channels)
        The mixture; not changed.
    dictionary : Dictionary
    **separator_options
        `sample_rate`, `n_iter`, `mask_power`, `gains` and `experts`, as for `Separator`.

    Returns
    -------
    array, shape (n_outputs, n_samples) or (n_outputs, n_samples, n_channels)
        Aligned with `x` and as long; `dictionary.by_source` gives each a name.

    Raises
    ------
    TypeError, ValueError
        As `Separator` does, or if `x` is not floats of that shape.
    """
    x = _floats("x", x, "n_channels")
    separator = Separator(dictionary, n_channels=x.shape[1] if x.ndim == 2 else 1, **separator_options)
    outputs = separator.process(x)
    return np.concatenate([outputs, separator.flush()], axis=1)[:, separator.latency :]


def _floats(name: str, samples: ArrayLike, n_channels: int | str) -> NDArray[np.floating]:
    """Return samples as an array if they are floats of one channel, or of channels as columns."""
    array = np.asarray(samples)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"{name} has samples of type {array.dtype}, expected floats with full scale 1")
    if array.ndim not in (1, 2):
        flat = "" if isinstance(n_channels, int) and n_channels > 1 else "(n_samples,) or "
        raise ValueError(f"{name} has shape {array.shape}, expected {flat}(n_samples, {n_channels})")
    return array


def usable(samples: NDArray[np.floating]) -> Array:
    """Return a copy of samples as float32, silence where they are not finite or too loud for a spectrum."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = samples.astype(np.float32)
    return np.where(np.abs(single) < hop.LOUDEST, single, np.float32(0))


def _numbers(gains: ArrayLike) -> Array:
    try:
        given = np.asarray(gains)
    except ValueError as error:
        raise ValueError(f"gains are {gains!r:.80}, expected rows of the same length") from error
    if given.dtype.kind not in "biuf":
        raise TypeError(f"gains are of type {given.dtype}, expected real numbers such as 0, 0.5 or 1")
    with np.errstate(over="ignore", invalid="ignore"):  # a number too large for float32 is reported as non-finite
        return given.astype(np.float32)


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
