"""Hands a compiled pipeline to a Kubeflow Pipelines endpoint: upload, then a run now or a schedule."""

import contextlib
import dataclasses
import datetime as dt
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

import yaml

from crowdflow.config.checks import require
from crowdflow.schema.errors import ConfigError, SubmitError

_FIVE_FIELDS, _SIX_FIELDS = 5, 6
_KINDS: Mapping[str, Callable[[str], Any]] = {"STRING": str, "NUMBER_DOUBLE": float}


@dataclasses.dataclass(frozen=True)
class Submission:
    """What is asked for.

    Attributes:
      file: a compiled YAML.
      endpoint: address of Kubeflow Pipelines' API.
      experiment: groups the runs.
      version: name of this version of the pipeline; null is the time and the image.
      parameters: `NAME -> text`, as the spec declares them; what is missing takes its default.
      pipeline_root: where artifacts go, in an object store; null is the cluster's.
      cron: times of a recurring run, UTC unless the cluster says otherwise; null runs once, now.
      namespace: of the user, where Kubeflow has more than one.
      token: for `Authorization: Bearer`.
    """

    file: Path
    endpoint: str
    experiment: str = "crowdflow"
    version: Optional[str] = None
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pipeline_root: Optional[str] = None
    cron: Optional[str] = None
    namespace: Optional[str] = None
    token: Optional[str] = None


def submit(wanted: Submission, say: Callable[[str], None]) -> None:
    """Uploads a version of the pipeline and runs it, or schedules it in the place of an earlier schedule.

    Args:
      wanted: what is asked for.
      say: called with a line for each thing done.

    Raises:
      ConfigError: the file, a parameter, the root or the times cannot be used; nothing was sent.
      SubmitError: the endpoint does not answer or refuses.
    """
    spec = read_spec(wanted.file)
    name = spec["pipelineInfo"]["name"]
    parameters = typed(wanted.parameters, spec)
    cron = cron_of_six(wanted.cron) if wanted.cron else None
    root = wanted.pipeline_root
    ok = root is None or root.split("://")[0] in ("gs", "s3", "minio")
    require(ok, "--pipeline-root", "an address gs://, s3:// or minio://", root)
    now = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d %H:%M:%S}"
    version = wanted.version or f"{now} {_image(spec)}"
    with _clear_errors(wanted.endpoint):
        client = _client(wanted)
        pipeline_id, version_id = _upload(client, wanted, name, version, say)
        experiment = client.create_experiment(wanted.experiment, namespace=wanted.namespace)
        common = {
            "experiment_id": experiment.experiment_id,
            "pipeline_id": pipeline_id,
            "version_id": version_id,
            "params": parameters,
            "pipeline_root": root,
        }
        if cron is None:
            run = client.run_pipeline(job_name=f"{name} {now}", **common)
            say(f"run {run.run_id}: {wanted.endpoint}/#/runs/details/{run.run_id}")
        else:
            _schedule(client, name, cron, common, say)


def _upload(
    client: Any, wanted: Submission, name: str, version: str, say: Callable[[str], None]
) -> tuple[str, str]:
    """The identifiers of the pipeline and of the version that the file became."""
    path = str(wanted.file)
    pipeline_id = client.get_pipeline_id(name)
    if pipeline_id:
        made = client.upload_pipeline_version(path, version, pipeline_id=pipeline_id)
        version_id = made.pipeline_version_id
    else:
        made = client.upload_pipeline(path, pipeline_name=name, namespace=wanted.namespace)
        pipeline_id = made.pipeline_id
        listed = client.list_pipeline_versions(pipeline_id, sort_by="created_at desc", page_size=1)
        version_id = listed.pipeline_versions[0].pipeline_version_id
        version = "its first version"
    say(f"uploaded {path} to pipeline {name} ({pipeline_id}): {version} ({version_id})")
    return pipeline_id, version_id


def _schedule(
    client: Any, name: str, cron: str, common: Mapping[str, Any], say: Callable[[str], None]
) -> None:
    """A recurring run; those of the same name before it are disabled, so that no day runs twice."""
    same = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    listed = client.list_recurring_runs(
        experiment_id=common["experiment_id"],
        page_size=100,
        filter=json.dumps({"predicates": [same]}),
    )
    made = client.create_recurring_run(
        job_name=name, cron_expression=cron, max_concurrency=1, no_catchup=True, **common
    )
    say(
        f"recurring run {made.recurring_run_id}, at '{cron}' (second minute hour day month weekday)"
    )
    for earlier in listed.recurring_runs or ():
        if earlier.status == "ENABLED":
            client.disable_recurring_run(earlier.recurring_run_id)
            say(f"disabled the earlier recurring run {earlier.recurring_run_id}")


def read_spec(path: Path) -> dict[str, Any]:
    """The PipelineSpec of a compiled YAML.

    Raises:
      ConfigError: it is none.
    """
    try:
        spec = next(yaml.safe_load_all(path.read_text(encoding="utf-8")), None)
    except (OSError, ValueError, yaml.YAMLError) as error:
        spec, reason = None, f" {error}"
    else:
        reason = ""
    ok = isinstance(spec, dict) and "pipelineInfo" in spec and "root" in spec
    if not (ok and path.suffix in (".yaml", ".yml")):
        raise ConfigError(f"{path}: expected a YAML file that crowdflow compile wrote.{reason}")
    return spec


def typed(given: Mapping[str, str], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Texts as values of the spec's parameters.

    Raises:
      ConfigError: there is no such parameter, or the text is no such value.
    """
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {}
    for name, text in given.items():
        require(name in declared, "--parameter", f"one of {', '.join(declared)}", name)
        kind = declared[name]["parameterType"]
        try:
            values[name] = _KINDS[kind](text)
        except ValueError:
            require(False, f"--parameter {name}", "a number", text)
    return values


def cron_of_six(text: str) -> str:
    """Kubeflow's cron expression, seconds first; the usual five fields begin at second 0.

    Raises:
      ConfigError: it has another number of fields.
    """
    fields = text.split()
    if len(fields) == _FIVE_FIELDS:
        return f"0 {' '.join(fields)}"
    expected = "five fields, such as '0 5 * * *', or six with the seconds first"
    require(len(fields) == _SIX_FIELDS, "--cron", expected, text)
    return " ".join(fields)


def _image(spec: Mapping[str, Any]) -> str:
    executors = spec["deploymentSpec"]["executors"].values()
    images = {e["container"]["image"] for e in executors if "container" in e}
    return ", ".join(sorted(image.rpartition("/")[2] for image in images))


def _client(wanted: Submission) -> Any:
    import kfp.client

    more = {"namespace": wanted.namespace} if wanted.namespace else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # kfp's own, about servers before 2.0
        return kfp.client.Client(host=wanted.endpoint, existing_token=wanted.token, **more)


@contextlib.contextmanager
def _clear_errors(endpoint: str):
    """Keeps the client's own prints and logs away, and turns what it raises into one line."""
    import urllib3
    from kfp_server_api.exceptions import ApiException

    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ApiException as error:
        said = str(error.body or error.reason).strip()
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            said = json.loads(said).get("message") or said
        raise SubmitError(
            f"{endpoint}: expected Kubeflow Pipelines to accept it. HTTP {error.status}: {said}"
        ) from None
    except (urllib3.exceptions.HTTPError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise SubmitError(
            f"{endpoint}: expected the API of Kubeflow Pipelines, with a scheme and port such as "
            f"http://localhost:8888. {reason}"
        ) from None
    finally:
        logging.disable(logging.NOTSET)
