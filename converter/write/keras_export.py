"""What the writer does not know, through Keras's and TensorFlow's own export, with names and order restored.

That needs Keras's TensorFlow back end, takes seconds instead of a tenth of one, and names everything anew. It is what
`model.export(format="litert")` does from Keras 3.15 on; earlier versions do otherwise, or have no such format.
"""

import tempfile
from functools import partial
from typing import Any

from converter.errors import CannotExport
from converter.extras import how_to_install
from converter.tflite.assembly import Assembly


def keras_export(model: Any) -> bytes:
    """Write a Keras model as float32 `.tflite`, batch 1.

    The converter sorts outputs by tensor, and calls them `StatefulPartitionedCall:0`.

    Args:
        model: A functional `keras.Model`.

    Raises:
        CannotExport: Keras cannot export it, or not on this back end.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise CannotExport(
            f"Keras exports to LiteRT with TensorFlow only, and runs on {keras.backend.backend()}",
            hint=f"{how_to_install('tensorflow')}, and KERAS_BACKEND=tensorflow",
        )
    try:
        data = _exported(keras, model)
    except Exception as error:  # whatever Keras and TensorFlow raise on a layer that they cannot write
        reason = str(error).strip().partition("\n")[0]
        raise CannotExport(f"Keras's LiteRT export fails on {model.name!r}: {reason}") from error
    return _with_own_names(data, model)


def _exported(keras: Any, model: Any) -> bytes:
    import tensorflow as tf

    signature = keras.tree.map_structure(
        lambda x: keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype, name=x.name), model.input
    )
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serve", partial(model.__call__, training=False), input_signature=[signature])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        made: bytes = converter.convert()
    return made


def _with_own_names(data: bytes, model: Any) -> bytes:
    file = Assembly(memoryview(data))
    (signature,) = file.model.signatureDefs
    outputs = {entry.name.decode(): entry for entry in signature.outputs}
    ordered = [outputs[f"output_{number}"] for number in range(len(outputs))]
    for entry, name in zip(ordered, model.output_names, strict=True):
        entry.name = name.encode()
        file.graph.tensors[entry.tensorIndex].name = name.encode()
    for entry in signature.inputs:
        file.graph.tensors[entry.tensorIndex].name = entry.name
    signature.outputs = ordered
    file.graph.outputs = [entry.tensorIndex for entry in ordered]
    return file.pack()
