"""The pipeline on open-source Kubeflow Pipelines: the compiled spec, its rules, and how it is handed over."""
