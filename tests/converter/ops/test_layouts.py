"""Axis orders: each way and back, and element by element where it matters."""

import numpy as np
import pytest

from converter.ops.forms.layouts import (
    CONV_OHWI_TO_HWIO,
    DENSE_OI_TO_IO,
    SAME,
    TRANSPOSE_CONV_OHWI_TO_HWOI,
    Layout,
    depthwise_1hwo_to_hwim,
    reshaped,
)

pytestmark = pytest.mark.one_setting

# Every extent differs, so that no wrong order fits by chance: O=5, H=2, W=3, I=4.
OHWI = (5, 2, 3, 4)
DEPTHWISE = (1, 2, 3, 20)
LAYOUTS = [
    (SAME, (5,), (5,)),
    (SAME, OHWI, OHWI),
    (CONV_OHWI_TO_HWIO, OHWI, (2, 3, 4, 5)),
    (TRANSPOSE_CONV_OHWI_TO_HWOI, OHWI, (2, 3, 5, 4)),
    (DENSE_OI_TO_IO, (5, 4), (4, 5)),
    (depthwise_1hwo_to_hwim(DEPTHWISE, 1), DEPTHWISE, (2, 3, 20, 1)),
    (depthwise_1hwo_to_hwim(DEPTHWISE, 4), DEPTHWISE, (2, 3, 5, 4)),
    (reshaped((1, 1, 5)), (1, 1, 1, 5), (1, 1, 5)),
    (reshaped((2, 12, 5)), (1, 2, 3, 4, 5), (2, 12, 5)),
]


def numbered(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Every element another number."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("layout", "file_shape", "keras_shape"), LAYOUTS, ids=[f"{layout.name} {keras}" for layout, _, keras in LAYOUTS]
)
def test_there_and_back(layout: Layout, file_shape: tuple[int, ...], keras_shape: tuple[int, ...]) -> None:
    array = numbered(file_shape)
    moved = layout.to_keras(array)
    assert moved.shape == keras_shape
    back = layout.to_tflite(moved, file_shape)
    assert back.shape == file_shape
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("place", list(np.ndindex(OHWI))[::7])
def test_convolution_kernels_element_by_element(place: tuple[int, int, int, int]) -> None:
    o, h, w, i = place
    array = numbered(OHWI)
    assert CONV_OHWI_TO_HWIO.to_keras(array)[h, w, i, o] == array[place]
    assert TRANSPOSE_CONV_OHWI_TO_HWOI.to_keras(array)[h, w, o, i] == array[place]


def test_dense_kernels_element_by_element() -> None:
    array = numbered((5, 4))
    assert [DENSE_OI_TO_IO.to_keras(array)[i, o] for o, i in np.ndindex(5, 4)] == list(range(20))


@pytest.mark.parametrize("multiplier", [1, 2, 4, 20])
def test_depthwise_kernels_element_by_element(multiplier: int) -> None:
    array = numbered(DEPTHWISE)
    moved = depthwise_1hwo_to_hwim(DEPTHWISE, multiplier).to_keras(array)
    for h, w, i, m in np.ndindex(moved.shape):
        assert moved[h, w, i, m] == array[0, h, w, i * multiplier + m]


def test_a_square_kernel_is_moved_all_the_same() -> None:
    array = numbered((3, 3))
    assert DENSE_OI_TO_IO.to_keras(array)[0, 2] == array[2, 0] != array[0, 2]
