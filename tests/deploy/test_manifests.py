"""Every manifest fits its schema and names what exists, and each of these checks can fail."""

import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from crowdflow.config.stack import OLDER, TODAY
from crowdflow.pipeline.infra_validator import SERVING_TAG

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {
    "compose.yaml": "compose-spec.json",
    "compose.batching.yaml": "compose-spec.json",
    "kserve.yaml": "kserve.schema.yaml",
    "prometheus/prometheus.yml": "prometheus.schema.yaml",
    "prometheus/alerts.yml": "alerts.schema.yaml",
    "prometheus/live.yml": "alerts.schema.yaml",
    "grafana/provisioning/datasources/prometheus.yml": "datasources.schema.yaml",
    "grafana/provisioning/dashboards/crowdflow.yml": "dashboards.schema.yaml",
    "grafana/dashboards/serving.json": "dashboard.schema.yaml",
    "config/kustomization.yaml": "kustomization.schema.yaml",
    "kubernetes/kustomization.yaml": "kustomization.schema.yaml",
    "kubernetes-gpu/kustomization.yaml": "kustomization.schema.yaml",
}
ELSEWHERE = {"kubernetes/serving.yaml", "kubernetes-gpu/gpu.yaml"}  # test_kubernetes.py
# A path into the document and what is put there; None removes it.
BREAKS = [
    ("compose.yaml", "services.serving-cpu.profile", ["cpu"]),
    ("compose.yaml", "services.serving-cpu.read_only", "yes, please"),
    ("compose.yaml", "services.prometheus.healthcheck.every", "15s"),
    ("compose.batching.yaml", "services.serving-cpu.commands", []),
    ("kserve.yaml", "spec.predictor.canaryTraffic", 10),
    ("kserve.yaml", "spec.predictor.canaryTrafficPercent", 110),
    ("kserve.yaml", "spec.predictor.model.storageUri", "crowdflow-serving/crowdflow"),
    ("kserve.yaml", "spec.predictor.model.modelFormat", None),
    ("prometheus/prometheus.yml", "scrape_configs.0.metric_path", "/"),
    ("prometheus/prometheus.yml", "scrape_configs.0.static_configs.0.targets", ["http://a:1"]),
    ("prometheus/alerts.yml", "groups.0.rules.0.expression", "up"),
    ("prometheus/alerts.yml", "groups.0.rules.0.for", "two minutes"),
    ("prometheus/live.yml", "groups.0.rules.0.expr", None),
    ("grafana/provisioning/datasources/prometheus.yml", "datasources.0.uid", None),
    ("grafana/provisioning/dashboards/crowdflow.yml", "providers.0.options.path", "dashboards"),
    ("grafana/dashboards/serving.json", "panels.0.targets.0.expr", ""),
    ("grafana/dashboards/serving.json", "panels.0.gridPos.x", 24),
    ("config/kustomization.yaml", "configMapGenerator.0.name", None),
    ("kubernetes/kustomization.yaml", "resource", ["serving.yaml"]),
    ("kubernetes-gpu/kustomization.yaml", "images.0.tag", "2.19.1"),
]


def test_every_manifest_is_checked(serving):
    found = {
        path.relative_to(serving).as_posix()
        for path in serving.rglob("*")
        if path.suffix in (".yaml", ".yml", ".json")
    }
    assert found == SCHEMAS.keys() | ELSEWHERE
    assert {name for name, *_ in BREAKS} == SCHEMAS.keys()


@pytest.mark.parametrize("name", SCHEMAS)
def test_manifest_fits_its_schema(name, read, errors):
    assert errors(read(name), SCHEMAS[name]) == []


@pytest.mark.parametrize("name, path, value", BREAKS)
def test_schema_refuses_a_broken_manifest(name, path, value, read, errors, changed):
    assert errors(changed(read(name), path, value), SCHEMAS[name])


def test_compose_as_it_is_run_fits_the_schema(compose, batching, errors):
    assert errors(compose, "compose-spec.json") == []
    assert errors(batching, "compose-spec.json") == []


def test_the_image_is_the_one_that_infra_validator_starts(serving):
    image = re.compile(r"(?:tensorflow/serving:|newTag: |runtimeVersion: )([\w.]+)")
    tags = [tag for path in serving.rglob("*.yaml") for tag in image.findall(path.read_text())]
    assert len(tags) == 5  # compose and Kubernetes, each with a GPU and without; KServe
    assert set(tags) == {SERVING_TAG}


def mounts(service):
    """What a service mounts from here, as (source, target); named volumes are left out."""
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, target = volume.split(":")[:2]
            volume = {"source": source, "target": target}
        if "/" in volume["source"]:
            yield volume["source"], volume["target"]


def test_what_compose_mounts_exists(compose, serving):
    found = {
        (source, target)
        for service in compose["services"].values()
        for source, target in mounts(service)
    }
    models = ("../../runs/bikenyc/serving", "/models")
    assert models in found
    assert (serving / models[0]).resolve() == ROOT / "runs" / "bikenyc" / "serving"
    assert [s for s, _ in found - {models} if not list((serving / s).iterdir())] == []


def inside(service, serving):
    """The files of deploy/serving that a service can open, by their path in the container."""
    return {
        f"{target}/{path.relative_to(serving / source).as_posix()}"
        for source, target in mounts(service)
        for path in (serving / source).rglob("*")
    }


def test_files_that_services_read_are_mounted(compose, batching, read, serving):
    services = batching["services"]
    for name in ("serving-cpu", "serving-gpu"):
        files = re.findall(r"=(/config/\S+)", " ".join(services[name]["command"]))
        assert len(files) == 3
        assert set(files) <= inside(services[name], serving)
    prometheus, grafana = (services[name] for name in ("prometheus", "grafana"))
    rules = read("prometheus/prometheus.yml")["rule_files"]
    config = prometheus["command"][0].removeprefix("--config.file=")
    assert {config, *rules} <= inside(prometheus, serving)
    folder = read("grafana/provisioning/dashboards/crowdflow.yml")["providers"][0]["options"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder['path']}/serving.json"
    assert home in inside(grafana, serving)


@pytest.mark.parametrize("folder", ["config", "kubernetes", "kubernetes-gpu"])
def test_what_a_kustomization_names_exists(folder, read, serving):
    kustomization = read(f"{folder}/kustomization.yaml")
    names = list(kustomization.get("resources", []))
    names += [patch["path"] for patch in kustomization.get("patches", [])]
    for generator in kustomization.get("configMapGenerator", []):
        names += generator["files"]
    assert names
    assert [name for name in names if not (serving / folder / name).exists()] == []


def flags(arguments):
    return [argument.removeprefix("--").split("=")[0] for argument in arguments]


def test_flags_are_the_servers(compose, batching, kubernetes, listed):
    known = listed("tf_serving_flags.txt")
    container = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    plain = compose["services"]["serving-cpu"]["command"]
    assert plain == compose["services"]["serving-gpu"]["command"] == container["args"]
    for name in ("serving-cpu", "serving-gpu"):
        batched = batching["services"][name]["command"]
        assert batched[: len(plain)] == plain
        assert flags(batched[len(plain) :]) == ["enable_batching", "batching_parameters_file"]
        assert [flag for flag in flags(batched) if flag not in known] == []
    assert "rest_port" not in known


def test_batching_is_not_the_default(compose, kubernetes):
    for text in (str(compose["services"]), str(kubernetes)):
        assert "batching" not in text


def test_images_are_pinned_and_the_same_everywhere(
    compose, read, kubernetes, gpu_deployment, serving
):
    services = compose["services"]
    images = {name: service["image"] for name, service in services.items()}
    servers = [images["serving-cpu"], images["serving-gpu"]]
    pods = [d["spec"]["template"]["spec"] for d in (kubernetes["Deployment"], gpu_deployment)]
    assert [pod["containers"][0]["image"] for pod in pods] == servers
    cpu, gpu = (re.sub(r"@sha256:[0-9a-f]{64}$", "", image) for image in servers)
    version = cpu.removeprefix("tensorflow/serving:")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert gpu == f"{cpu}-gpu"
    assert read("kserve.yaml")["spec"]["predictor"]["model"]["runtimeVersion"] == version
    for name in ("prometheus", "grafana"):
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", images[name])
    written = {
        text for p in serving.rglob("*.*") for text in re.findall(r"2\.\d+\.\d+", p.read_text())
    }
    assert written == {version}
    locks = [(ROOT / f"requirements/{s}.txt").read_text(encoding="utf-8") for s in (OLDER, TODAY)]
    older, today = (re.search(r"^tensorflow==2\.(\d+)", lock, re.MULTILINE)[1] for lock in locks)
    # No image of today's TensorFlow is known; test_java_loader.py has an older loader read its models.
    assert int(older) <= int(version.split(".")[1]) <= int(today)


def test_services_are_contained(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["user"].split(":")[0] not in ("", "0", "root"), name
        assert "healthcheck" in service, name
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:"), name
        for volume in service["volumes"]:
            named = isinstance(volume, str) and "/" not in volume.split(":")[0]
            assert named or str(volume).endswith(":ro") or volume["read_only"] is True, name


@pytest.mark.parametrize("status, healthy", [(200, True), (404, False)])
def test_health_check_tells_a_loaded_model(status, healthy, compose):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'"serving_default"' if status == 200 else b"Servable not found")

        def log_message(self, *_):
            """Keeps the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cmd, *command = compose["services"]["serving-cpu"]["healthcheck"]["test"]
    command[-1] = command[-1].replace("/8501", f"/{server.server_port}")
    done = subprocess.run(command, timeout=20)
    server.shutdown()
    assert cmd == "CMD"
    assert asked == ["/v1/models/crowdflow/metadata"]
    assert (done.returncode == 0) is healthy
