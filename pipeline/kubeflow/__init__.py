"""The pipeline on open-source Kubeflow Pipelines: compiling, checking and submitting it, and running a step."""
