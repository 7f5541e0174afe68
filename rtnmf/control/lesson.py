"""A lesson: a sound is recorded from what comes in while all goes on, heard back, and learned in the background."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtnmf.dictionary import Dictionary
    from rtnmf.live import Live

__all__ = ["LEAST_S", "MOST_S", "Lesson"]

LEAST_S, MOST_S = 1.0, 120.0
"""How long a take may be."""

_COUNTDOWN_S = 3.0
_LOOK_S = 0.05


class Lesson:
    """The teaching of one sound at a time.

    Thread safety
        All methods and properties may be used from any thread.

    Parameters
    ----------
    learned : function
        Called in a thread with the dictionary of the new source, and a function that tells whether it is still wanted.

    Attributes
    ----------
    stage : str
        Empty, `countdown`, `recording`, `heard` (there is a take), `learning` or `failed`.
    name : str
        Of the sound.
    text : str
        What is happening, or why it failed, in words.
    """

    def __init__(self, learned: Callable[[Dictionary, Callable[[], bool]], None]) -> None:
        self.stage = self.name = self.text = ""
        self._learned = learned
        self._lock = threading.RLock()
        self._number = 0
        self._until_s = 0.0
        self._take: tuple[NDArray[np.float32], int] | None = None

    @property
    def left_s(self) -> float:
        """Seconds until the stage is over; 0 where that is not known."""
        return max(0.0, self._until_s - time.monotonic())

    def begin(self, name: str, seconds: float, live: Live) -> None:
        """Count down and record; raises ValueError if a lesson goes on, nothing sounds, or it would be too long."""
        if not LEAST_S <= seconds <= MOST_S:  # NaN is not
            raise ValueError(f"seconds is {seconds}, expected {LEAST_S:g} to {MOST_S:g}")
        with self._lock:
            if live.stats.state != "sounding":
                raise ValueError("there is no sound yet: wait until the devices are open")
            if self.stage not in ("", "failed"):
                raise ValueError(f"{self.name!r} is being taught: keep or drop that first")
            self.name, self._take = name, None
            self._number += 1
            self._turn("countdown", f"make the sound {name} alone when the countdown is over", _COUNTDOWN_S)
        self._run(self._record, self._number, seconds, live)

    def take(self) -> tuple[NDArray[np.float32], int]:
        """Return the take, shape (n_samples, n_channels), and its sample rate; raises ValueError if there is none."""
        take = self._take
        if self.stage != "heard" or take is None:
            raise ValueError("there is no take: teach a sound first")
        return take

    def wav(self) -> bytes:
        """Return the take as the bytes of a WAV file; raises ValueError if there is none."""
        import soundfile

        samples, sample_rate = self.take()
        file = io.BytesIO()
        soundfile.write(file, samples, sample_rate, "PCM_16", format="WAV")
        return file.getvalue()

    def learn(self, like: Dictionary) -> None:
        """Learn the take as another dictionary is; raises ValueError if there is no take, or no process to do it."""
        from rtnmf.learning.takes import learned
        from rtnmf.live.training import Training

        with self._lock:
            samples, sample_rate = self.take()
            try:
                settings = (like.sample_rate, like.stft, like.model)
                work = Training(learned, self.name, samples, sample_rate, *settings, doing="learning", done="learned")
            except OSError as error:
                raise ValueError(f"no process could be started to learn {self.name} ({error})") from error
            self._turn("learning", work.text)
        self._run(self._follow, self._number, work)

    def drop(self) -> None:
        """Give it up, whatever the stage."""
        with self._lock:
            self._number += 1
            self._take = None
            self._turn("", "")

    def _run(self, step: Callable[..., None], number: int, *arguments: Any) -> None:
        threading.Thread(target=self._try, args=(step, number, *arguments), name="rtnmf-lesson", daemon=True).start()

    def _try(self, step: Callable[..., None], number: int, *arguments: Any) -> None:
        try:
            step(number, *arguments)
        except (ValueError, TypeError, OSError) as error:
            with self._lock:
                if number == self._number:
                    self._turn("failed", str(error))

    def _record(self, number: int, seconds: float, live: Live) -> None:
        import numpy as np

        from rtnmf.learning.takes import judged, trimmed

        assert live.tap is not None
        silence = np.zeros((2048, 1), np.float32)
        threading.Thread(target=trimmed, args=(silence, 48_000), daemon=True).start()  # loads what it takes meanwhile
        was_frozen = live.freeze
        if not was_frozen:
            live.freeze = True  # what is taught is not the rest
        try:
            blocks: list[NDArray[np.float32]] = []
            n_samples = 0
            for block in live.tap.blocks(_COUNTDOWN_S + seconds):
                blocks.append(block)
                n_samples += len(block)
                if self._passed(number, n_samples / live.sample_rate, seconds):
                    return
        finally:
            if not was_frozen:
                live.freeze = False
        x = np.concatenate(blocks)[round(_COUNTDOWN_S * live.sample_rate) :]
        if not x.any():
            raise ValueError("the microphone gave nothing but silence: is it muted?")
        x = trimmed(x, live.sample_rate)
        level, *notes = judged(x)
        text = f"{len(x) / live.sample_rate:.1f} s, {level}" + "".join(f"; {note}" for note in notes)
        with self._lock:
            if number == self._number:
                self._take = x, live.sample_rate
                self._turn("heard", text)

    def _passed(self, number: int, heard_s: float, seconds: float) -> bool:
        """Turn from the countdown to the recording; return whether the lesson was given up."""
        with self._lock:
            if number == self._number and self.stage == "countdown" and heard_s >= _COUNTDOWN_S:
                self._turn("recording", f"recording {self.name}", seconds)
            return number != self._number

    def _follow(self, number: int, work: Any) -> None:
        """Wait for what is learned, and pass it on."""
        while True:
            found = work.look()
            with self._lock:
                if number != self._number:
                    work.close()
                    return
                self.text = work.text
            if found is not None:
                self._learned(found, lambda: number == self._number)
                self._end(number)
                return
            if work.is_over:
                raise ValueError(work.text)
            time.sleep(_LOOK_S)

    def _end(self, number: int) -> None:
        with self._lock:
            if number == self._number:
                self.drop()

    def _turn(self, stage: str, text: str, seconds: float = 0.0) -> None:
        self.stage, self.text = stage, text
        self._until_s = time.monotonic() + seconds
