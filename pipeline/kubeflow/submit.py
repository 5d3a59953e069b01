"""Submits a compiled pipeline to a Kubeflow Pipelines endpoint: uploads it, then runs or schedules it."""

import contextlib
import dataclasses
import datetime as dt
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import yaml

from crowdflow.config.checks import require, require_no_user
from crowdflow.config.reading import problem
from crowdflow.pipeline.kubeflow.backfill import page_of, run_day
from crowdflow.pipeline.kubeflow.parameters import LAST_DATE, SCHEDULED_DAY
from crowdflow.schema.errors import ConfigError, SubmitError
from crowdflow.schema.secrets import without_secrets
from crowdflow.serving.credentials import Access, parse, roots

_FIVE_FIELDS, _SIX_FIELDS = 5, 6
_KINDS: Mapping[str, Callable[[str], Any]] = {"STRING": str, "NUMBER_DOUBLE": float}


@dataclasses.dataclass(frozen=True)
class Submission:
    """What to submit, and where.

    Attributes:
      file: a compiled YAML file.
      endpoint: address of Kubeflow Pipelines' API, `http://host:port` or `https://host`.
      experiment: groups the runs.
      version: name of this version of the pipeline; None for the time and the image.
      parameters: `NAME -> text`, for parameters that the spec declares; the others keep their defaults.
      pipeline_root: where artifacts are stored, in an object store; None for the cluster's default.
      cron: schedule of a recurring run, in UTC unless the cluster is set otherwise; None runs once, now.
      scheduled_day: each scheduled run uses the data up to the day before the one that it is scheduled for.
      catch_up: the schedule also runs the times that it missed.
      days: of the data's end, YYYY-MM-DD, oldest first; one run for each, one after the other. Empty runs once.
      namespace: the user's, if Kubeflow runs in multi-user mode.
      access: token for the endpoint, and what its certificate must be signed by.
    """

    file: Path
    endpoint: str
    experiment: str = "crowdflow"
    version: Optional[str] = None
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pipeline_root: Optional[str] = None
    cron: Optional[str] = None
    scheduled_day: bool = False
    catch_up: bool = False
    days: Sequence[str] = ()
    namespace: Optional[str] = None
    access: Access = Access()


def submit(submission: Submission, report: Callable[[str], None]) -> None:
    """Uploads a version of the pipeline and runs it, or schedules it and disables earlier schedules.

    Args:
      submission: what to submit, and where.
      report: called with one line for each completed action.

    Raises:
      ConfigError: the file, the endpoint, a parameter, the root or the schedule is invalid, or the token would be
        sent in clear; nothing was sent.
      SubmitError: the endpoint does not respond or refuses.
    """
    spec = read_spec(submission.file)
    name = spec["pipelineInfo"]["name"]
    parameters = typed(submission.parameters, spec)
    cron = cron_of_six(submission.cron) if submission.cron else None
    root = submission.pipeline_root
    ok = root is None or root.split("://")[0] in ("gs", "s3", "minio")
    require(ok, "--pipeline-root", "an address gs://, s3:// or minio://", root)
    require_no_user("--pipeline-root", root)
    _check_endpoint(submission)
    if submission.scheduled_day:
        parameters |= typed({LAST_DATE: SCHEDULED_DAY}, spec)
    now = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d %H:%M:%S}"
    version = submission.version or f"{now} {_image(spec)}"
    with _clear_errors(submission.endpoint, submission.access.current_token()):
        client = _client(submission)
        pipeline_id, version_id = _upload(client, submission, name, version, report)
        experiment = client.create_experiment(submission.experiment, namespace=submission.namespace)
        common = {
            "experiment_id": experiment.experiment_id,
            "pipeline_id": pipeline_id,
            "version_id": version_id,
            "params": parameters,
            "pipeline_root": root,
        }
        if cron is not None:
            _schedule(client, name, cron, submission.catch_up, common, report)
        elif submission.days:
            for day in submission.days:
                run_day(client, f"{name} as of {day}", day, common, submission.endpoint, report)
        else:
            run = client.run_pipeline(job_name=f"{name} {now}", **common)
            report(f"run {run.run_id}: {page_of(submission.endpoint, run.run_id)}")


def _check_endpoint(submission: Submission) -> None:
    address = parse(submission.endpoint, ("http", "https"))
    expected = "a URL without user and password; give a token (--token-file)"
    require(not address.login, "--endpoint", expected, submission.endpoint)
    submission.access.check(address)


def _upload(
    client: Any, submission: Submission, name: str, version: str, report: Callable[[str], None]
) -> tuple[str, str]:
    """Uploads the file; returns the identifiers of the pipeline and of its new version."""
    path = str(submission.file)
    pipeline_id = client.get_pipeline_id(name)
    if pipeline_id:
        made = client.upload_pipeline_version(path, version, pipeline_id=pipeline_id)
        version_id = made.pipeline_version_id
    else:
        made = client.upload_pipeline(path, pipeline_name=name, namespace=submission.namespace)
        pipeline_id = made.pipeline_id
        listed = client.list_pipeline_versions(pipeline_id, sort_by="created_at desc", page_size=1)
        version_id = listed.pipeline_versions[0].pipeline_version_id
        version = "its first version"
    report(f"uploaded {path} to pipeline {name} ({pipeline_id}): {version} ({version_id})")
    return pipeline_id, version_id


def _schedule(
    client: Any,
    name: str,
    cron: str,
    catch_up: bool,
    common: Mapping[str, Any],
    report: Callable[[str], None],
) -> None:
    """Disables the recurring runs of the same name, then creates a new one, so that no day runs twice."""
    same = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    listed = client.list_recurring_runs(
        experiment_id=common["experiment_id"],
        page_size=100,
        filter=json.dumps({"predicates": [same]}),
    )
    earlier = [r.recurring_run_id for r in listed.recurring_runs or () if r.status == "ENABLED"]
    disabled = []
    try:
        for run_id in earlier:
            client.disable_recurring_run(run_id)
            disabled.append(run_id)
            report(f"disabled the earlier recurring run {run_id}")
        made = client.create_recurring_run(
            job_name=name,
            cron_expression=cron,
            max_concurrency=1,
            no_catchup=not catch_up,
            **common,
        )
    except Exception:
        for run_id in disabled:  # keep the earlier schedule running
            client.enable_recurring_run(run_id)
            report(f"enabled the earlier recurring run {run_id} again")
        raise
    report(
        f"recurring run {made.recurring_run_id}, at '{cron}' (second minute hour day month weekday)"
    )


def read_spec(path: Path) -> dict[str, Any]:
    """The PipelineSpec of a compiled YAML file.

    Raises:
      ConfigError: the file cannot be read or has no PipelineSpec.
    """
    try:
        spec = next(yaml.safe_load_all(path.read_text(encoding="utf-8")), None)
    except (OSError, ValueError, yaml.YAMLError) as error:
        spec, reason = None, f" {problem(error)}"
    else:
        reason = ""
    ok = isinstance(spec, dict) and "pipelineInfo" in spec and "root" in spec
    if not (ok and path.suffix in (".yaml", ".yml")):
        raise ConfigError(f"{path}: expected a YAML file that crowdflow compile wrote.{reason}")
    return spec


def typed(given: Mapping[str, str], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Converts texts to the types of the spec's parameters.

    Raises:
      ConfigError: the spec has no such parameter, or the text is not of its type.
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
    """Kubeflow's cron expression, with seconds first; five fields get second 0.

    Raises:
      ConfigError: the text has neither five nor six fields.
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


def _client(submission: Submission) -> Any:
    import kfp.client

    more = {"namespace": submission.namespace} if submission.namespace else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # kfp's, about servers before 2.0
        return kfp.client.Client(
            host=submission.endpoint,
            existing_token=submission.access.current_token(),
            ssl_ca_cert=roots(submission.access.ca_file),
            **more,
        )


@contextlib.contextmanager
def _clear_errors(endpoint: str, token: Optional[str]):
    """Hides the client's prints and logs, and turns its errors into one-line SubmitErrors."""
    import urllib3
    from kfp_server_api.exceptions import ApiException

    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ApiException as error:
        message = str(error.body or error.reason).strip()
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            message = json.loads(message).get("message") or message
        raise SubmitError(
            f"{endpoint}: expected Kubeflow Pipelines to accept the request. HTTP {error.status}: "
            f"{without_secrets(message, token)}"
        ) from None
    except (urllib3.exceptions.HTTPError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise SubmitError(
            f"{endpoint}: expected the API of Kubeflow Pipelines, with a scheme and port such as "
            f"http://localhost:8888. {reason}"
        ) from None
    finally:
        logging.disable(logging.NOTSET)
