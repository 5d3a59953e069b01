"""Executes a compiled PipelineSpec on this machine, a process a step, as Kubeflow Pipelines' v2 backend does.

Driver, launcher, metadata and object store in small, after the sources in kubeflow/pipelines:
`backend/src/v2/driver` (inputs, outputs, `executor-logs`), `component/launcher_v2.go` (placeholders, folders,
upload), `metadata/client.go` (what becomes of an artifact's properties) and `cacheutils/cache.go` (the cache key).
It knows nothing of the pipeline that it runs.
"""

from kfp_local.cluster import Cluster, Run, StepFailed

__all__ = ["Cluster", "Run", "StepFailed"]
