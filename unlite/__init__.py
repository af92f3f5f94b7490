"""Deployed `.tflite` files back into Keras models that can be trained."""
