"""The studio: a desk whose separation can be taught, loaded, regrouped and recorded while it sounds.

Sounds that are new need another separation: it gets ready while the old one sounds, and takes over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtnmf.control.desk import INPUT, OUTPUT, Desk
from rtnmf.control.lesson import Lesson
from rtnmf.control.shelf import Shelf, joined, regrouped, trainable, without
from rtnmf.dictionary import load_preset

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.engine.mixer import Mixer
    from rtnmf.live import Live

__all__ = ["Studio"]


class Studio:
    """A separation that is steered by hands, and may become another one while it sounds.

    Thread safety
        All methods and properties may be used from any thread. Those that change what it listens for wait for each
        other.

    Parameters
    ----------
    make : function
        Returns a `Live` of a dictionary, with a tap, that does not sound yet.
    dictionary : Dictionary
        To begin with.
    name : str
        Of that dictionary, for people.
    folder : path
        For dictionaries, takes and recordings; made when it is needed.

    Attributes
    ----------
    desk : Desk
    shelf : Shelf
    lesson : Lesson
    name : str
        Of what it listens for, as it was loaded, taught or saved.
    notice : str
        The last thing that is worth saying.
    busy : str
        What is being done that takes a while, in words; empty if nothing is.
    """

    def __init__(self, make: Callable[[Dictionary], Live], dictionary: Dictionary, name: str, folder: Path) -> None:
        self._make, self._given = make, dictionary
        self._is_closed = False
        self._paths: list[Path] = []
        self.desk = Desk(make(dictionary), folder / "recordings")
        self.shelf = Shelf(folder)
        self.lesson = Lesson(self._learned)
        self.name, self.notice, self.busy = name, "", ""

    @property
    def live(self) -> Live:
        """The separation that sounds now."""
        return self.desk.live

    def open(self) -> None:
        """Start to sound; raises ValueError if the devices cannot be used."""
        self.live.open()

    def close(self) -> None:
        """Stop the lesson and the sound, and finish the recordings; nothing sounds after it."""
        self._is_closed = True
        self.lesson.drop()
        with self.desk.changing:
            self.live.close()

    def teach(self, name: str, seconds: float) -> None:
        """Record a sound from what comes in after a countdown; `keep` it then, or `drop` it.

        Raises
        ------
        TypeError, ValueError
            If the name is none or is taken, a lesson goes on, or what sounds has no frames to be trained with.
        """
        self.shelf.check_teachable(self._given, name)
        self.lesson.begin(name, seconds, self.live)

    def keep(self) -> None:
        """Learn from the take, in the background, and listen for it then; raises ValueError if there is none."""
        name, (samples, sample_rate) = self.lesson.name, self.lesson.take()
        self.lesson.learn(self._given)
        try:
            self.shelf.keep_take(name, samples, sample_rate)
        except (OSError, ValueError) as error:  # it is learned all the same
            self.notice = f"the take of {name} was not kept: {error}"

    def drop(self) -> None:
        """Give up the lesson, whatever its stage."""
        self.lesson.drop()

    def load(self, name: str, kind: str) -> None:
        """Listen for a "dictionary" of the folder, or a "preset" and all else; raises ValueError if there is none."""
        self._turn_to(f"loading {name}", lambda _: self.shelf.loaded(name, kind), name)

    def add(self, preset: str) -> None:
        """Listen for a preset besides what there is; raises ValueError if that has such a source."""
        self._turn_to(f"adding {preset}", lambda _: joined(self._given, load_preset(preset)))

    def save(self, name: str) -> None:
        """Write what sounds, with the rest as it is now, to the folder; raises ValueError if the name is taken."""
        path = self.shelf.save(self.live.dictionary, name)
        self.name, self.notice = path.stem, f"written to {path}"

    def rename(self, source: str, to: str) -> None:
        """Give a source another name; raises as `Dictionary.rename` does."""
        names = {source: to}
        self._turn_to(f"renaming {source}", lambda now: now.rename(names), self.name, names)

    def group(self, components: Iterable[int], to: str) -> None:
        """Make components, by their numbers, one source, with what it has already; raises ValueError if one is none."""
        self._turn_to("regrouping", lambda now: regrouped(now, tuple(components), to), self.name)

    def remove(self, source: str) -> None:
        """Take a source out; raises ValueError if there is none of that name, or no other."""
        self._turn_to(f"removing {source}", lambda now: without(now, source), self.name)

    def relearn(self) -> None:
        """Forget what was learned of the rest from what came in, and begin again, frozen or not."""
        self.live.relearn()
        self.live.freeze = False

    def record(self, on: bool) -> None:
        """Begin or end a recording in the folder; raises ValueError if it cannot be written to."""
        with self.desk.changing:
            if on != self.live.recording.is_on:
                folder = self.desk.record(on)
                self.notice = f"{'recording' if on else 'recorded'} to {folder}"

    @property
    def recordings(self) -> dict[str, Path]:
        """The files of the last recording, by names to show and to ask for them."""
        paths = [*self._paths, *self.live.recording.paths]
        last = [path for path in paths if path.parent == paths[-1].parent]
        return {f"{path.parent.name}-{path.name}": path for path in last}

    @property
    def recorded_in(self) -> str:
        """Where the last recording is; empty without."""
        return next((str(path.parent) for path in self.recordings.values()), "")

    def _learned(self, part: Dictionary, is_wanted: Callable[[], bool]) -> None:
        """Listen for what was taught, too, and train it all."""

        def beside(_: Dictionary) -> Dictionary:
            if not is_wanted():
                raise ValueError("the lesson was given up")
            return joined(self._given, part)

        (name,) = part.sources
        self._turn_to(f"getting ready for {name}", beside)
        self.notice = f"{name} was learned and sounds now"

    def _turn_to(
        self,
        doing: str,
        become: Callable[[Dictionary], Dictionary],
        name: str | None = None,
        new_names: dict[str, str] | None = None,
    ) -> None:
        """Let a separation with another dictionary take over, with what was set at the desk, and train it.

        Parameters
        ----------
        doing : str
            In words.
        become : function
            Returns the dictionary that follows the one that sounds.
        name : str, optional
            Of that dictionary; None for one that is called after its sources.
        new_names : {source: name}, optional
        """
        with self.desk.changing, self._turning(doing):
            if self._is_closed:
                raise ValueError("the studio is closed")
            if self.lesson.stage in ("countdown", "recording"):
                raise ValueError(f"{self.lesson.name} is being recorded: wait for its end, or drop it")
            dictionary = become(self.live.dictionary)
            self._take_over(dictionary, new_names or {})
            self._given = dictionary
            self.name = _called(dictionary) if name is None else name
            if trainable(dictionary):
                self.live.train()

    @contextlib.contextmanager
    def _turning(self, doing: str) -> Iterator[None]:
        """Let nobody take the end of the old separation for the end."""
        self.desk.is_turning, self.busy = True, doing
        try:
            yield
        finally:
            self.desk.is_turning, self.busy = False, ""

    def _take_over(self, dictionary: Dictionary, new_names: dict[str, str]) -> None:
        """Replace what sounds; where the new one cannot be opened, sound again as before."""
        old, new = self.live, self._make(dictionary)  # which may refuse it, before anything has changed
        was_recording, self._paths = old.recording.is_on, list(self.recordings.values())
        try:
            new.open(instead_of=old)
        except ValueError as error:
            if old.stats.state == "closed":
                self._go_back(old, str(error), was_recording=was_recording)
            raise
        self._hand_over(old, new, new_names)
        if was_recording:
            self._go_on_recording("what it listens for has changed")

    def _go_back(self, old: Live, why: str, *, was_recording: bool) -> None:
        again = self._make(old.dictionary)
        try:
            again.open()
        except ValueError as error:
            self.desk.ended = (
                f"the sound has ended, and could not be started again ({error}): load something to try again"
            )
            raise ValueError(f"{why}; {self.desk.ended}") from error
        self._hand_over(old, again, {})
        if trainable(again.dictionary):
            again.train()
        if was_recording:
            self._go_on_recording("the sound was interrupted")

    def _hand_over(self, old: Live, new: Live, new_names: dict[str, str]) -> None:
        """Turn the desk to another separation, with what is set there at this moment."""
        if self.desk.listening not in (INPUT, OUTPUT):
            self.desk.listen(OUTPUT)
        self._paths = list(self.recordings.values())
        self.desk.turn_to(new)
        new.mixer = _carried(old.mixer, new.sources, new_names)
        if old.adapts and new.adapts:
            new.freeze = old.freeze

    def _go_on_recording(self, why: str) -> None:
        self.desk.record(True)
        self.notice = f"{why}: the recording goes on in {self.live.recording.folder}"


def _called(dictionary: Dictionary) -> str:
    """Return a name for a dictionary that has none, as `load` would know one of its sources."""
    return "+".join(source for source in dictionary.sources if source != dictionary.rest)


def _carried(mixer: Mixer, sources: tuple[str, ...], new_names: dict[str, str]) -> Mixer:
    """Return the mixer of other sources, with what was set of those that are still there, under their new names."""

    def kept(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in (new_names.get(name, name) for name in names) if name in sources)

    gains = {new_names.get(source, source): gain for source, gain in mixer.gains.items()}
    return replace(
        mixer,
        sources=sources,
        gains={source: gain for source, gain in gains.items() if source in sources},
        soloed=kept(mixer.soloed),
        muted=kept(mixer.muted),
    )
