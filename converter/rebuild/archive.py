"""The `.keras` archive of a blueprint, written without Keras and without a back end.

It has what Keras itself would write (source: `keras.src.saving.saving_lib` and `keras.src.ops.function`): the model's
settings, and an HDF5 file with the weights, in which a layer's group is called after its class, numbered in the order
of `Functional.layers`. What settings a layer has beyond those of the blueprint, `keras_layers.json` says, for every
version of Keras since the first one that is supported; `fixtures/derive_keras_layers.py` asks Keras for it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfileobj
from typing import Any
from zipfile import ZipFile, ZipInfo

from converter.blueprints.specs import Blueprint, LayerSpec
from converter.detectors.labels import KEY, MEMBER, Labels
from converter.ops import records
from converter.ops.forms import Value

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
INPUT, MODEL = "InputLayer", "Functional"
# Keras numbers an object that several layers share, their dtype, by its address: any number will do.
SHARED = 1
CHUNK = 2**20
_VERSION = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)


def write_archive(plan: Blueprint, path: Path, labels: Labels | None = None) -> None:
    """Write what `keras.Model.save` would write of the model that a blueprint describes.

    Args:
        plan: The model.
        path: Where to, in a folder with room for as much again; see `converter.files.whole_file`.
        labels: What its classes are called.

    Raises:
        OSError: It cannot be written.
    """
    calls = in_order(plan)
    version, known = settings_of_installed()
    about: dict[str, Any] = {"keras_version": version, "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S")}
    about |= {KEY: labels.as_dict()} if labels else {}
    weights = path.with_name(WEIGHTS)
    _write_weights(plan, calls, weights)
    with ZipFile(path, "w") as archive:
        for member, content in ((MEMBER, about), (CONFIG, _config(plan, calls, known))):
            with archive.open(member, "w") as file:
                file.write(json.dumps(content).encode())
        with archive.open(ZipInfo.from_file(weights, WEIGHTS), "w") as target, weights.open("rb") as source:
            copyfileobj(source, target, CHUNK)
    weights.unlink()


@dataclass(frozen=True, slots=True)
class Call:
    """A layer, or an input, and whose results it takes.

    Attributes:
        spec: None for an input.
        operands: (name of a layer, which of its results, shape without the batch).
        shape: Of an input.
    """

    name: str
    spec: LayerSpec | None
    operands: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def layer(self) -> str:
        """Name of its class."""
        return self.spec.layer if self.spec else INPUT


def in_order(plan: Blueprint) -> list[Call]:
    """All layers in the order of `Functional.layers`: the farthest from the outputs first, then as outputs lead there.

    Inputs that nothing depends on come before the last layers.
    """
    calls = {name: Call(name, None, shape=plan.graph.tensors[i].shape[1:]) for name, i in plan.inputs.items()}
    makers = _makers(plan)
    for spec in plan.specs:
        operands = tuple((*makers[value], plan.shapes[value]) for value in spec.inputs)
        calls[spec.name] = Call(spec.name, spec, operands)
    visits: dict[str, int] = {}
    stack = [makers[value][0] for value in plan.outputs.values()][::-1]
    while stack:
        name = stack.pop()
        if name not in visits:
            visits[name] = len(visits)
            stack.extend(operand for operand, _, _ in reversed(calls[name].operands))
    depths: dict[str, int] = {}
    for spec in reversed(plan.specs):
        depth = depths.setdefault(spec.name, 0)
        for operand, _, _ in calls[spec.name].operands:
            depths[operand] = max(depths.get(operand, 0), depth + 1)
    return sorted(calls.values(), key=lambda call: (-depths.get(call.name, 0), visits.get(call.name, -1)))


def _makers(plan: Blueprint) -> dict[Value, tuple[str, int]]:
    """Value → the layer that gives it, and as which of its results."""
    made = {value: (spec.name, number) for spec in plan.specs for number, value in enumerate(spec.outputs)}
    return {Value(index): (name, 0) for name, index in plan.inputs.items()} | made


def _config(plan: Blueprint, calls: list[Call], known: Mapping[str, Any]) -> dict[str, Any]:
    makers, made = _makers(plan), dict(known[MODEL])
    wraps_one = made.pop("wraps_one")
    ends = {
        "input_layers": [[name, 0, 0] for name in plan.inputs],
        "output_layers": [[name, 0, number] for name, number in (makers[value] for value in plan.outputs.values())],
    }
    config = made["config"] | {"name": plan.name, "layers": list(_layers(calls, known))}
    config |= {name: places if len(places) > 1 or wraps_one else places[0] for name, places in ends.items()}
    return made | {"config": config}


def _layers(calls: list[Call], known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    is_first = True
    for call in calls:
        entry = known[call.layer]
        own: dict[str, Any] = dict(call.spec.config) if call.spec else {"batch_shape": (None, *call.shape)}
        if "activation" in own:
            own["activation"] = own["activation"] or "linear"
        config = entry["config"] | own | {"name": call.name}
        if call.spec:
            config["dtype"] = entry["config"]["dtype"] | ({} if is_first else {"shared_object_id": SHARED})
            is_first = False
        made = {name: entry[name] for name in ("module", "class_name")} | {"config": config}
        made["registered_name"] = entry["registered_name"]
        if not entry["built"]:
            shapes = [(None, *operand_shape) for _, _, operand_shape in call.operands]
            made["build_config"] = {"input_shape": shapes if len(shapes) > 1 else shapes[0]}
        tensors: list[Any] = [_tensor(*operand) for operand in call.operands]
        node: dict[str, Any] = {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}
        yield made | {"name": call.name, "inbound_nodes": [node] if call.spec else []}


def _tensor(layer: str, number: int, shape: tuple[int, ...]) -> dict[str, Any]:
    config = {"shape": (None, *shape), "dtype": "float32", "keras_history": (layer, 0, number)}
    return {"class_name": "__keras_tensor__", "config": config}


def _write_weights(plan: Blueprint, calls: list[Call], path: Path) -> None:
    import h5py

    numbers: Counter[str] = Counter()
    with h5py.File(path, "w") as file:
        for call in calls:
            group = records.layer(call.layer).automatic_name
            number = numbers[group]
            numbers[group] += 1
            variables = file.create_group(f"layers/{group}_{number}/vars" if number else f"layers/{group}/vars")
            variables.attrs["name"] = call.name
            for key, weight in enumerate(call.spec.weights.values() if call.spec else ()):
                variables[str(key)] = weight.values(plan.graph)
        file.create_group("vars").attrs["name"] = plan.name


@cache
def settings_of_installed() -> tuple[str, dict[str, Any]]:
    """The version of Keras that is installed, and what it writes of every layer."""
    formats = json.loads(resources.files("converter.rebuild").joinpath("keras_layers.json").read_text())
    version = installed_keras() or f"{formats[0]['keras']}.0"  # what the oldest can load, all can
    known: dict[str, Any] = {}
    for each in formats:
        if _numbers(each["keras"]) <= _numbers(version):
            known |= each["layers"]
    return version, known


def installed_keras() -> str | None:
    """The version of Keras, which is not imported; None where it is not installed, or does not say as it used to."""
    found = find_spec("keras")
    try:
        text = Path(str(found and found.origin)).with_name("src").joinpath("version.py").read_text()
    except OSError:
        return None
    match = _VERSION.search(text)
    return match and match[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])
