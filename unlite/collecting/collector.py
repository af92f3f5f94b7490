"""From frames to a data set: what each of them becomes, and why."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from converter.errors import BadPicture
from unlite.collecting.gates import Copies, Sharpness
from unlite.collecting.labels import is_nothing
from unlite.collecting.recorded import label_of
from unlite.collecting.seeing import Eye, Sight, objects_of
from unlite.collecting.store import Store
from unlite.detection.finder import Finder
from unlite.detection.images import load_picture
from unlite.training.data.coco.writing import CocoPicture
from unlite.training.data.copies import Look

# What becomes of a frame: kept; nearly the same as one that is kept; blurred; nothing found in it.
Verdict = Literal["kept", "copy", "blurred", "nothing"]
DROPPED: tuple[Verdict, ...] = ("copy", "blurred", "nothing")
# A label that is held for longer begins another take: what is further apart in time may be on both sides of a split.
TAKE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame that shall be kept.

    Attributes:
        content: Its file.
        suffix: Of the file.
        label: What it shows.
        source: `camera`, or the name of a file.
        take: Which take of its session it belongs to.
        seconds: Where in a film it is; None: it is of none.
    """

    content: bytes
    label: str
    take: str
    suffix: str = ".jpg"
    source: str = "camera"
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame.

    Attributes:
        verdict: See `Verdict`.
        number: Of the picture in the store; None: it was not kept.
    """

    verdict: Verdict
    number: int | None = None


class Collector:
    """Keeps what is worth keeping; may be called from several threads.

    Attributes:
        eye: What looks.
        store: Where pictures are kept.
        person: Who is seen; empty: not said.
        session: When this began; no two sessions have the same.
        dropped: How many frames of this session were dropped, and why.
    """

    def __init__(self, root: Path, finder: Finder, person: str = "") -> None:
        self.eye, self.person = Eye(finder), person
        self.store = Store(root, finder.detector.keypoints, self._describe)
        self.session = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        self.dropped: Counter[Verdict] = Counter()
        self._copies, self._sharpness = Copies(), dict[str, Sharpness]()
        self._one, self._serial = threading.Lock(), 0

    def keep(self, shot: Shot, sight: Sight) -> Outcome:
        """Keep a frame, unless something speaks against it.

        Args:
            shot: The frame.
            sight: What `eye` has seen in it.

        Raises:
            OutputNotWritten: It cannot be written.
        """
        look = self._copies.look(shot.content)
        with self._one:
            reason = self._against(shot, sight, look)
            if reason:
                self.dropped[reason] += 1
                return Outcome(reason)
            number = self.store.add(shot.content, self._record(shot, sight))
            self._copies.remember(number, look)
            return Outcome("kept", number)

    def _against(self, shot: Shot, sight: Sight, look: Look | None) -> Verdict | None:
        if not is_nothing(shot.label):
            if not len(sight.found):
                return "nothing"
            if self._sharpness.setdefault(shot.source, Sharpness()).is_blurred(sight.pixels, sight.found):
                return "blurred"
        return "copy" if self._copies.has(look, self._numbers(shot.label)) else None

    def _numbers(self, label: str) -> list[int]:
        """Pictures of a label; what earlier sessions have kept is looked at once."""
        numbers = [number for number, picture in self.store.items() if label_of(picture) == label]
        for number in numbers:
            if not self._copies.knows(number):
                self._copies.remember(number, self._copies.look(self.store.content(number) or b""))
        return numbers

    def _record(self, shot: Shot, sight: Sight) -> CocoPicture:
        self._serial += 1
        about = {
            "date_captured": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "source": shot.source,
            "session": self.session,
            "person": self.person,
            "take": shot.take,
        }
        if shot.seconds is not None:
            about["time"] = f"{shot.seconds:.3f}"
        folder = "/".join(filter(None, (shot.label, self.person)))
        return self._seen(sight, f"{folder}/{self.session}-{self._serial:05}{shot.suffix}", about)

    def _seen(self, sight: Sight, name: str, about: Mapping[str, str]) -> CocoPicture:
        label = name.partition("/")[0]
        about = {**about, "doubt": self.eye.doubt(sight.found, label)}
        height, width = sight.pixels.shape[:2]
        said = {key: value for key, value in about.items() if value}
        return CocoPicture(name, width, height, objects_of(sight.found, label), said)

    def _describe(self, path: Path, name: str) -> CocoPicture | None:
        """A picture that was put into the folder by hand, or that showed nothing before; see `Store`."""
        try:
            sight = self.eye.look(load_picture(path))
        except BadPicture:
            return None
        label, *folders = name.split("/")[:-1]
        if not is_nothing(label) and not len(sight.found):
            return None
        return self._seen(sight, name, {"person": folders[0] if folders else ""})


class Takes:
    """Numbers the takes of a session: another one begins with another label, and when one has been held for long."""

    def __init__(self) -> None:
        self._number, self._label, self._since = 0, "", 0.0

    def of(self, label: str, now: float) -> str:
        """The take that a frame belongs to.

        Args:
            label: What is held.
            now: When it was taken, in seconds.
        """
        if label != self._label or now - self._since >= TAKE_SECONDS or now < self._since:
            self._number, self._label, self._since = self._number + 1, label, now
        return str(self._number)

    def release(self) -> None:
        """Nothing is held."""
        self._label = ""
