#!/usr/bin/env bash
# Fixes every image in deploy/ that is not ours to the digest that its tag has in the registry today.
# Asks docker's buildx. Nothing is written unless every image has an answer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../deploy"
files=(Dockerfile serving/compose.yaml serving/kubernetes/serving.yaml)
gpu=serving/kubernetes-gpu/kustomization.yaml

images=$(sed -nE 's/^(FROM| *image:) ([^ @]+:[^ @]+).*/\2/p' "${files[@]}" | grep -v '^crowdflow:' | sort -u)
declare -A digests
for image in $images; do
  digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
  if [[ ! $digest =~ ^sha256:[0-9a-f]{64}$ ]]; then
    echo "$image: expected a digest from docker. Received: $digest" >&2
    exit 1
  fi
  digests[$image]=$digest
done

for image in $images; do
  sed -i -E "s#^(FROM| *image:) ${image//./\\.}(@[^ ]+)?( |\$)#\1 $image@${digests[$image]}\3#" "${files[@]}"
  if [[ $image == tensorflow/serving:*-gpu ]]; then # a patch of kustomize's, in two lines
    sed -i -E "/^    digest:/d; s#^    newTag: .*#    newTag: ${image##*:}\n    digest: ${digests[$image]}#" "$gpu"
  fi
  echo "$image@${digests[$image]}"
done
