"""`kubeflow.pods`: what Kubernetes would refuse hours later is refused at once, with its place."""

import pytest
from worlds.every_pod_field import EVERY_FIELD

from crowdflow.config import presets
from crowdflow.config.pods import check_folders, of_node, read
from crowdflow.schema.errors import ConfigError


def test_a_step_has_its_own_fields_with_those_of_all():
    found = read(EVERY_FIELD)
    trainer = of_node(found, "Trainer")
    assert trainer["nodeSelector"] == {"labels": {"pool": "batch", "gpu": "h100"}}
    assert [one.get("key") for one in trainer["tolerations"]] == ["batch", None]
    assert trainer["activeDeadlineSeconds"] == 7200
    assert trainer["securityContext"]["runAsUser"] == 10001
    assert of_node(found, "Pusher") == found["all"]
    assert of_node(read(["Pusher.imagePullPolicy=Never"]), "Trainer") == {}
    again = read(["all.imagePullPolicy=Always", "Pusher.imagePullPolicy=Never"])
    assert of_node(again, "Pusher") == {"imagePullPolicy": "Never"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Trainer.nodeSelector", "NODE.FIELD=VALUE, such as .*Received: 'Trainer.nodeSelector'"),
        ("trainer.imagePullPolicy=Never", "expected NODE.FIELD=VALUE"),
        ("all.nodeSelectors={}", "a field of nodeSelector, .*Received: 'nodeSelectors'"),
        (
            "all.nodeSelector={labels: {a: 1}}",
            "all.nodeSelector.labels: expected a mapping of texts",
        ),
        ("all.nodeSelector={}", "all.nodeSelector: expected a mapping of labels"),
        ("all.nodeSelector={label: {a: b}}", "expected parts labels. Received: 'label'"),
        ("all.nodeSelector={labels: [", "expected a value in YAML"),
        ("all.tolerations={key: a}", r"all.tolerations: expected a list, such as \[{...}\]"),
        (
            "all.tolerations=[{key: a, effect: Never}]",
            r"tolerations\[0\].effect: expected one of NoSchedule",
        ),
        (
            "all.tolerations=[{key: a, operator: Exists, value: b}]",
            "no value with the operator Exists",
        ),
        ("all.tolerations=[{value: b}]", "a key, or the operator Exists"),
        ("all.tolerations=[{key: a, effect: NoSchedule, tolerationSeconds: 5}]", "NoExecute only"),
        ("all.securityContext={runAsUser: 0, runAsNonRoot: true}", "a runAsUser above 0"),
        ("all.securityContext={privileged: true}", "runAsNonRoot. Received: 'privileged'"),
        ("all.imagePullPolicy=Sometimes", "one of Always, IfNotPresent, Never"),
        ("Trainer.activeDeadlineSeconds=0", "a whole number of 1 to"),
        ("Trainer.activeDeadlineSeconds=true", "a whole number of 1 to"),
        ("Trainer.enabledSharedMemory={volumeName: shm, size: big}", "a size such as 8Gi"),
        ("Trainer.emptyDirMounts=[{volumeName: a}]", "mountPath as well"),
        ("Trainer.emptyDirMounts=[{volumeName: a, mountPath: tmp}]", "an absolute path"),
        (
            "all.genericEphemeralVolume=[{volumeName: a, mountPath: /a, accessModes: [RWO], size: 1Gi}]",
            "storageClassName, or defaultStorageClass: true",
        ),
        ("all.nodeAffinity=[{weight: 101}]", "a whole number of 1 to 100"),
    ],
)
def test_what_makes_no_sense_is_refused(text, message):
    with pytest.raises(ConfigError, match=f"kubeflow.pods: .*{message}"):
        presets.load("tiny-city").replace({"kubeflow.pods": [text]})


def test_a_field_comes_once_for_a_step():
    with pytest.raises(
        ConfigError, match="Pusher.imagePullPolicy: expected once. Received: 'twice'"
    ):
        read(["Pusher.imagePullPolicy=Never", "Pusher.imagePullPolicy=Always"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["Train.imagePullPolicy=Never"], "all or a node of Trainer, Pusher. Received: 'Train'"),
        (
            ["Trainer.emptyDirMounts=[{volumeName: a, mountPath: /mnt/flows}]"],
            "Trainer: expected each mountPath once. Received: '/mnt/flows'",
        ),
        (
            [
                "all.emptyDirMounts=[{volumeName: shm, mountPath: /a}]",
                "Trainer.enabledSharedMemory={volumeName: shm}",
            ],
            "Trainer: expected each volumeName once. Received: 'shm'",
        ),
    ],
)
def test_folders_and_steps_fit_the_pipeline(texts, message):
    with pytest.raises(ConfigError, match=message):
        check_folders(read(texts), ["Trainer", "Pusher"], ["/mnt/flows"])
    check_folders(read(EVERY_FIELD), ["Trainer", "FlowExampleGen", "WindowGen"], ["/mnt/flows"])
