"""The Kubernetes manifests: every field is one of the API's, and the pods are what the docs say."""

import re
from pathlib import Path

import pytest
import yaml
from kubernetes import client

MODELS = {
    "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "Service": "V1Service",
    "Deployment": "V1Deployment",
}
SCALARS = {"str": str, "int": int, "bool": bool, "float": float}
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
# A patch, which is tested where it is applied.
PATCH = DEPLOY / "serving" / "kubernetes-gpu" / "gpu.yaml"
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"


def problems(value, kind, at=""):
    """What is wrong with a value of a type of the Kubernetes client: unknown, missing, mistyped fields."""
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{at}: expected a list, received {value!r}"]
        return [p for i, item in enumerate(value) for p in problems(item, inner[1], f"{at}.{i}")]
    if inner := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            return [f"{at}: expected a map, received {value!r}"]
        return [p for key, item in value.items() for p in problems(item, inner[1], f"{at}.{key}")]
    if kind in SCALARS:
        right = type(value) is SCALARS[kind]
        return [] if right else [f"{at}: expected {kind}, received {value!r}"]
    if kind == "object":  # a number or a text, such as a port
        return [] if isinstance(value, (int, str)) else [f"{at}: received {value!r}"]
    model = getattr(client, kind)
    if not isinstance(value, dict):
        return [f"{at}: expected {kind}, received {value!r}"]
    names = {json: name for name, json in model.attribute_map.items()}
    found = [f"{at}.{key}: no field of {kind}" for key in value.keys() - names.keys()]
    known = {key: value[key] for key in value.keys() & names.keys()}
    try:
        model(**{names[key]: item for key, item in known.items()})
    except ValueError as error:  # a required field, or a value that is no choice
        found.append(f"{at}: {error}")
    for key, item in known.items():
        found += problems(item, model.openapi_types[names[key]], f"{at}.{key}")
    return found


@pytest.fixture(params=["cpu", "gpu"])
def deployment(request, kubernetes, gpu_deployment):
    return kubernetes["Deployment"] if request.param == "cpu" else gpu_deployment


@pytest.fixture
def pod(deployment):
    return deployment["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (only,) = pod["containers"]
    return only


def test_kinds(kubernetes, serving):
    assert kubernetes.keys() == MODELS.keys()
    text = (serving / "kubernetes" / "serving.yaml").read_text(encoding="utf-8")
    assert len(list(yaml.safe_load_all(text))) == len(MODELS)
    versions = {kind: document["apiVersion"] for kind, document in kubernetes.items()}
    assert versions == {"PersistentVolumeClaim": "v1", "Service": "v1", "Deployment": "apps/v1"}


@pytest.mark.parametrize("kind", MODELS)
def test_fields_are_the_apis(kind, kubernetes):
    assert problems(kubernetes[kind], MODELS[kind]) == []


def test_fields_of_the_gpu_variant_are_the_apis(gpu_deployment):
    assert problems(gpu_deployment, MODELS["Deployment"]) == []


@pytest.mark.parametrize(
    "kind, path, value",
    [
        ("Deployment", "spec.replica", 2),
        ("Deployment", "spec.replicas", "2"),
        ("Deployment", "spec.selector", None),
        ("Deployment", f"{CONTAINER}.readynessProbe", {}),
        ("Deployment", f"{CONTAINER}.name", None),
        ("Deployment", f"{CONTAINER}.ports.0.containerPort", None),
        ("Deployment", f"{CONTAINER}.resources.limits.cpu", 2),
        ("Deployment", f"{CONTAINER}.livenessProbe.httpGet.port", None),
        ("Deployment", f"{CONTAINER}.securityContext.capabilities.drop", "ALL"),
        ("Deployment", f"{POD}.securityContext.seccompProfile.type", None),
        ("Deployment", f"{POD}.volumes", {"models": {}}),
        ("Service", "spec.ports.0.port", None),
        ("Service", "spec.selectors", {}),
        ("PersistentVolumeClaim", "spec.accessModes", "ReadWriteMany"),
    ],
)
def test_a_broken_manifest_is_refused(kind, path, value, kubernetes, changed):
    assert problems(changed(kubernetes[kind], path, value), MODELS[kind])


def test_patch_names_what_it_patches(kubernetes, read):
    patch, base = read("kubernetes-gpu/gpu.yaml"), kubernetes["Deployment"]
    for key in ("apiVersion", "kind"):
        assert patch[key] == base[key]
    assert patch["metadata"]["name"] == base["metadata"]["name"]
    for part in ("containers", "volumes"):
        old, new = (
            {item["name"] for item in d["spec"]["template"]["spec"][part]} for d in (base, patch)
        )
        assert new <= old


def pods_of(document):
    """Every pod in a document, of whatever kind it is."""
    if isinstance(document, dict) and "containers" in document:
        yield document
    elif isinstance(document, (dict, list)):
        for item in document.values() if isinstance(document, dict) else document:
            yield from pods_of(item)


def test_every_pod_is_contained():
    found = {
        path.name: list(pods_of(list(yaml.safe_load_all(path.read_text(encoding="utf-8")))))
        for path in DEPLOY.rglob("*.yaml")
        if path != PATCH
    }
    assert {name for name, pods in found.items() if pods} == {
        "pushed-recently.yaml",
        "serving.yaml",
    }
    for pod in sum(found.values(), []):
        for container in pod["containers"] + pod.get("initContainers", []):
            assert_contained(pod, container)


def test_pod_is_contained(pod, container):
    assert_contained(pod, container)


def assert_contained(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    own = container["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_resources(container, deployment):
    resources = container["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys() & resources["limits"].keys()
    for amounts in resources.values():
        assert all(QUANTITY.fullmatch(amount) for amount in amounts.values())
    gpu = resources["limits"].get("nvidia.com/gpu")
    assert gpu == ("1" if container["image"].partition("@")[0].endswith("-gpu") else None)


def test_probes(container):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {f"--port={ports['grpc']}", f"--rest_api_port={ports['rest']}"} <= set(container["args"])
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "readiness", "liveness")
    }
    status = "/v1/models/crowdflow"
    assert paths == {"startup": status, "readiness": f"{status}/metadata", "liveness": status}
    assert {container[f"{name}Probe"]["httpGet"]["port"] for name in paths} == {"rest"}
    startup = container["startupProbe"]
    retries = 5 * 60  # the server's own: five times, a minute apart
    assert startup["periodSeconds"] * startup["failureThreshold"] > retries


def test_volumes_are_mounted_and_the_models_read_only(pod, container, kubernetes, read):
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounts.keys() == volumes.keys()
    claim = volumes["models"]["persistentVolumeClaim"]
    assert claim["claimName"] == kubernetes["PersistentVolumeClaim"]["metadata"]["name"]
    assert claim["readOnly"] is mounts["models"]["readOnly"] is True
    assert mounts["models"]["mountPath"] == "/models"
    (generator,) = read("config/kustomization.yaml")["configMapGenerator"]
    assert volumes["config"]["configMap"]["name"] == generator["name"]
    for argument in container["args"]:
        folder, _, name = argument.partition("=")[2].rpartition("/")
        if folder:
            assert folder == mounts["config"]["mountPath"]
            assert name in generator["files"]


def test_labels_and_ports_meet(deployment, kubernetes, container):
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    service = kubernetes["Service"]["spec"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["selector"] == labels
    names = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["ports"]} == names == {"grpc", "rest"}


def test_kserve_reads_the_claim(kubernetes, read):
    uri = read("kserve.yaml")["spec"]["predictor"]["model"]["storageUri"]
    claim = kubernetes["PersistentVolumeClaim"]["metadata"]["name"]
    assert uri == f"pvc://{claim}/crowdflow"
