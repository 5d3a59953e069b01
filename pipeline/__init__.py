"""The pipeline: its wiring, the local and the Kubeflow runner, the command line."""
