"""A .tflite model's time by LiteRT's own profiler, which its Python package leaves out."""
