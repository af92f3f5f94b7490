"""The forms that an operator takes: in the file, as Keras layers, as nodes to be compared, on its way back."""
