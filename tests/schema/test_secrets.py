"""What is hidden in a text, and what stays readable."""

import logging
import pickle

import pytest

from crowdflow.schema import errors
from crowdflow.schema.secrets import Formatter, has_user, names_only, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pass@host:9/x", "http://***@host:9/x"),
        ("Failed to parse: http://user:pa/ss@host:9", "Failed to parse: http://***@host:9"),
        ("'s3://AKIA:a/b+c@bucket/key'", "'s3://***@bucket/key'"),
        ("http://token@host", "http://***@host"),
        ("http://u:p@ss@host and http://v:q@there", "http://***@host and http://***@there"),
        ("/data/https:/user:pass@host/x.csv", "/data/https:/***@host/x.csv"),
        ("see https://host/a?X-Amz-Signature=1&b=2 now", "see https://host/a?*** now"),
        ('value: "--s3_secret_access_key=abc"', 'value: "--s3_secret_access_key=***"'),
        ("--azure_connection_string=Key=a;b", "--azure_connection_string=***"),
        ("AWS_SESSION_TOKEN=abc, x=1", "AWS_SESSION_TOKEN=*** x=1"),
        ("db_Password='abc def'", "db_Password='abc def'"),
    ],
)
def test_what_is_hidden(text, shown):
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8501/v1/models/crowdflow:predict: 503",
        "s3://bucket/a:b@c.csv",
        "s3://bucket/flows-?.csv?x=1",
        "registry:5000/crowdflow@sha256:0123",
        "s3://bucket/key: write to me@city.example",
        "gs://bucket/year=2024/flows.parquet",
        "rmse_active_cells=4.5, range.weeks=26",
    ],
)
def test_what_stays(text):
    assert without_secrets(text) == text
    assert not has_user(text)


def test_known_secrets_are_hidden_wherever_they_are():
    assert without_secrets("who is abc?", "abc", None, "") == "who is ***?"


def test_a_name_without_its_value():
    assert names_only("NAME=a=b") == "NAME=***"
    assert names_only("abc") == "***"


@pytest.mark.parametrize(
    "kind", [errors.DataNotFoundError, errors.StoreError, errors.ServingError, errors.ConfigError]
)
def test_no_error_of_ours_has_a_password(kind):
    error = kind("http://user:pass@host/x: no answer. HTTPConnectionPool(...)")
    for text in (str(error), repr(error), repr(pickle.loads(pickle.dumps(error)))):
        assert "pass" not in text and "http://***@host/x: no answer" in text


def test_a_log_with_a_traceback_has_no_password(caplog):
    try:
        raise ValueError("http://user:pass@host")
    except ValueError as error:
        record = logging.LogRecord(
            "n", 20, "f", 1, "to %s", ("http://me:word@host",), (ValueError, error, None)
        )
    text = Formatter("%(name)s %(message)s").format(record)
    assert text == "n to http://***@host\nValueError: http://***@host"
