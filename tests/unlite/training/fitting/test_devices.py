"""Training on two virtual devices: the same losses as on one. A process each, since devices are made once."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from unlite.training.fitting.devices import devices

pytestmark = [
    pytest.mark.one_setting,
    pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "torch", reason="Keras trains on one device there"),
]

SCRIPT = """
import json, os, sys, tempfile
from pathlib import Path
count = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow as tf
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
import keras
import numpy as np
from unlite.training.fitting.devices import devices, on_devices
from unlite.training.lessons.features import Cache
from unlite.training.fitting.loop import Course, fit
from unlite.training.lessons.losses import smooth_l1

def cache(rows):
    made = rng.normal(size=(rows, 4, 4, 3)).astype(np.float16), rng.normal(size=(rows, 16, 3)).astype(np.float32) ** 2
    return Cache(made[:1], made[1:])

keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
layers = [keras.layers.Conv2D(2, 3, padding="same", activation="relu"), keras.layers.Reshape((16, 2))]
head = keras.Sequential([keras.Input((4, 4, 3)), *layers])
with tempfile.TemporaryDirectory() as folder:
    course = Course(epochs=2, batch=4, learning_rate=0.01)
    trained = fit(head, [smooth_l1], cache(11), cache(5), course, Path(folder))
with on_devices(head, 3) as uneven:
    is_one = uneven is head
losses = [row[name] for row in trained.rows for name in ("loss", "val_loss")]
weights = [float(np.abs(value).sum()) for value in head.get_weights()]
after = str(keras.distribution.distribution())
print(json.dumps({"devices": len(devices()), "is_one": is_one, "numbers": [*losses, *weights], "after": after}))
"""


@cache
def trained_on(count: int) -> Any:
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(count)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_two_devices_give_the_losses_and_weights_of_one() -> None:
    one, two = trained_on(1), trained_on(2)
    assert (one["devices"], two["devices"]) == (1, 2)
    assert two["numbers"] == pytest.approx(one["numbers"], rel=1e-5)
    assert two["after"] == "None"


def test_batch_that_cannot_be_divided_trains_on_one() -> None:
    assert trained_on(2)["is_one"]


def test_without_further_devices_nothing_is_copied() -> None:
    assert len(devices()) == 1
