"""Training and exporting in processes of their own: the same commands that people type."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

from converter.detectors.labels import Labels, read_labels
from converter.errors import BadData, UnliteError
from converter.files import write_all
from unlite.detection.mediapipe_graph import SUFFIX as GRAPH
from unlite.training.lessons.features import RESULTS

State = Literal["idle", "running", "done", "failed", "stopped"]
# What `unlite finetune` is told beside the pictures. A quick one is enough to see whether the labels can be told apart.
EFFORTS: Mapping[str, Sequence[str]] = {"quick": ("--copies", "8", "--epochs", "6", "--width", "64"), "thorough": ()}
# Where no terminal shows what a command is doing, it prints a line in so many seconds.
OFTEN = {"UNLITE_PROGRESS": "0.5"}
REPORT = "report.html"
SHOWN = 12  # last lines of a command that has failed
PATIENCE = 10.0  # seconds that a command has to end when it is interrupted


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of training.

    Attributes:
        path: The `.tflite` file.
        labels: What it tells apart.
        has_report: Whether there is a page about it.
    """

    path: Path
    labels: Labels
    has_report: bool


@dataclass(slots=True)
class _Job:
    """A training.

    Attributes:
        line: What it has said last.
        error: Why it has failed.
        summary: How good it is.
        began: When, and `ended`: in seconds of a clock; 0: not yet.
    """

    state: State = "idle"
    line: str = ""
    error: str = ""
    summary: str = ""
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0


class Jobs:
    """Trains a detector on a collected data set, once at a time; what comes of it lies beside the data set's folder.

    Attributes:
        folder: Where the run is kept, as `unlite finetune` does, and the `.tflite` file until it is exported.
    """

    def __init__(self, model: str, data: Path) -> None:
        data = data.resolve()
        self._model, self._data = model, data
        self._keras, self.folder = (data.with_name(data.name + end) for end in (".keras", "-run"))
        self._guard, self._job = threading.Lock(), _Job()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def train(self, effort: str) -> None:
        """Begin; a training that was stopped goes on if nothing has changed.

        Raises:
            BadData: One is under way, or there is no such effort.
        """
        if effort not in EFFORTS:
            raise BadData(f"there is no effort {effort!r}", hint=f"one of {', '.join(EFFORTS)}")
        with self._guard:
            if self._job.state == "running":
                raise BadData("a training is under way", hint="stop it, or wait")
            self._job = _Job("running", "starting")
        self._thread = threading.Thread(target=self._train, args=(self._job, EFFORTS[effort]), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what is under way, and wait for it."""
        with self._guard:
            if self._job.state != "running":
                return
            self._job.state = "stopped"
            process = self._process
        if process:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread:
            self._thread.join()

    def as_dict(self) -> dict[str, Any]:
        """For the page."""
        job = self._job
        seconds = (job.ended or time.monotonic()) - job.began if job.state != "idle" else 0.0
        said = {"state": job.state, "line": job.line, "error": job.error, "summary": job.summary}
        return {**said, "seconds": round(seconds, 1), "rows": self._rows() if job.state != "idle" else []}

    def trained(self) -> Trained | None:
        """What came of the last training; None: there was none yet."""
        path = self.folder / f"{self._data.name}.tflite"
        try:
            labels = read_labels(path)
        except UnliteError:
            return None
        return Trained(path, labels, (self.folder / REPORT).is_file()) if labels else None

    def exported(self) -> Path | None:
        """Where the file lies that somebody has asked for; None: nobody has."""
        path = self._data.with_name(f"{self._data.name}.tflite")
        return path if path.is_file() else None

    def export(self) -> Path:
        """Put the trained model, and MediaPipe's graph for it, beside the data set.

        Raises:
            BadData: Nothing is trained yet.
            OutputNotWritten: It cannot be written.
        """
        trained = self.trained()
        if trained is None:
            raise BadData("nothing is trained yet", hint="train first")
        made = [trained.path, trained.path.with_suffix(GRAPH)]
        write_all({self._data.with_name(path.name): path.read_bytes() for path in made if path.is_file()})
        return self._data.with_name(trained.path.name)

    def _train(self, job: _Job, how: Sequence[str]) -> None:
        data, keras, run = map(str, (self._data, self._keras, self.folder))
        like = [] if self._model.endswith(".keras") else ["--like", self._model]
        made = self.folder / f"{self._data.name}.tflite"
        said = self._call(job, "finetune", self._model, "--data", data, "-o", keras, "--run", run, *how, "--json")
        if said is not None and self._call(job, "export", keras, *like, "-o", str(made), "--json") is not None:
            job.summary = _summary(said)
            self._end(job, "done")

    def _call(self, job: _Job, *arguments: str) -> dict[str, Any] | None:
        """Run a command, and give what it prints; None: it has failed or was stopped."""
        command, lines = [sys.executable, "-m", "unlite", *arguments], list[str]()
        with TemporaryFile("w+", encoding="utf-8") as printed:
            with self._guard:
                if job.state == "stopped":
                    return None
                self._process = process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.PIPE,
                    env=os.environ | OFTEN,
                    encoding="utf-8",
                    errors="replace",
                    start_new_session=True,  # Ctrl-C in the terminal is for the page's server, which stops this
                )
            for line in process.stderr or ():
                lines.append(line.rstrip())
                job.line = lines[-1] or job.line
            if process.wait() == 0:
                printed.seek(0)
                made: dict[str, Any] = json.load(printed)
                return made
        if job.state == "running":  # otherwise it has ended as it was told to
            job.error = _reason(lines)
        self._end(job, "failed")
        return None

    def _end(self, job: _Job, state: State) -> None:
        with self._guard:
            job.state = state if job.state == "running" else job.state
            job.ended = time.monotonic()

    def _rows(self) -> list[dict[str, float]]:
        """Pass by pass, as `unlite finetune` writes them down."""
        try:
            with (self.folder / RESULTS).open(encoding="utf-8", newline="") as file:
                return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        except (OSError, ValueError):
            return []


def _reason(lines: Sequence[str]) -> str:
    """What a command says of why it has failed: its last message, or the end of all it has said."""
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    return "\n".join(lines[starts[-1] :] if starts else lines[-SHOWN:]).removeprefix("error: ")


def _summary(said: Mapping[str, Any]) -> str:
    evaluation = said["evaluation"]
    at = evaluation["at_threshold"]
    return (
        f"right class in the right place: {at['accuracy']:.0%} of {evaluation['objects']} objects "
        f"in {evaluation['pictures']} pictures that were held out"
    )
