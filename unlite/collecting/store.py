"""A collected data set: a folder per label with plain pictures, and a COCO file that says what is where in them.

The folder that a picture lies in says its label, the COCO file all else. At every moment each record of the file has
its picture: pictures are there before their records, and go after them. So whatever ends the process, the data set is
whole; what a cut leaves over is recognized when it is opened again.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from converter.errors import BadData, OutputNotWritten
from unlite.collecting.files import OWN, Files
from unlite.collecting.labels import check_labels, is_nothing
from unlite.collecting.recorded import MADE_BY, Describe, TakenUp, joined_labels, label_of, read_records, relabelled
from unlite.training.data.coco.writing import CocoPicture, as_text, document

# Seconds between two times that records are written, at least; and in times that writing takes.
PATIENCE, SHARE = 0.2, 4


@dataclass(frozen=True, slots=True)
class Counts:
    """What is safely on disk, by label.

    Attributes:
        pictures: How many.
        doubtful: In how many of them it is doubtful what they show.
        takes: How often they were begun anew.
    """

    pictures: Counter[str]
    doubtful: Counter[str]
    takes: Counter[str]

    @classmethod
    def of(cls, pictures: Sequence[CocoPicture]) -> "Counts":
        """Count them."""
        takes = {(label_of(each), each.about.get("session"), each.about.get("take")) for each in pictures}
        return cls(
            Counter(map(label_of, pictures)),
            Counter(label_of(each) for each in pictures if each.about.get("doubt")),
            Counter(label for label, *_ in takes),
        )


class Store:
    """Pictures with labels, in memory and on disk; its methods may be called from any thread.

    Attributes:
        root: The folder.
        labels: All labels, in their order.
        counts: What is safely on disk.
    """

    def __init__(self, root: Path, keypoints: Sequence[str], describe: Describe) -> None:
        self.root, self.labels, self.counts = root, tuple[str, ...](), Counts.of(())
        self._keypoints, self._describe, self._files = tuple(keypoints), describe, Files(root)
        self._pictures: dict[int, CocoPicture] = {}
        self._next, self._struck = 1, list[list[CocoPicture]]()
        # Always taken in this order: what changes records and writes them needs both, what only adds one the second.
        self._saving, self._guard = threading.RLock(), threading.RLock()
        self._changed, self._closed, self._is_stuck = threading.Event(), threading.Event(), False
        self._lock = FileLock(root / OWN / "lock", timeout=0)
        self._saver = threading.Thread(target=self._save_now_and_then, name="saving records", daemon=True)

    def open(self, labels: Sequence[str] = (), also: Sequence[str] = ()) -> list[str]:
        """Take up what the folder has, or begin.

        Args:
            labels: Which labels there shall be; empty: those that it has.
            also: Labels that are added where they are missing.

        Returns:
            What somebody should know: what was found that nobody had recorded, or was missing.

        Raises:
            BadData: The labels are other ones than the folder's, or its COCO file is not ours.
            OutputNotWritten: It cannot be written, or another process collects there.
        """
        self._enter()
        try:
            recorded, pictures = read_records(self._files)
            self.labels, notes = joined_labels(labels, also, recorded, self._files)
            taken = TakenUp(self._files, pictures, self._describe)
            for picture in taken.pictures:
                self._take(picture)
            for label in self.labels:
                self._files.make_folder(label)
            self.save()
            self._files.clear()
        except BaseException:
            self._lock.release()
            raise
        self._saver.start()
        return [*notes, *taken.notes]

    def _enter(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise OutputNotWritten(f"{self.root} is no folder", hint="name one, or a place for a new one")
        self._files.make_folder(OWN)
        try:
            self._lock.acquire()
        except Timeout:
            raise OutputNotWritten(f"another `{MADE_BY}` has {self.root} open", hint="stop it first") from None

    def close(self) -> None:
        """Write what is not yet written, forget what was struck out, and let others in.

        Raises:
            OutputNotWritten: It cannot be written; what was counted is.
        """
        self._closed.set()
        self._changed.set()
        self._saver.join()
        try:
            self.save()
        finally:
            self._files.clear()
            self._lock.release()

    def add(self, content: bytes, picture: CocoPicture) -> int:
        """Keep a picture; it counts as soon as its record is written too.

        Args:
            content: Its file.
            picture: Its record, with the name that it shall have; the folder is its label.

        Returns:
            Its number.

        Raises:
            OutputNotWritten: It cannot be written, or those before it could not.
        """
        if self._is_stuck:
            self.save()
        with self._guard:
            name = self._files.free(picture.file_name)
            self._files.write(name, content)
            number = self._take(replace(picture, file_name=name))
        self._changed.set()
        return number

    def strike(self, numbers: Sequence[int]) -> None:
        """Take pictures out; until the store is closed they can be brought back."""
        with self._saving, self._guard:
            gone = {number: self._pictures[number] for number in self._present(numbers)}
            for picture in gone.values():
                self._files.strike(picture.file_name)
            for number in gone:
                del self._pictures[number]
            self._struck += [list(gone.values())] if gone else []
            self.save()
            for picture in gone.values():
                self._files.remove(picture.file_name)

    def bring_back(self) -> list[int]:
        """Bring back what was struck out last, and say under which numbers."""
        with self._saving, self._guard:
            made = []
            for picture in self._struck[-1] if self._struck else ():
                name = self._files.free(picture.file_name)
                self._files.bring_back(picture.file_name, name)
                made.append(self._take(replace(picture, file_name=name)))
            self._struck = self._struck[:-1]
            self.save()
        return made

    def move(self, numbers: Sequence[int], label: str) -> None:
        """Give pictures another label.

        Raises:
            BadData: There is no such label, or nothing is found in a picture that showed nothing.
        """
        if label not in self.labels:
            raise BadData(f"there is no label {label!r}", hint=f"there are {', '.join(self.labels)}")
        with self._saving, self._guard:
            before = {number: self._pictures[number] for number in self._present(numbers)}
            before = {number: picture for number, picture in before.items() if label_of(picture) != label}
            after = {number: self._moved(picture, label) for number, picture in before.items()}
            for number, picture in after.items():
                self._files.copy(before[number].file_name, picture.file_name)
            self._pictures |= after
            self.save()
            for picture in before.values():
                self._files.remove(picture.file_name)

    def _moved(self, picture: CocoPicture, label: str) -> CocoPicture:
        name = self._files.free(f"{label}/{picture.file_name.partition('/')[2]}")
        if picture.objects or is_nothing(label):
            return relabelled(picture, name)
        found = self._describe(self.root / picture.file_name, name)
        if found is None:
            raise BadData(f"nothing is found in {picture.file_name} that could be {label!r}", hint="strike it out")
        return replace(picture, file_name=name, objects=found.objects)

    def trust(self, numbers: Sequence[int]) -> None:
        """Say of pictures that they are right, so that they are no longer doubtful."""
        with self._saving, self._guard:
            for number in self._present(numbers):
                picture = self._pictures[number]
                about = {name: value for name, value in picture.about.items() if name != "doubt"}
                self._pictures[number] = replace(picture, about=about)
            self.save()

    def add_label(self, label: str) -> None:
        """One more label.

        Raises:
            BadData: It cannot be one, see `check_labels`.
        """
        with self._saving, self._guard:
            labels = check_labels((*self.labels, label))
            self._files.make_folder(labels[-1])
            self.labels = labels
            self.save()

    @property
    def struck(self) -> int:
        """How many pictures could be brought back."""
        with self._guard:
            return sum(map(len, self._struck))

    def items(self) -> list[tuple[int, CocoPicture]]:
        """All pictures with their numbers, oldest first."""
        with self._guard:
            return list(self._pictures.items())

    def content(self, number: int) -> bytes | None:
        """A picture's file; None: there is none of this number."""
        with self._guard:
            picture = self._pictures.get(number)
            return self._files.read(picture.file_name) if picture else None

    def save(self) -> None:
        """Write all records, so that what has been added counts.

        Raises:
            OutputNotWritten: They cannot be written.
        """
        with self._saving:
            self._changed.clear()
            with self._guard:
                pictures, labels = list(self._pictures.values()), self.labels
            categories = [label for label in labels if not is_nothing(label)]
            made = document(pictures, categories, self._keypoints, info={"description": MADE_BY})
            self._is_stuck = True
            self._files.write(self._files.rows.name, as_text(made).encode())
            self._is_stuck, self.counts = False, Counts.of(pictures)

    def _save_now_and_then(self) -> None:
        while not self._closed.is_set():
            self._changed.wait()
            started = time.monotonic()
            with suppress(OutputNotWritten):  # is said when the next picture comes
                self.save()
            self._closed.wait(max(PATIENCE, SHARE * (time.monotonic() - started)))

    def _take(self, picture: CocoPicture) -> int:
        number, self._next = self._next, self._next + 1
        self._pictures[number] = picture
        return number

    def _present(self, numbers: Sequence[int]) -> list[int]:
        return [number for number in dict.fromkeys(numbers) if number in self._pictures]
