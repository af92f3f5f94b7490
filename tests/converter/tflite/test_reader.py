"""What a file says is what `converter.read` gives: on tiny files, on real ones, and in the format's odd corners."""

from typing import Any

import numpy as np
import pytest
import tflite
from ai_edge_litert import schema_py_generated as schema

import converter
from converter.errors import MalformedModel, UnsupportedModel
from converter.tflite.decode import decode
from fixtures.builder import Builder, one, pack, signature, sparsity
from tests.tools import models

pytestmark = pytest.mark.one_setting

SHAPE = [1, 5, 7, 3]


def conv(**options: Any) -> Builder:
    """A convolution without bias, not yet built; its tensors: input, kernel, output."""
    builder = Builder()
    x = builder.input(SHAPE)
    kernel = builder.constant(np.arange(4 * 2 * 3 * 3, dtype=np.float32).reshape(4, 2, 3, 3), "kernel")
    builder.op("CONV_2D", [x, kernel, -1], [[1, 5, 7, 4]], ["made"], **options)
    builder.graph.outputs = [2]
    return builder


def relu() -> Builder:
    """The smallest model, not yet built; its tensors: input, output."""
    builder = Builder()
    builder.graph.outputs = builder.op("RELU", [builder.input(SHAPE)], [SHAPE])
    return builder


@pytest.mark.parametrize(
    ("padding", "activation"), [("SAME", "NONE"), ("VALID", "RELU6"), ("SAME", "RELU_N1_TO_1"), ("VALID", "SIGN_BIT")]
)
def test_options_are_decoded(padding: str, activation: str) -> None:
    numbers = (getattr(schema.Padding, padding), getattr(schema.ActivationFunctionType, activation))
    given = dict(zip(("padding", "fusedActivationFunction"), numbers, strict=True))
    builder = conv(**given, strideH=2, strideW=3, dilationHFactor=4)
    assert converter.read(pack(builder.model)).graph.ops[0].options == {
        "padding": padding,
        "fused_activation_function": activation,
        "stride_h": 2,
        "stride_w": 3,
        "dilation_h_factor": 4,
        "dilation_w_factor": 1,
        "quantized_bias_type": 0,
    }


def test_an_enum_value_that_nobody_knows_is_kept() -> None:
    op = converter.read(pack(conv(padding=9, fusedActivationFunction=77).model)).graph.ops[0]
    assert op.options["padding"] == "Padding_9"
    assert op.options["fused_activation_function"] == "ActivationFunctionType_77"


def test_an_omitted_operand_keeps_its_slot() -> None:
    builder = Builder()
    x = builder.input(SHAPE)
    y = builder.input(SHAPE, "y")
    (made,) = builder.op("Mystery", [x, -1, y], [SHAPE], custom=b"\x00\x01\xff")
    (op,) = converter.read(builder.build([made])).graph.ops
    assert op.inputs == (x, None, y)
    assert op.outputs == (made,)


def test_a_custom_op_keeps_its_name_and_bytes() -> None:
    (op,) = converter.read(one("Mystery", SHAPE, SHAPE, custom=b"\x00\x01\xff", version=4)).graph.ops
    assert (op.kind, op.is_custom, op.version) == ("Mystery", True, 4)
    assert op.custom_options is not None
    assert bytes(op.custom_options) == b"\x00\x01\xff"


def test_a_builtin_op_is_not_custom_and_has_its_version() -> None:
    (op,) = converter.read(one("RELU", SHAPE, SHAPE, version=3)).graph.ops
    assert (op.kind, op.is_custom, op.version, op.custom_options, dict(op.options)) == ("RELU", False, 3, None, {})


@pytest.mark.parametrize(
    ("deprecated", "builtin", "kind"),
    [
        (schema.BuiltinOperator.CONV_2D, 0, "CONV_2D"),  # old writers fill one field only
        (0, schema.BuiltinOperator.CONV_2D, "CONV_2D"),
        (127, schema.BuiltinOperator.CUMSUM, "CUMSUM"),  # new ones put a placeholder where it does not fit
        (127, 9999, "BUILTIN_9999"),
        (0, 0, "ADD"),
    ],
)
def test_the_larger_of_the_two_operator_codes_counts(deprecated: int, builtin: int, kind: str) -> None:
    builder = relu()
    code = builder.model.operatorCodes[0]
    code.deprecatedBuiltinCode, code.builtinCode = deprecated, builtin
    (op,) = converter.read(pack(builder.model)).graph.ops
    assert op.kind == kind
    assert not op.is_custom


def test_quantization_is_kept() -> None:
    builder = Builder()
    kernel = builder.constant(np.arange(12, dtype=np.int8).reshape(3, 4), "kernel")
    builder.quantize(kernel, [0.5, 0.25, 2.0], [0, 7, -7])
    builder.op("DEQUANTIZE", [kernel], [[3, 4]])
    tensor = converter.read(builder.build([1])).graph.tensors[kernel]
    assert tensor.quantization is not None
    assert tensor.quantization.zero_point is not None
    assert tensor.quantization.scale.tolist() == [0.5, 0.25, 2.0]
    assert tensor.quantization.zero_point.tolist() == [0, 7, -7]
    assert tensor.quantization.axis == 0
    assert tensor.storage is not None
    assert tensor.storage.quantization == tensor.quantization


def test_quantization_without_a_scale_is_none() -> None:
    builder = relu()
    builder.graph.tensors[0].quantization = schema.QuantizationParametersT()
    builder.graph.tensors[0].quantization.min = [0.0]
    assert converter.read(pack(builder.model)).graph.tensors[0].quantization is None


def test_sparsity_is_kept() -> None:
    builder = relu()
    tensor = builder.graph.tensors[builder.constant(np.array([1.5, 2.5], np.float32), shape=[2, 4])]
    tensor.sparsity = sparsity((0, 1, 2), 2, ((0, 1, 2), (3, 700)), 1, blocks=(1,), bits=16)
    storage = converter.read(pack(builder.model)).graph.tensors[2].storage
    assert storage is not None
    assert storage.label == "FLOAT32 sparse"
    assert storage.sparsity is not None
    assert (storage.sparsity.traversal_order, storage.sparsity.block_map) == ((0, 1, 2), (1,))
    dense, middle, block = storage.sparsity.dimensions
    assert (dense.dense_size, dense.segments, block.dense_size, block.indices) == (2, None, 1, None)
    assert middle.segments is not None
    assert middle.indices is not None
    assert (middle.segments.tolist(), middle.indices.tolist()) == ([0, 1, 2], [3, 700])


def test_names_descriptions_metadata_and_signatures_are_kept() -> None:
    builder = relu()
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"NOTE", len(builder.model.buffers)
    builder.model.metadata = [entry]
    builder.model.buffers.append(schema.BufferT())
    builder.model.buffers[-1].data = np.frombuffer(b"by hand", np.uint8)
    builder.model.signatureDefs = [signature("serving", {"x": 0}, {"y": 1})]
    builder.graph.name = b"main"
    model = converter.read(pack(builder.model))
    assert {name: bytes(value) for name, value in model.metadata.items()} == {"NOTE": b"by hand"}
    assert [(s.key, s.subgraph, dict(s.inputs), dict(s.outputs)) for s in model.signatures] == [
        ("serving", 0, {"x": 0}, {"y": 1})
    ]
    assert (model.version, model.description, model.graph.name) == (3, "made by fixtures.builder", "main")


def test_a_name_that_is_not_utf8_is_readable_all_the_same() -> None:
    builder = relu()
    builder.graph.tensors[0].name = b"caf\xe9"
    assert converter.read(pack(builder.model)).graph.tensors[0].name == "caf\N{REPLACEMENT CHARACTER}"


def test_a_free_axis_shows_in_the_signature_of_the_shape() -> None:
    builder = relu()
    builder.graph.tensors[0].shapeSignature = [-1, 5, 7, 3]
    made, other = converter.read(pack(builder.model)).graph.tensors
    assert (made.shape, made.shape_signature) == ((1, 5, 7, 3), (-1, 5, 7, 3))
    assert other.shape_signature == other.shape


def test_every_subgraph_is_seen_but_there_is_no_only_one() -> None:
    builder = relu()
    builder.model.subgraphs.append(conv().graph)
    builder.model.subgraphs[1].tensors[1].buffer = 0
    builder.model.subgraphs[1].inputs = [0, 1]
    model = converter.read(pack(builder.model))
    assert [len(graph.tensors) for graph in model.graphs] == [2, 3]
    with pytest.raises(UnsupportedModel, match="2 subgraphs"):
        _ = model.graph


def test_an_empty_tensor_can_be_computed() -> None:
    builder = relu()
    builder.graph.tensors[1].shape = [1, 0]
    assert converter.read(pack(builder.model)).graph.tensors[1].size == 0


def test_a_float32_constant_is_a_view_on_the_bytes() -> None:
    model = converter.read(pack(conv().model))
    array = decode(model.graph.tensors[1])
    assert np.shares_memory(array, np.frombuffer(model.data, np.uint8))
    np.testing.assert_array_equal(array, np.arange(72, dtype=np.float32).reshape(4, 2, 3, 3))


def test_constants_of_a_file_are_views_on_the_mapped_file() -> None:
    model = models.original("iris_landmark")
    whole = np.frombuffer(model.data, np.uint8)
    weights = [t for t in model.graph.constants() if t.storage and t.storage.label == "FLOAT32"]
    assert len(weights) > 50
    assert all(np.shares_memory(decode(tensor), whole) for tensor in weights)
    assert not any(decode(tensor).flags.writeable for tensor in weights)


def test_the_bytes_of_a_file_beyond_2_gb_lie_behind_the_flatbuffer() -> None:
    builder = conv()
    big = builder.model.buffers[builder.graph.tensors[1].buffer]
    values, options = bytes(big.data), b"\x07" * 11
    big.data, big.offset, big.size = None, 2, len(values)
    builder.op("Mystery", [2], [SHAPE], custom=b"")
    builder.graph.outputs = [3]
    op = builder.graph.operators[1]
    op.customOptions, op.largeCustomOptionsOffset, op.largeCustomOptionsSize = None, 2, len(options)
    big.offset = len(pack(builder.model))
    op.largeCustomOptionsOffset = big.offset + len(values)
    graph = converter.read(pack(builder.model) + values + options).graph
    np.testing.assert_array_equal(decode(graph.tensors[1]).ravel(), np.arange(72))
    assert graph.ops[1].custom_options is not None
    assert bytes(graph.ops[1].custom_options) == options
    with pytest.raises(MalformedModel, match="outside the file"):
        converter.read(pack(builder.model) + values + options[:-1])
    with pytest.raises(MalformedModel, match="outside the file"):
        converter.read(pack(builder.model) + values[:-1])


@pytest.mark.parametrize("name", ["palm_detection_full", "face_landmark", "face_detection_full_range_sparse"])
def test_a_real_model_reads_as_the_generated_reader_reads_it(name: str) -> None:
    theirs = tflite.Model.GetRootAs(models.path(name).read_bytes()).Subgraphs(0)
    ours = models.original(name).graph
    assert (list(ours.inputs), list(ours.outputs)) == (_ints(theirs, "Inputs"), _ints(theirs, "Outputs"))
    assert len(ours.tensors) == theirs.TensorsLength()
    for tensor in ours.tensors:
        other = theirs.Tensors(tensor.index)
        assert (tensor.name.encode(), list(tensor.shape)) == (other.Name(), _ints(other, "Shape"))
        assert getattr(tflite.TensorType, tensor.dtype) == other.Type()
        assert (tensor.storage is not None and tensor.storage.sparsity is not None) == (other.Sparsity() is not None)
    assert len(ours.ops) == theirs.OperatorsLength()
    for op in ours.ops:
        other = theirs.Operators(op.index)
        assert [-1 if i is None else i for i in op.inputs] == _ints(other, "Inputs")
        assert list(op.outputs) == _ints(other, "Outputs")
    assert len(ours.ops) > 100


def _ints(table: Any, field: str) -> list[int]:
    return [getattr(table, field)(i) for i in range(getattr(table, f"{field}Length")())]
