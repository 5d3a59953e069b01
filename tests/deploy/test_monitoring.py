"""Prometheus and Grafana: only metrics and labels that the server exports, panels that fit the page."""

import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from crowdflow.evaluation.score import SOURCES
from crowdflow.pipeline.local.scoring import live_prometheus, prometheus

DATA = Path(__file__).parent / "data"
OURS = {"up": {"job", "instance"}}  # what Prometheus itself adds
ERRORS = {"rmse_active_cells": 4.0, "mae_active_cells": 3.0, "bias_active_cells": 0.5}
FUNCTIONS = {"sum", "rate", "vector", "clamp_min", "histogram_quantile"}
WORDS = {"or", "offset"}


@pytest.fixture(scope="module")
def known(listed):
    """The labels of every series that the server exports, by its name in Prometheus."""
    series = dict(OURS)
    for line in listed("tf_serving_metrics.txt"):
        name, kind, *labels = line.split()
        assert kind in ("counter", "gauge", "histogram")
        labels = {*labels, "job", "instance"}
        if kind == "histogram":
            series[f"{name}_bucket"] = labels | {"le"}
            series |= {f"{name}_sum": labels, f"{name}_count": labels}
        else:
            series[name] = labels
    return series | {name.partition("{")[0]: {"source"} for name in live_gauges()}


def live_gauges():
    """The gauges that a run writes, with their values, of a model whose test promised an RMSE of 3.8."""
    verdict = {
        "metrics": dict.fromkeys(SOURCES, ERRORS),
        "scored": 24,
        "left_out": 1,
        "last": "2024-05-06",
        "promise": {"rmse_active_cells": 3.8},
        "allowed": 4.75,
    }
    text = live_prometheus({"verdict": verdict}, 60)
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def selectors(expression):
    """The series of an expression with the labels that it matches, and the labels that it groups by.

    Raises:
      ValueError: there is a word that is neither a series nor one of the known functions and words.
    """
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", expression))))
    rest = re.sub(r"\bby \([^)]*\)", " ", re.sub(r"\[[^\]]*\]", "", expression))
    rest = re.sub(r"\b\d[\w.]*(-\d+)?", " ", rest)  # numbers and durations
    found = []
    for name, opened, matchers in re.findall(r"([A-Za-z_:][\w:]*)\s*(\(?)(\{[^}]*\})?", rest):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)))
        if opened and name in FUNCTIONS or name in WORDS:
            continue
        if opened:
            raise ValueError(f"not a known function: {name}")
        found.append((name, labels))
    return found, grouped


def unknown(expression, known):
    """What an expression names and the server does not export."""
    found, grouped = selectors(expression)
    wrong = [name for name, _ in found if name not in known]
    for name, labels in found:
        wrong += sorted((labels | grouped) - known.get(name, labels | grouped))
    return wrong


@pytest.fixture(scope="module")
def rules(read):
    (group,) = read("prometheus/alerts.yml")["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@pytest.fixture(scope="module")
def live_rules(read):
    (group,) = read("prometheus/live.yml")["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@pytest.fixture(scope="module")
def panels(read):
    return read("grafana/dashboards/serving.json")["panels"]


def test_alerts_use_what_the_server_exports(rules, known):
    for name, rule in rules.items():
        assert unknown(rule["expr"], known) == [], name
        assert selectors(rule["expr"])[0], name


def test_panels_use_what_the_server_exports_and_a_run_writes(panels, known):
    for panel in panels:
        for target in panel["targets"]:
            assert unknown(target["expr"], known) == [], panel["title"]
            assert selectors(target["expr"])[0], panel["title"]


def test_alerts_on_live_figures_use_what_a_run_writes(live_rules):
    gauges = live_gauges()
    assert gauges['crowdflow_forecast_rmse{source="model"}'] == "4"
    assert gauges["crowdflow_forecast_promised_rmse"] == "3.8"
    assert gauges["crowdflow_forecast_allowed_rmse"] == "4.75"
    assert int(gauges["crowdflow_forecast_last_interval_minutes"]) % 1440 == 23 * 60
    names = {gauge.partition("{")[0] for gauge in gauges}
    used = set(re.findall(r"crowdflow_\w+", " ".join(r["expr"] for r in live_rules.values())))
    assert len(used) == 3 and used <= names
    assert live_prometheus({"verdict": None}, 60) is None
    score = {"scored": 24, "left_out": {}, "last": "2024-05-06 23:00"}
    text = prometheus({**score, "metrics": dict.fromkeys(SOURCES, ERRORS)})
    assert names > {name.partition("{")[0] for name in re.findall(r"^crowd\S+", text, re.MULTILINE)}


@pytest.mark.parametrize(
    "expression, wrong",
    [
        ("rate(:tensorflow:serving:requests[5m])", [":tensorflow:serving:requests"]),
        ("sum(:tensorflow:serving:request_latency)", [":tensorflow:serving:request_latency"]),
        (':tensorflow:serving:request_count{model="a"}', ["model"]),
        ("sum by (le) (:tensorflow:serving:request_count)", ["le"]),
        ("process_cpu_seconds_total", ["process_cpu_seconds_total"]),
        (':tensorflow:serving:request_count{status="x{job=1}"}', []),
        ("up offset 1h > 1e-6", []),
    ],
)
def test_unknown_metrics_and_labels_are_found(expression, wrong, known):
    assert unknown(expression, known) == wrong


def test_an_unknown_function_is_refused():
    with pytest.raises(ValueError, match="increase"):
        selectors("increase(up[1h])")


def test_braces_and_brackets_are_closed(rules, panels):
    expressions = [rule["expr"] for rule in rules.values()]
    expressions += [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in expressions:
        for pair in ("()", "{}", "[]"):
            assert expression.count(pair[0]) == expression.count(pair[1]), expression


def test_alerts_look_at_the_job_that_is_scraped(rules, panels, read):
    (job,) = read("prometheus/prometheus.yml")["scrape_configs"]
    expressions = [rule["expr"] for rule in rules.values()]
    expressions += [target["expr"] for panel in panels for target in panel["targets"]]
    jobs = {found for text in expressions for found in re.findall(r'job="([^"]*)"', text)}
    assert jobs == {job["job_name"]}


def test_prometheus_scrapes_the_servers_rest_port(read, compose):
    (job,) = read("prometheus/prometheus.yml")["scrape_configs"]
    ((target,),) = [static["targets"] for static in job["static_configs"]]
    host, port = target.split(":")
    for name in ("serving-cpu", "serving-gpu"):
        service = compose["services"][name]
        assert host in service["networks"]["default"]["aliases"]
        assert f"--rest_api_port={port}" in service["command"]


def test_grafana_asks_prometheus(read, panels, compose):
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose["services"]
    wanted = {"type": source["type"], "uid": source["uid"]}
    for panel in panels:
        assert panel["datasource"] == wanted
        assert [t for t in panel["targets"] if t["datasource"] != wanted] == []


def test_panels_have_ids_of_their_own_and_do_not_overlap(panels):
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert max(place["x"] + place["w"] for place in places) <= 24
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below


def test_docs_say_what_to_do_on_every_alert(rules, live_rules):
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(CrowdFlow\w+)` \|", text, re.MULTILINE))
    assert documented == rules.keys() | live_rules.keys()


@pytest.fixture
def promtool() -> str:
    """Prometheus' tool, from PATH or Debian's package."""
    script = Path(__file__).resolve().parents[2] / "scripts" / "promtool.sh"
    done = subprocess.run([script], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no promtool, and none to be had: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def test_an_alert_that_does_not_fire_is_noticed(serving, tmp_path, promtool):
    shutil.copy(serving / "prometheus" / "alerts.yml", tmp_path)
    text = (DATA / "alerts.test.yaml").read_text()
    (tmp_path / "alerts.test.yaml").write_text(text.replace('values: "0x120"', 'values: "1x120"'))
    command = [promtool, "test", "rules", "alerts.test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode and "alertname: CrowdFlowServingDown" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["alerts", "live"])
def test_alerts_fire_when_they_should(serving, tmp_path, promtool, name):
    for path in (serving / "prometheus" / f"{name}.yml", DATA / f"{name}.test.yaml"):
        shutil.copy(path, tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", f"{name}.test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
