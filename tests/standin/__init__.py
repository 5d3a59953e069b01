"""A stand-in for TensorFlow Serving, for tests and benchmarks only. See server.py for what it is and is not."""
