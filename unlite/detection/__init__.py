"""MediaPipe's detection pipeline, stage by stage: picture → input tensor → raw tensors → boxes → detections.

The stages are small functions on numpy arrays. The Keras layers of the same are in `converter.layers`.

Sources: MediaPipe's published calculators (`ImageToTensorCalculator`, `TensorsToDetectionsCalculator`,
`NonMaxSuppressionCalculator`, `DetectionLetterboxRemovalCalculator`), Apache-2.0; V. Bazarevsky et al., "BlazeFace"
(2019), for the weighted suppression.
"""
