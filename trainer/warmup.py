"""Warm-up requests: TensorFlow Serving answers them before a version takes any request of a user.

https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from crowdflow.schema import features
from crowdflow.schema.features import MODEL_NAME

WARMUP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
BATCH_SIZES = (1, 16)  # one forecast, and about a day of them


def write_warmup(windows: Mapping[str, np.ndarray], folder: str) -> None:
    """Writes one request per batch size next to a SavedModel; the same windows give the same bytes.

    Args:
      windows: the inputs of `serving_default`, `[n, ...]` by name, n at least 1; repeated where n is less than a
        batch.
      folder: the SavedModel's.
    """
    path = os.path.join(folder, WARMUP_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    spec = model_pb2.ModelSpec(name=MODEL_NAME, signature_name=features.DENSE_SIGNATURE)
    with tf.io.TFRecordWriter(path) as writer:
        for size in BATCH_SIZES:
            request = predict_pb2.PredictRequest(model_spec=spec)
            for name, values in windows.items():
                rows = np.arange(size) % len(values)
                request.inputs[name].CopyFrom(tf.make_tensor_proto(values[rows]))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString(deterministic=True))
