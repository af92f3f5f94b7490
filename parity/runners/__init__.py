"""Ways to run a model: LiteRT, Keras, ONNX Runtime, and the original with all its intermediate results."""
