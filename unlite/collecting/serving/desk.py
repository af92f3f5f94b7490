"""What the page can ask and tell, without how it travels."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from converter import __version__
from converter.errors import BadData
from unlite.collecting.collector import DROPPED, Collector
from unlite.collecting.jobs import Jobs
from unlite.collecting.labels import check_person, is_nothing
from unlite.collecting.recorded import label_of
from unlite.detection.finder import Finder, load_finder
from unlite.training.data.coco.writing import CocoPicture

THUMBNAIL, QUALITY, REMEMBERED = 240, 80, 2000
SHEET = 200  # pictures of one answer, at most
Said = Mapping[str, Any]


@dataclass(slots=True)
class Desk:
    """Everything the page works with.

    Attributes:
        collector: Keeps pictures.
        jobs: Trains on them.
    """

    collector: Collector
    jobs: Jobs
    _trained: tuple[int, Finder] | None = None

    @property
    def tells(self) -> Mapping[str, Callable[[Said], dict[str, Any]]]:
        """What it can be told, each with what it answers."""
        return {
            "strike": self._strike,
            "unstrike": lambda _: {"ids": [str(each) for each in self.collector.store.bring_back()], **self.counts()},
            "move": self._move,
            "trust": self._trust,
            "labels": self._add_label,
            "person": self._name_person,
            "train": self._train,
            "stop": self._stop,
            "export": lambda _: self._export(),
        }

    def state(self, _: Said) -> dict[str, Any]:
        """What the page shows."""
        collector, jobs = self.collector, self.jobs
        trained, job = jobs.trained(), jobs.as_dict()
        said = trained and {
            "labels": trained.labels.names,
            "threshold": trained.labels.threshold,
            "summary": job["summary"],
            "file": str(trained.path),
            "report": trained.has_report,
        }
        return self.counts() | {
            "folder": str(collector.store.root),
            "model": collector.eye.finder.name,
            "version": __version__,
            "struck": collector.store.struck,
            "dropped": {reason: collector.dropped[reason] for reason in DROPPED},
            "person": collector.person,
            "bones": collector.eye.bones,
            "keypoints": collector.eye.finder.detector.keypoints,
            "job": job,
            "trained": said,
            "exported": self._exported(),
        }

    def counts(self) -> dict[str, Any]:
        """Labels, and what is safely on disk of each."""
        store = self.collector.store
        counts = store.counts
        return {
            "labels": [
                {
                    "name": label,
                    "count": counts.pictures[label],
                    "doubtful": counts.doubtful[label],
                    "takes": counts.takes[label],
                    "is_nothing": is_nothing(label),
                }
                for label in store.labels
            ]
        }

    def job(self, _: Said) -> dict[str, Any]:
        """How far training is."""
        return self.jobs.as_dict()

    def pictures(self, query: Said) -> dict[str, Any]:
        """A part of the contact sheet, newest first."""
        label, before = query.get("label", ""), _number(query.get("before") or str(2**62))
        count = min(max(_number(query.get("count", "60")), 1), SHEET)
        wanted = [
            (number, picture)
            for number, picture in reversed(self.collector.store.items())
            if number < before
            and label in {"", label_of(picture)}
            and (query.get("doubtful") != "1" or picture.about.get("doubt"))
        ]
        shown = [_row(number, picture) for number, picture in wanted[:count]]
        return {"pictures": shown, "more": len(wanted) > count}

    def picture(self, number: str) -> bytes | None:
        """A picture's file."""
        return self.collector.store.content(_number(number))

    def thumbnail(self, number: str) -> bytes | None:
        """A small JPEG of it."""
        content = self.picture(number)
        return _small(content) if content else None

    def trained(self) -> Finder | None:
        """The trained detector, ready to look; another one as soon as it has been trained."""
        made = self.jobs.trained()
        if made is None:
            return None
        changed = made.path.stat().st_mtime_ns
        if self._trained is None or self._trained[0] != changed:
            self._trained = changed, load_finder(made.path)
        return self._trained[1]

    def _strike(self, said: Said) -> dict[str, Any]:
        self.collector.store.strike(_numbers(said))
        return self.counts()

    def _move(self, said: Said) -> dict[str, Any]:
        self.collector.store.move(_numbers(said), _text(said, "label"))
        return self.counts()

    def _trust(self, said: Said) -> dict[str, Any]:
        self.collector.store.trust(_numbers(said))
        return self.counts()

    def _add_label(self, said: Said) -> dict[str, Any]:
        self.collector.store.add_label(_text(said, "name"))
        return self.state(said)

    def _name_person(self, said: Said) -> dict[str, Any]:
        self.collector.person = check_person(_text(said, "name"))
        return self.state(said)

    def _train(self, said: Said) -> dict[str, Any]:
        self.collector.store.save()
        self.jobs.train(_text(said, "effort"))
        return self.jobs.as_dict()

    def _stop(self, _: Said) -> dict[str, Any]:
        self.jobs.stop()
        return self.jobs.as_dict()

    def _export(self) -> dict[str, Any]:
        self.jobs.export()
        return self._exported() or {}

    def _exported(self) -> dict[str, Any] | None:
        path = self.jobs.exported()
        return {"path": str(path), "bytes": path.stat().st_size} if path else None


def _row(number: int, picture: CocoPicture) -> dict[str, Any]:
    about = picture.about
    return {
        "id": str(number),
        "label": label_of(picture),
        "width": picture.width,
        "height": picture.height,
        "boxes": [
            {"box": each.box_xywh, "keypoints": each.keypoints_xy, "score": each.score} for each in picture.objects
        ],
        "doubt": about.get("doubt", ""),
        "person": about.get("person", ""),
        "source": about.get("source", ""),
        "time": about.get("date_captured", ""),
    }


@lru_cache(REMEMBERED)
def _small(content: bytes) -> bytes:
    from PIL import Image, ImageOps

    made = io.BytesIO()
    with Image.open(io.BytesIO(content)) as opened:
        opened.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))
        upright = ImageOps.exif_transpose(opened).convert("RGB")
        upright.thumbnail((THUMBNAIL, THUMBNAIL))
        upright.save(made, "JPEG", quality=QUALITY)
    return made.getvalue()


def _numbers(said: Said) -> list[int]:
    ids = said.get("ids")
    if not isinstance(ids, list):
        raise BadData("which pictures is not said", hint='{"ids": [...]}')
    return [_number(each) for each in ids]


def _number(given: object) -> int:
    text = str(given)
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(2**62)):
        raise BadData(f"{text[:20]!r} is no picture's number")
    return int(text)


def _text(said: Said, name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise BadData(f"{name} is missing, or no text")
    return value
