"""The pipeline: its wiring, and where it runs."""
