"""Training a head on cached features: Keras's `fit`, what is kept of it, and where it goes on after a kill."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import BadData
from converter.files import whole_file
from unlite.training.fitting.devices import on_devices
from unlite.training.lessons.features import RESULTS, STATE, Cache

# How many rows are looked at without being told, and in how many passes at least and at most.
ROWS, FEWEST, MOST = 45_000, 6, 30
LEARNING_RATE = 2e-3  # for new layers on features that stay
WARM_UP = 50  # steps in which the learning rate rises; a new head's first gradients are large
Progress = Callable[[str], None]
Weights = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Course:
    """How to train.

    Attributes:
        epochs: Most passes over all rows; default: as many as look at about 45,000 rows, from 6 to 30.
        batch: Rows in one step.
        learning_rate: The largest; it rises at first, and falls to nothing as a cosine. Default: 0.002 for new classes.
        weight_decay: See AdamW.
        patience: Passes without a better validation loss after which training stops.
        seed: Of the order of rows.
        tensorboard: Folder for TensorBoard; None: none.
    """

    epochs: int | None = None
    batch: int = 32
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    patience: int = 8
    seed: int = 0
    tensorboard: Path | None = None

    def check(self) -> None:
        """Check that one can train so.

        Raises:
            BadData: A number makes no sense.
        """
        for name in ("epochs", "batch", "patience"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise BadData(f"{name}={getattr(self, name)} trains nothing", hint="1 or more")
        if self.learning_rate is not None and not 0 < self.learning_rate < 1:
            raise BadData(f"learning_rate={self.learning_rate} is no rate to learn at", hint="0.002 is usual here")


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it.

    Attributes:
        epochs: Passes that were made.
        best: The one whose weights the head has now, from 1; 0: none has made it better than it was.
        rows: One for each pass, as in `results.csv`.
        last: The head's weights after the last pass.
    """

    epochs: int
    best: int
    rows: tuple[dict[str, float], ...]
    last: Weights


def fit(  # noqa: PLR0913, PLR0917 - a head, what it learns from, and how
    head: Any,
    losses: Sequence[Any],
    train: Cache,
    validation: Cache,
    course: Course,
    folder: Path,
    progress: Progress = lambda _: None,
    *,
    knows_something: bool = False,
) -> Trained:
    """Train a head, and leave the weights of the best pass in it.

    After each pass everything that the next one depends on is written into `folder`, whole or not at all: a run that
    was killed goes on from there, and ends where it would have ended.

    Args:
        head: See `unlite.training.lessons.parts.Parts`; what trains of it is trained.
        losses: One for each of its results.
        train: Rows to learn from.
        validation: Rows that say which pass was the best; they are not learned from.
        course: How to train.
        folder: Where `results.csv` and the state are kept.
        progress: Called with what is being done.
        knows_something: Whether what the head is now may be the best as well: it has been trained before, on the same.
    """
    course.check()
    with on_devices(head, course.batch) as copy:
        return _fit(copy, losses, (train, validation), course, folder, progress, knows_something=knows_something)


def _fit(  # noqa: PLR0913, PLR0917 - as `fit`
    head: Any,
    losses: Sequence[Any],
    caches: tuple[Cache, Cache],
    course: Course,
    folder: Path,
    progress: Progress,
    *,
    knows_something: bool,
) -> Trained:
    import keras

    train, validation = caches
    steps = math.ceil(len(train) / course.batch)
    epochs = course.epochs or min(max(ROWS // len(train), FEWEST), MOST)
    largest = course.learning_rate or LEARNING_RATE
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(epochs * steps - WARM_UP, 1), warmup_target=largest, warmup_steps=WARM_UP
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=course.weight_decay)
    # In one call: the next one would forget what an earlier one said.
    optimizer.exclude_from_weight_decay(var_names=["bias", "alpha", "gamma", "beta"])
    optimizer.build(head.trainable_variables)
    # Compiling every operation of a small head takes JAX alone nothing: it would compile them one by one otherwise.
    is_compiled = keras.backend.backend() == "jax"
    head.compile(optimizer, loss=list(losses) if len(losses) > 1 else losses[0], jit_compile=is_compiled)
    state = _State(folder, head, course)
    state.restore()
    if knows_something and not state.epoch:
        state.best_loss = head.evaluate(batches(validation, course, None), verbose=0, return_dict=True)["loss"]
    if state.epoch < epochs and not state.is_over:
        callbacks = [_keeper(state, steps, progress)]
        if course.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(str(course.tensorboard)))
        head.fit(
            batches(train, course, state.epoch),
            validation_data=batches(validation, course, None),
            shuffle=False,  # `batches` does, by the seed; Keras would by Python's own random numbers
            epochs=epochs,
            initial_epoch=state.epoch,
            callbacks=callbacks,
            verbose=0,
        )
    last = head.get_weights()
    head.set_weights(state.best)
    return Trained(state.epoch, state.best_epoch, tuple(state.rows), last)


class _State:
    """What the next pass depends on."""

    def __init__(self, folder: Path, head: Any, course: Course) -> None:
        self._path, self._head, self._course = folder / STATE, head, course
        self.epoch, self.best_epoch, self.best_loss = 0, 0, float("inf")
        self.best: Weights = head.get_weights()
        self.rows: list[dict[str, float]] = []

    @property
    def is_over(self) -> bool:
        """Whether it has not become better for long."""
        return self.epoch - self.best_epoch >= self._course.patience

    def restore(self) -> None:
        """Go on where an earlier run ended, if there was one."""
        if not self._path.exists():
            return
        with np.load(self._path) as saved:
            lists = {name: _listed(saved, name) for name in ("weights", "optimizer", "best")}
            self.epoch, self.best_epoch = (int(saved[name]) for name in ("epoch", "best_epoch"))
            self.best_loss = float(saved["best_loss"])
            names = [str(name) for name in saved["columns"]]
            self.rows = [dict(zip(names, map(float, row), strict=True)) for row in saved["rows"]]
        self._head.set_weights(lists["weights"])
        for variable, value in zip(self._head.optimizer.variables, lists["optimizer"], strict=True):
            variable.assign(value)
        self.best = lists["best"]

    def keep(self, row: dict[str, float]) -> None:
        """After a pass."""
        import keras

        self.epoch += 1
        self.rows.append({"epoch": float(self.epoch), **row})
        weights = self._head.get_weights()
        if row["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch, self.best = row["val_loss"], self.epoch, weights
        optimizer = [keras.ops.convert_to_numpy(variable) for variable in self._head.optimizer.variables]
        lists = {"weights": weights, "optimizer": optimizer, "best": self.best}
        arrays: dict[str, Any] = {
            f"{name}-{n}": value for name, values in lists.items() for n, value in enumerate(values)
        }
        arrays |= {name: np.array(getattr(self, name)) for name in ("epoch", "best_epoch", "best_loss")}
        columns = list(self.rows[0])
        table = np.array([[each[name] for name in columns] for each in self.rows])
        with whole_file(self._path) as whole, whole.open("wb") as file:
            np.savez(file, rows=table, columns=np.array(columns), **arrays)
        lines = [",".join(columns), *(",".join(f"{value:g}" for value in each.values()) for each in self.rows)]
        with whole_file(self._path.with_name(RESULTS)) as whole:
            whole.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _listed(saved: Any, name: str) -> Weights:
    count = sum(key.startswith(f"{name}-") for key in saved.files)
    return [saved[f"{name}-{number}"] for number in range(count)]


def _keeper(state: _State, steps: int, progress: Progress) -> Any:
    """A callback that keeps the state, says how far training is, and ends it when it no longer helps."""
    import keras

    class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
        started = 0.0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            loss = f", loss {logs['loss']:.3g}" if logs else ""
            progress(f"training, pass {state.epoch + 1}/{self.params['epochs']}, step {batch + 1}/{steps}{loss}")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            row = {name: float(value) for name, value in (logs or {}).items()}
            for name in ("loss", "val_loss"):
                if not np.isfinite(row[name]):  # what the head has become is not kept
                    text = f"{name} is {row[name]} after pass {state.epoch + 1}"
                    raise BadData(text, hint="a smaller learning_rate may help")
            state.keep(row | {"seconds": time.perf_counter() - self.started})
            self.model.stop_training = state.is_over

    return Keeper()


def batches(cache: Cache, course: Course, epoch: int | None) -> Any:
    """A cache as Keras reads it: in another order in each pass, or, without a pass, as it lies.

    The last batch is filled with the first rows: so a batch can be divided among devices, and is compiled for once. In
    training they count as the others do; without a pass they do not count, so that the loss is the mean over all rows.
    """
    import keras

    reader = _Reader(cache, course, epoch)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)

        def __len__(self) -> int:
            return len(reader)

        def __getitem__(self, number: int) -> tuple[Any, ...]:
            return reader.batch(number)

        def on_epoch_end(self) -> None:
            reader.next_pass()

    return Batches()


class _Reader:
    """Reads batches of a cache, see `batches`."""

    def __init__(self, cache: Cache, course: Course, epoch: int | None) -> None:
        self._cache, self._course, self._epoch = cache, course, epoch
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self._cache) / self._course.batch)

    def next_pass(self) -> None:
        if self._epoch is not None:
            self._epoch += 1
            self._order = self._shuffled()

    def batch(self, number: int) -> tuple[Any, ...]:
        places = np.arange(number * self._course.batch, (number + 1) * self._course.batch)
        rows = self._order[places % len(self._cache)]
        if self._epoch is not None:
            rows.sort()  # in the order in which they lie: a batch is read in one sweep
        taken = tuple(array[rows] for array in self._cache.taken)  # the back end makes float32 of them, in less time
        wanted = tuple(np.asarray(array[rows], np.float32) for array in self._cache.wanted)
        targets = wanted[0] if len(wanted) == 1 else wanted
        return (taken, targets) if self._epoch is not None else (taken, targets, self._weights(places))

    def _weights(self, places: NDArray[np.intp]) -> NDArray[np.float32]:
        # Keras divides by the number of all rows, those that do not count as well.
        weight = len(self) * self._course.batch / len(self._cache)
        return np.where(places < len(self._cache), weight, 0).astype(np.float32)

    def _shuffled(self) -> NDArray[np.intp]:
        if self._epoch is None:
            return np.arange(len(self._cache))
        return np.random.default_rng([self._course.seed, self._epoch]).permutation(len(self._cache))
