"""What `unlite detect` takes for a picture, in times of its network: `python -m benchmarks.looking [FOLDER …]`.

Without folders, on pictures drawn by code, as JPEG of a camera's size; with folders, on 200 of their pictures. A video
is made of the same pictures. The unit is one run of the same file in LiteRT, XNNPACK on one thread, taken in the same
round; of the whole command, what a single picture takes (loading, mostly) is subtracted. A Keras model is compared with
itself compiled, from the tenth picture on.
"""

import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

import converter
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT, keras_runner
from tests.tools import models
from unlite.commands.main import main as unlite
from unlite.cost.latency import Spread, spread
from unlite.detection.drawn import DrawnHand, draw
from unlite.detection.finder import load_finder
from unlite.detection.images import load_picture, pictures_in
from unlite.detection.looking.look import Models, look
from unlite.training.drawn.rooms import room

MODELS = ("palm_detection_full", "face_detection_short_range", "face_detection_full_range_sparse")
HEIGHT, WIDTH = 480, 640
DRAWN, PICTURES, ROUNDS, RUNS = 20, 200, 7, 30
TENTH, COMPILED = 10, 30  # from which picture of how many on a Keras model is measured


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds of something, by the wall's clock and by the processor's, on all cores together."""

    wall: float
    processor: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a picture takes.

    Attributes:
        network: The network alone, round by round.
        picture: Each further picture of the whole command in the same round.
    """

    model: str
    source: str
    network: tuple[Taken, ...]
    picture: tuple[Taken, ...]

    @property
    def ratio(self) -> Spread:
        """Times of the network that a picture takes, by the wall's clock."""
        return spread([whole.wall / alone.wall for alone, whole in zip(self.network, self.picture, strict=True)])

    @property
    def processor_ratio(self) -> Spread:
        """As `ratio`, of processor time: what it would be on a single core."""
        pairs = zip(self.network, self.picture, strict=True)
        return spread([whole.processor / alone.processor for alone, whole in pairs])

    def __str__(self) -> str:
        names = ("network", "picture", "processor")
        values = (
            median(taken.wall for taken in self.network),
            median(taken.wall for taken in self.picture),
            median(taken.processor for taken in self.picture),
        )
        cells = ", ".join(f"{name} {value:.2f} ms" for name, value in zip(names, values, strict=True))
        ratio, on_one = self.ratio, self.processor_ratio
        return (
            f"{self.model:32} {self.source:8} {cells}; {ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f}), "
            f"{on_one.median:.2f}x in processor time"
        )


def take(work: Callable[[], object], times: int = 1) -> Taken:
    """What something takes once, of so many times."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    per_run = 1000 / times
    return Taken(per_run * (time.perf_counter() - wall), per_run * (time.process_time() - processor))


def command(name: str, *arguments: str) -> None:
    """`unlite detect`, its tables for nobody."""
    with redirect_stdout(io.StringIO()):
        assert unlite(["detect", "--model", name, *arguments]) == 0


def litert_cost(name: str, source: str, sources: Sequence[str], count: int) -> Cost:
    """Of a file on pictures or on a video.

    Args:
        name: A known model's.
        source: What to call it.
        sources: What is looked at.
        count: How many pictures that gives.
    """
    file = models.original(name)
    network = partial(LiteRT(file.data, "xnnpack").run, seeded_inputs(file.graph, 1)[0])
    whole, one = (partial(command, name, *given) for given in (sources, [sources[0], "--frames", "1"]))
    whole()
    alone, pictures = [], []
    for _ in range(ROUNDS):
        alone.append(take(network, RUNS))
        first, all_ = take(one), take(whole)
        further = [(getattr(all_, clock) - getattr(first, clock)) / (count - 1) for clock in ("wall", "processor")]
        pictures.append(Taken(*further))
    return Cost(name, source, tuple(alone), tuple(pictures))


def keras_cost(name: str, sources: Sequence[str], folder: Path) -> Cost:
    """Of a Keras model, from the tenth picture on; its network is the compiled model."""
    model, path = models.fresh(name), folder / f"{name}.keras"
    converter.save(model, path)
    inputs = seeded_inputs(models.original(name).graph, 1)[0]
    network = partial(keras_runner(model, eager=0), inputs)
    network()
    alone, pictures = [], []
    chosen = [sources[number % len(sources)] for number in range(COMPILED)]
    for _ in range(ROUNDS):
        seen = look(chosen, Models(load_finder(path)))
        for _ in range(TENTH - 1):
            next(seen)
        alone.append(take(network, RUNS))
        pictures.append(take(partial(next, seen), COMPILED - TENTH + 1))
    return Cost(path.name, "pictures", tuple(alone), tuple(pictures))


def draw_pictures(folder: Path) -> list[Path]:
    """Pictures of hands in rooms, as a camera would save them; each of them many times."""
    dice, made = np.random.default_rng(0), []
    for number in range(DRAWN):
        place = (float(dice.uniform(0.3, 0.7)), float(dice.uniform(0.4, 0.6)))
        hand = DrawnHand(float(dice.uniform(0.3, 0.5)), place, float(dice.uniform(-30, 30)))
        made.append(folder / f"{number:03}.jpg")
        draw(HEIGHT, WIDTH, [hand], room(dice, HEIGHT, WIDTH)).save(made[-1], quality=90)
    for number in range(DRAWN, PICTURES):
        made.append(folder / f"{number:03}.jpg")
        made[-1].write_bytes(made[number % DRAWN].read_bytes())
    return made


def make_video(pictures: Sequence[Path], path: Path) -> None:
    """A video with a frame for each picture."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    for picture in pictures:
        writer.write(cv2.resize(load_picture(picture)[..., ::-1], (WIDTH, HEIGHT)))
    writer.release()


def costs(folders: Sequence[Path]) -> Iterator[Cost]:
    """Of every model and source.

    Args:
        folders: Where pictures are; none: they are drawn.
    """
    with tempfile.TemporaryDirectory() as made:
        here = Path(made)
        found = [path for folder in folders for path in pictures_in(folder)] or draw_pictures(here)
        pictures, video = found[:: -(-len(found) // PICTURES)], here / "video.mp4"
        make_video(pictures, video)
        sources = {"pictures": list(map(str, pictures)), "video": [str(video)]}
        for name in MODELS:
            for source, given in sources.items():
                yield litert_cost(name, source, given, len(pictures))
        for name in MODELS[:2]:
            yield keras_cost(name, sources["pictures"], here)


def main(folders: Sequence[str]) -> None:
    """Print a row for each."""
    for cost in costs(list(map(Path, folders))):
        print(cost, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
