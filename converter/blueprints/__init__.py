"""What a file is in Keras, as plain data: layers with names, settings and weights; what it costs; a summary."""
