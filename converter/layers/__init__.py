"""The few layers that Keras does not have, registered so that saved models load with `safe_mode=True`.

All use `keras.ops` alone and run on every back end of Keras. Importing this module imports Keras.
"""

from converter.layers.detection import DecodeDetections, Letterbox, RemoveLetterbox, SuppressDetections
from converter.layers.mediapipe import (
    LandmarksToTransformMatrix,
    MaxPoolingWithArgmax2D,
    MaxUnpooling2D,
    Resampler,
    TransformLandmarks,
    TransformTensorBilinear,
)
from converter.layers.pictures import DepthToSpace, PaddedAveragePooling2D, ResizeBilinear, ResizeNearest, SpaceToDepth
from converter.layers.shaping import BroadcastAdd, Mean, Offset, Scale, StridedSlice, ZeroPadding

__all__ = ["BroadcastAdd", "DecodeDetections", "DepthToSpace", "LandmarksToTransformMatrix", "Letterbox"]
__all__ += ["MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Mean", "Offset", "PaddedAveragePooling2D", "RemoveLetterbox"]
__all__ += ["Resampler", "ResizeBilinear", "ResizeNearest", "Scale", "SpaceToDepth", "StridedSlice"]
__all__ += ["SuppressDetections", "TransformLandmarks", "TransformTensorBilinear", "ZeroPadding"]
