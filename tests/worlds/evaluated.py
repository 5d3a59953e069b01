"""An Evaluator's output, in TFMA's own form."""

from pathlib import Path

RMSE, MAE = "rmse_active_cells", "mae_active_cells"
ERRORS = {
    "": (4.0, 2.0),
    "last_interval": (8.0, 4.0),
    "last_week": (7.0, 3.5),
    "historical_average": (6.0, 3.0),
    "four_weeks": (6.5, 3.25),
    "weeks_and_days": (5.0, 2.5),
}
PROMISE = {RMSE: 4.0, MAE: 2.0, "best_naive": "weeks_and_days", "best_naive_rmse": 5.0}


def write_evaluation(folder: Path, factor: float = 1.0) -> str:
    """Writes errors, all times a factor, over the whole split and over one slice of twice as large ones."""
    import tensorflow as tf
    import tensorflow_model_analysis as tfma

    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "metrics-00000-of-00001.tfrecord")) as writer:
        for times in (factor, 2 * factor):
            record = tfma.proto.metrics_for_slice_pb2.MetricsForSlice()
            if times != factor:
                record.slice_key.single_slice_keys.add(column="hour", int64_value=8)
            for source, errors in ERRORS.items():
                for name, value in zip((RMSE, MAE), errors):
                    one = record.metric_keys_and_values.add()
                    one.key.name = f"{source}/{name}" if source else name
                    one.key.model_name = "candidate"
                    one.value.double_value.value = times * value
            writer.write(record.SerializeToString())
    return str(folder)
