"""`kubeflow.pods` with every field that it can have."""

EVERY_FIELD = (
    "all.nodeSelector={labels: {pool: batch}}",
    "all.tolerations=[{key: batch, operator: Equal, value: 'yes', effect: NoSchedule}]",
    "all.imagePullSecret=[{secretName: registry}]",
    "all.imagePullPolicy=IfNotPresent",
    "all.podMetadata={labels: {team: flows}, annotations: {sidecar.istio.io/inject: 'false'}}",
    "all.securityContext={runAsUser: 10001, runAsGroup: 0, runAsNonRoot: true}",
    "Trainer.nodeSelector={labels: {gpu: h100}}",
    "Trainer.tolerations=[{operator: Exists, effect: NoExecute, tolerationSeconds: 60}]",
    "Trainer.nodeAffinity=[{matchExpressions: [{key: zone, operator: In, values: [a, b]}], weight: 50}]",
    "Trainer.podAffinity=[{topologyKey: host, matchPodLabels: {team: flows}, anti: true}]",
    "Trainer.enabledSharedMemory={volumeName: shm, size: 8Gi}",
    "Trainer.activeDeadlineSeconds=7200",
    "Trainer.configMapAsEnv=[{configMapName: proxy, keyToEnv: [{configMapKey: url, envVar: HTTPS_PROXY}]}]",
    "FlowExampleGen.genericEphemeralVolume=[{volumeName: scratch, mountPath: /tmp, accessModes: [ReadWriteOnce], "
    "size: 200Gi, storageClassName: fast}]",
    "WindowGen.emptyDirMounts=[{volumeName: scratch, mountPath: /scratch, sizeLimit: 20Gi}]",
)
