"""What a student with other activations can learn from inside its teacher, layer by layer.

Outputs alone say too little: with its PReLUs exchanged, a palm detector first finds thousands of hands, unlearns that
by finding nothing at all, and stays there. Source: A. Romero et al., "FitNets: Hints for Thin Deep Nets" (2015).
"""

from collections.abc import Sequence
from typing import Any

from converter.match.trace import KerasNetwork, keras_network
from converter.surgery.rewire import Rewiring

# What the mean error of all hints counts, beside the outputs' losses.
WEIGHT = 100.0


def exchanged(student: Any, teacher: Any) -> tuple[str, ...]:
    """Layers of both models, of one name and shape, whose results go into a layer that the teacher does not have.

    Empty where the models do not take the same input.
    """
    ours, theirs = (keras_network(model) for model in (student, teacher))
    if [x.shape for x in student.inputs] != [x.shape for x in teacher.inputs]:
        return ()
    shapes, known = _shapes(theirs), {(call.name, type(call.layer)) for call in theirs.calls}
    makers = {tensor: call for call in ours.calls for tensor in call.outputs}
    new = [call for call in ours.calls if (call.name, type(call.layer)) not in known]
    found = [makers[tensor].name for call in new for tensor in call.inputs if tensor in makers]
    own = _shapes(ours)
    return tuple(name for name in dict.fromkeys(found) if shapes.get(name) == own[name])


def hinted(head: Any, teacher: Any, names: Sequence[str]) -> Any:
    """A head with one more result: how far some layers' results are from the teacher's, [N, 1] for `losses.given`.

    Args:
        head: The student; it takes the input itself.
        teacher: Its teacher. A copy of it runs beside the student and does not train.
        names: Of the layers.
    """
    import keras

    rewiring = Rewiring(keras_network(teacher))
    rewiring.run(lambda *_: None)
    results = {call.name: rewiring.values[call.outputs[0]] for call in rewiring.traced.calls}
    inside = keras.Model(rewiring.inputs[0], [results[name] for name in names], name="teacher")
    inside.trainable = False
    ours = [head.get_layer(name.replace("/", "_")).output for name in names]
    theirs = keras.tree.flatten(inside(head.inputs[0]))
    return keras.Model(head.inputs, [*head.outputs, _hint()([*ours, *theirs])], name=head.name)


def _hint() -> Any:
    import keras
    from keras import ops

    class Hint(keras.layers.Layer):  # type: ignore[misc]
        """Values of the student, then as many of the teacher → their error, as a share of what the teacher says."""

        def call(self, values: Sequence[Any]) -> Any:
            errors = []
            for made, expected in zip(values[: len(values) // 2], values[len(values) // 2 :], strict=True):
                axes = tuple(range(1, len(made.shape)))
                energy = ops.mean(ops.square(expected), axis=axes) + keras.config.epsilon()
                errors.append(ops.mean(ops.square(made - expected), axis=axes) / energy)
            return WEIGHT * ops.mean(ops.stack(errors, axis=1), axis=1, keepdims=True)

        def compute_output_shape(self, shapes: Any) -> tuple[int | None, int]:
            return shapes[0][0], 1

    return Hint(name="hint")


def _shapes(network: KerasNetwork) -> dict[str, tuple[int, ...]]:
    return {call.name: tuple(call.outputs[0].shape[1:]) for call in network.calls}
