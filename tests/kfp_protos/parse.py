"""Parses a compiled YAML with Kubeflow's own messages.

python -S parse.py FOLDER < documents.json, where FOLDER has the packages of requirements.txt. It fails at the
first field that a message does not know or that has another type, and prints what Kubernetes gets of every step.
"""

import importlib.util
import json
import sys
import types

sys.path.insert(0, sys.argv[1])
import google.protobuf  # noqa: E402
from google.protobuf import json_format  # noqa: E402


def load(name: str) -> types.ModuleType:
    """A module by its file: the packages around it need kfp itself."""
    path = f"{sys.argv[1]}/{name.replace('.', '/')}.py"
    found = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(found)
    for parent in (name.rpartition(".")[0], name.partition(".")[0]):
        sys.modules.setdefault(parent, types.ModuleType(parent)).__path__ = []
    found.loader.exec_module(module)
    return module


specs = load("kfp.pipeline_spec.pipeline_spec_pb2")
pods = load("kfp.kubernetes.kubernetes_executor_config_pb2")
assert google.protobuf.__version__.startswith("6.")
spec, platform = json.load(sys.stdin)
json_format.ParseDict(spec, specs.PipelineSpec())
parsed = json_format.ParseDict(platform, specs.PlatformSpec())
kubernetes = parsed.platforms["kubernetes"]
for label, executor in kubernetes.deployment_spec.executors.items():
    message = json_format.ParseDict(
        json_format.MessageToDict(executor), pods.KubernetesExecutorConfig()
    )
    print(label, json.dumps(json_format.MessageToDict(message), sort_keys=True))
print("deadline", kubernetes.pipelineConfig.active_deadline_seconds)
