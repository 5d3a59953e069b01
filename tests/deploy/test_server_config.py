"""The model server's own files: text protos of the messages that it reads them as."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers

MOST_WINDOWS = 1024  # what the model's signatures take at most in one call
FIELD = descriptor_pb2.FieldDescriptorProto

# Messages that tensorflow-serving-api does not ship, field by field as in the protos of tensorflow/serving
# (config/monitoring_config.proto, servables/tensorflow/session_bundle_config.proto): number, type, repeated.
WRITTEN = {
    "PrometheusConfig": {
        "enable": (1, FIELD.TYPE_BOOL, False),
        "path": (2, FIELD.TYPE_STRING, False),
    },
    "MonitoringConfig": {"prometheus_config": (1, ".written.PrometheusConfig", False)},
    "BatchingParameters": {
        "max_batch_size": (1, ".google.protobuf.Int64Value", False),
        "batch_timeout_micros": (2, ".google.protobuf.Int64Value", False),
        "max_enqueued_batches": (3, ".google.protobuf.Int64Value", False),
        "num_batch_threads": (4, ".google.protobuf.Int64Value", False),
        "thread_pool_name": (5, ".google.protobuf.StringValue", False),
        "allowed_batch_sizes": (6, FIELD.TYPE_INT64, True),
        "pad_variable_length_inputs": (7, FIELD.TYPE_BOOL, False),
    },
}


@pytest.fixture(scope="module")
def messages():
    """The classes by name: ModelServerConfig, MonitoringConfig, BatchingParameters."""
    from tensorflow_serving.config import model_server_config_pb2

    file = descriptor_pb2.FileDescriptorProto(name="written.proto", package="written")
    file.syntax = "proto3"
    file.dependency.append(wrappers.DESCRIPTOR.name)
    for name, fields in WRITTEN.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = FIELD.TYPE_MESSAGE, kind
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    # protobuf 4 has the function, protobuf 3 the factory.
    class_of = getattr(message_factory, "GetMessageClass", None)
    class_of = class_of or message_factory.MessageFactory(pool).GetPrototype
    made = {n: class_of(pool.FindMessageTypeByName(f"written.{n}")) for n in WRITTEN}
    return made | {"ModelServerConfig": model_server_config_pb2.ModelServerConfig}


FILES = {
    "models.config": "ModelServerConfig",
    "models.canary.config": "ModelServerConfig",
    "monitoring.config": "MonitoringConfig",
    "batching.config": "BatchingParameters",
}


@pytest.fixture
def parsed(messages, serving):
    """Parses one of the files."""

    def parse(name, replace=("", "")):
        text = (serving / "config" / name).read_text(encoding="utf-8")
        assert replace[0] in text
        return text_format.Parse(text.replace(*replace), messages[FILES[name]]())

    return parse


def test_every_file_is_checked(serving):
    assert {path.name for path in (serving / "config").glob("*.config")} == FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_file_parses(name, parsed):
    assert parsed(name).ByteSize() > 0


@pytest.mark.parametrize(
    "name, right, wrong",
    [
        ("models.config", "base_path", "model_base_path"),
        ("models.config", "num_versions: 2", 'num_versions: "2"'),
        ("models.canary.config", 'key: "stable"', 'label: "stable"'),
        ("monitoring.config", "enable: true", "enabled: true"),
        ("batching.config", "max_batch_size { value: 64 }", "max_batch_size: 64"),
        ("batching.config", "max_enqueued_batches", "max_queued_batches"),
    ],
)
def test_a_broken_file_is_refused(name, right, wrong, parsed):
    with pytest.raises(text_format.ParseError):
        parsed(name, (right, wrong))


@pytest.mark.parametrize("name", ["models.config", "models.canary.config"])
def test_model_is_the_pipelines(name, parsed):
    (model,) = parsed(name).model_config_list.config
    assert model.name == "crowdflow"
    assert model.base_path == "/models/crowdflow"
    assert model.model_platform == "tensorflow"


def test_newest_two_versions_are_served(parsed):
    (model,) = parsed("models.config").model_config_list.config
    assert model.model_version_policy.latest.num_versions == 2
    assert dict(model.version_labels) == {}


def test_example_of_a_pin_in_the_comment_parses(messages, serving):
    text = (serving / "config" / "models.config").read_text(encoding="utf-8")
    (line,) = [line[1:] for line in text.splitlines() if "specific" in line]
    text = f'model_config_list {{ config {{ name: "crowdflow" {line} }} }}'
    (model,) = text_format.Parse(text, messages["ModelServerConfig"]()).model_config_list.config
    assert len(model.model_version_policy.specific.versions) == 1


def test_canary_labels_are_of_versions_that_are_served(parsed):
    (model,) = parsed("models.canary.config").model_config_list.config
    labels = dict(model.version_labels)
    assert labels.keys() == {"stable", "canary"}
    assert labels["stable"] < labels["canary"]
    assert set(labels.values()) == set(model.model_version_policy.specific.versions)


def test_allowed_batch_sizes_fit(parsed):
    batching = parsed("batching.config")
    sizes = list(batching.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 1
    assert sizes[-1] == batching.max_batch_size.value < MOST_WINDOWS
    assert batching.num_batch_threads.value >= 1
    assert batching.max_enqueued_batches.value >= 1
    assert not batching.pad_variable_length_inputs  # every window of a model has the same shape


def test_metrics_are_where_prometheus_looks(parsed, read, kubernetes):
    config = parsed("monitoring.config").prometheus_config
    assert config.enable
    (job,) = read("prometheus/prometheus.yml")["scrape_configs"]
    annotations = kubernetes["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert config.path == job["metrics_path"] == annotations["prometheus.io/path"]
    assert annotations["prometheus.io/port"] == "8501"
