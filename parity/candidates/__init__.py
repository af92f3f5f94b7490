"""What can be compared with an original: Keras models, `.tflite` and `.onnx` files, saved traces."""
