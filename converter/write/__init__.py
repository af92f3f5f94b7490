"""Keras models back into files: `.tflite`, int8, ONNX."""
