"""Layer names from tensor names, which come in three dialects.

- 2019: `conv2d_10/Kernel`, `add_7__xeno_compat__1`: the layer comes first, or is all there is.
- TF2: `model_1/model/batch_normalization_25/FusedBatchNormV3;model_1/model/conv2d_25/Conv2D1`: several scopes
  fused into one op, each `path/layer/operation`; equal constants are shared, so foreign layers appear too.
- `StatefulPartitionedCall:0`: says nothing about layers.
"""

import re
from collections import Counter
from functools import cache
from itertools import takewhile

from converter.ops import records
from converter.tflite.model import Graph

_DECORATION = re.compile(r"__xeno_compat__\d+|_(dequantize|densify)\d*$|:\d+$")
_TRAILING_NUMBER = re.compile(r"\d+$")
_MEANINGLESS = re.compile(r"^(StatefulPartitionedCall|PartitionedCall|Identity|tensor)(_\d+)?$")


class Namer:
    """Gives every layer of one model a readable name of its own."""

    def __init__(self, graph: Graph, model: str) -> None:
        self.model = safe(model)
        self._taken: set[str] = set()
        self._numbers: Counter[str] = Counter()
        self._outputs = {safe(graph.tensors[i].name) for i in graph.outputs}
        scopes = [part for t in graph.tensors for part in _fragments(t.name) if part.count("/") > 1]
        levels = zip(*(scope.split("/")[:-2] for scope in scopes), strict=False)
        shared = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
        self._scope = "".join(f"{name}/" for name in shared)

    def input(self, tensor: str) -> str:
        """The file's own name, as far as Keras allows it."""
        return self.unique(safe(tensor.removesuffix(":0")))

    def output(self, tensor: str) -> str:
        """The file's own name, which is kept for this one; a second output of that name gets a number."""
        name = safe(tensor)
        if name in self._taken:
            return self.unique(name)
        self._taken.add(name)
        return name

    def layer(self, layer: str, kernel: str | None, output: str, *, is_last: bool) -> str:
        """Name one layer.

        Args:
            layer: Its Keras class.
            kernel: Name of its kernel's tensor; the surest source.
            output: Name of the tensor that its operator computes.
            is_last: Whether it is the layer that gives that tensor, not one before it in the same operator.
        """
        name = self._readable(layer, kernel, output, is_last=is_last)
        if is_last and name in self._outputs and name not in self._taken and name == safe(output):
            return self.output(output)
        return self.unique(name)

    def _readable(self, layer: str, kernel: str | None, output: str, *, is_last: bool) -> str:
        for source in filter(None, (kernel, output)):
            for fragment in _fragments(source):
                path, _, operation = fragment.rpartition("/")
                if path and _TRAILING_NUMBER.sub("", operation) in _operations(layer):
                    return self._short(path)
        if is_last and safe(output) in self._outputs:
            return safe(output)
        last = _fragments(output)[-1]
        readable = self._short(last.rpartition("/")[0] or last)
        if is_last and not _MEANINGLESS.match(readable):
            return readable
        return records.layer(layer).automatic_name

    def unique(self, name: str) -> str:
        """`name`, or `name_1`, `name_2`… once it is taken, as Keras numbers its own."""
        chosen = name
        while chosen in self._taken or chosen in self._outputs:
            self._numbers[name] += 1
            chosen = f"{name}_{self._numbers[name]}"
        self._taken.add(chosen)
        return chosen

    def _short(self, path: str) -> str:
        return safe(path.removeprefix(self._scope).removesuffix("/resize"))


def safe(name: str) -> str:
    """A name that every Keras back end takes: letters, digits, `_` and `-`, not starting with `_` or `-`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-") or "layer"


@cache
def _operations(layer: str) -> frozenset[str]:
    """A fragment that ends in one of these is the layer itself."""
    return frozenset(_TRAILING_NUMBER.sub("", name) for name in records.layer(layer).exported_as)


def _fragments(name: str) -> list[str]:
    return [_DECORATION.sub("", part) for part in name.split(";")]
