"""Evaluating 240 windows: CrowdFlow's metric on whole arrays against TFMA's stock metrics, on the same windows.

    python benchmarks/evaluation.py --data NYC14_M16x8_T60_NewEnd.h5

Without --data the windows are those of a simulated city of the same size. The forecast is the historical average.
Two times for each metric, best of five:

  metric_s    the metric alone: its combiner over the 240 windows, already read and predicted
  pipeline_s  a whole TFMA pipeline (start-up, reading, predicting, writing), after a warm-up

The peers are `MeanSquaredError`, whose root is the RMSE, and Keras' `RootMeanSquaredError`, which is fast but
averages over the last axis only, so its value on maps is wrong. CrowdFlow's metric (`ours`) gives RMSE and MAE, by
direction, of the model and of three naive forecasts. The last line is JSON; `times_ours` compares `metric_s`.
"""

import json
import math
import tempfile
import time

import click

REPEATS = 5
STOCK_RMSE, STOCK_MSE = "RootMeanSquaredError", "MeanSquaredError"
READ = {
    "ours": lambda metrics: metrics["rmse_all_cells"],
    STOCK_RMSE: lambda metrics: metrics["root_mean_squared_error"],
    STOCK_MSE: lambda metrics: metrics["mean_squared_error"] ** 0.5,
}


def read_flows(data: str | None):
    """Starts int64 `[n]` and maps float32 `[n, 16, 8, 2]`."""
    if data:
        import h5py

        from crowdflow.schema.intervals import parse_slots

        with h5py.File(data) as file:
            starts = parse_slots(file["date"][:], 60, data)
            return starts, file["data"][:].transpose(0, 2, 3, 1).astype("float32")
    from crowdflow.simulation.city import CitySpec, simulate

    city = simulate(CitySpec(rows=16, cols=8, days=70))
    return city.starts, city.frames


def write_windows(starts, maps, config, folder: str) -> str:
    """Writes the test windows and returns their file pattern."""
    import apache_beam as beam

    from crowdflow.components.tf_examples import encode_frames
    from crowdflow.components.window_gen.transform import FramesToWindows
    from crowdflow.flows.frames import FrameBlock

    with beam.Pipeline() as pipeline:
        frames = pipeline | beam.Create(encode_frames(FrameBlock(starts, maps)))
        windows = frames | FramesToWindows(config, [], f"{folder}/maps")
        windows["test"] | beam.io.WriteToTFRecord(f"{folder}/all")
    return f"{folder}/all*"


def evaluate(windows: str, model: str, eval_config, schema) -> tuple[float, dict]:
    """Seconds and metrics of one TFMA pipeline over the windows of a file pattern."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from tfx_bsl.tfxio import tensor_adapter, tf_example_record

    shared = tfma.default_eval_shared_model(model, model_name="candidate", eval_config=eval_config)
    tfxio = tf_example_record.TFExampleRecord(
        file_pattern=windows,
        schema=schema,
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
        telemetry_descriptors=["benchmark"],
    )
    adapter = tensor_adapter.TensorAdapterConfig(
        arrow_schema=tfxio.ArrowSchema(), tensor_representations=tfxio.TensorRepresentations()
    )
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        with beam.Pipeline() as pipeline:
            (
                pipeline
                | tfxio.BeamSource()
                | tfma.ExtractEvaluateAndWriteResults(
                    eval_shared_model=shared,
                    eval_config=eval_config,
                    output_path=out,
                    tensor_adapter_config=adapter,
                )
            )
        seconds = time.perf_counter() - started
        [(_, metrics)] = tfma.load_eval_result(out).slicing_metrics
    return seconds, {k: v["doubleValue"] for k, v in metrics[""][""].items() if "doubleValue" in v}


def read_elements(windows: str, shape: tuple[int, ...]) -> list:
    """What TFMA passes to a metric for each window: label, prediction and features."""
    import tensorflow as tf
    from tensorflow_model_analysis.metrics import metric_types

    from crowdflow.schema import features

    maps = [features.TARGET, *map(features.naive_feature, features.NAIVE_FORECASTS)]
    spec = {name: tf.io.FixedLenFeature(shape, tf.float32) for name in maps}
    spec[features.ACTIVE_CELLS] = tf.io.FixedLenFeature([1], tf.int64)
    records = [r.numpy() for r in tf.data.TFRecordDataset(tf.io.gfile.glob(windows))]
    parsed = {name: v.numpy() for name, v in tf.io.parse_example(records, spec).items()}
    forecast = parsed[features.naive_feature("historical_average")]
    return [
        metric_types.StandardMetricInputs(
            labels=parsed[features.TARGET][row],
            predictions=forecast[row],
            example_weights=None,
            features={name: values[row] for name, values in parsed.items()},
        )
        for row in range(len(records))
    ]


def metric_alone(eval_config, elements: list) -> tuple[float, dict]:
    """Seconds and metrics of a metric's combiner."""
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.metrics import metric_specs
    from tensorflow_model_analysis.proto import config_pb2

    plain = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec()], metrics_specs=eval_config.metrics_specs
    )
    found = metric_specs.to_computations(plain.metrics_specs, eval_config=plain)
    [computation] = [c for c in found if isinstance(c, tfma.metrics.MetricComputation)]
    combiner = computation.combiner
    combiner.setup()
    started = time.perf_counter()
    sums = combiner.create_accumulator()
    for element in elements:
        sums = combiner.add_input(sums, element)
    values = combiner.extract_output(combiner.compact(sums))
    return time.perf_counter() - started, {key.name: float(v) for key, v in values.items()}


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n"))
@click.option("--data", help="The BikeNYC file.")
def main(data: str | None) -> None:
    """Prints both times and their ratio."""
    from tensorflow_model_analysis.proto import config_pb2

    from crowdflow.components.flow_schema.render import render
    from crowdflow.components.last_pushed_model.models import write_naive_model
    from crowdflow.config import presets
    from crowdflow.evaluation.thresholds import eval_config
    from crowdflow.schema.templates import WINDOWS, parse

    config = presets.load("bikenyc-paper")
    schema = parse(render(WINDOWS, config))
    ours = eval_config(config, "")
    del ours.model_specs[1:], ours.slicing_specs[:]
    ours.metrics_specs[0].per_slice_thresholds.clear()
    peers = {"ours": ours}
    for name in (STOCK_RMSE, STOCK_MSE):
        peers[name] = config_pb2.EvalConfig()
        peers[name].CopyFrom(ours)
        del peers[name].metrics_specs[:]
        metric = config_pb2.MetricConfig(class_name=name)
        peers[name].metrics_specs.append(config_pb2.MetricsSpec(metrics=[metric]))
    results = {}
    with tempfile.TemporaryDirectory() as model, tempfile.TemporaryDirectory() as folder:
        every = write_windows(*read_flows(data), config, folder)
        grid = (config.windows.horizon, config.grid.rows, config.grid.cols, 2)
        write_naive_model("historical_average", grid, model)
        elements = read_elements(every, grid)
        for name, settings in peers.items():
            evaluate(every, model, settings, schema)  # warm-up
            pipeline_s, metrics = min(
                (evaluate(every, model, settings, schema) for _ in range(REPEATS)), key=_seconds
            )
            metric_s, again = min(
                (metric_alone(settings, elements) for _ in range(REPEATS)), key=_seconds
            )
            if not math.isclose(READ[name](metrics), READ[name](again), rel_tol=1e-4):
                raise SystemExit(f"{name}: {metrics} in the pipeline, {again} alone")
            results[name] = {
                "metric_s": round(metric_s, 4),
                "pipeline_s": round(pipeline_s, 3),
                "rmse_all_cells": round(READ[name](metrics), 4),
            }
            print(f"{name:<22}", results[name], flush=True)
    ours_s = results["ours"]["metric_s"]
    ratios = {name: round(found["metric_s"] / ours_s, 1) for name, found in results.items()}
    line = {"windows": len(elements), "results": results, "times_ours": ratios}
    print(json.dumps(line))


def _seconds(run: tuple[float, dict]) -> float:
    return run[0]


if __name__ == "__main__":
    main()
