"""Evaluating 240 windows: our metric over whole arrays against TFMA's stock metrics, on the same windows.

    python benchmarks/evaluation.py --data NYC14_M16x8_T60_NewEnd.h5

Without --data the windows are of a simulated city of the same size. Both run the same TFMA pipeline with the same
SavedModel (the historical average) after a warm-up of each, so that imports and graph building are paid; what a
pipeline costs with a single window is its start-up, and is taken off. The peers: `RootMeanSquaredError`, the stock
RMSE (it averages over the last axis only, so on maps its value is wrong), and `MeanSquaredError`, whose root
is right. The last line is JSON.
"""

import json
import tempfile
import time
from pathlib import Path

import click

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

        from components.intervals import parse_slots

        with h5py.File(data) as file:
            starts = parse_slots(file["date"][:], 60, data)
            return starts, file["data"][:].transpose(0, 2, 3, 1).astype("float32")
    from pipeline.simulated_city import CitySpec, simulate

    city = simulate(CitySpec(rows=16, cols=8, days=70))
    return city.starts, city.frames


def write_windows(starts, maps, config, folder: str) -> tuple[str, str]:
    """Writes the test windows; gives the file pattern of all, and of a file with one of them."""
    import apache_beam as beam
    import tensorflow as tf

    from components.frames import FrameBlock, encode_frames
    from components.window_gen.transform import FramesToWindows

    with beam.Pipeline() as pipeline:
        frames = pipeline | beam.Create(encode_frames(FrameBlock(starts, maps)))
        (frames | FramesToWindows(config))["test"] | beam.io.WriteToTFRecord(f"{folder}/all")
    files = [str(path) for path in Path(folder).glob("all*")]
    with tf.io.TFRecordWriter(f"{folder}/one") as writer:
        writer.write(next(iter(tf.data.TFRecordDataset(files))).numpy())
    return f"{folder}/all*", f"{folder}/one"


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


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n"))
@click.option("--data", help="The BikeNYC file.")
def main(data: str | None) -> None:
    """Prints both times and their ratio."""
    import tensorflow_model_analysis as tfma

    from components.baseline.models import write_naive_model
    from pipeline import presets
    from pipeline.evaluation import eval_config
    from schema import WINDOWS, parse, render

    config = presets.load("bikenyc-paper")
    schema = parse(render(WINDOWS, config))
    ours = eval_config(config, "")
    del ours.model_specs[1:], ours.slicing_specs[:]
    ours.metrics_specs[0].per_slice_thresholds.clear()
    peers = {"ours": ours}
    for name in (STOCK_RMSE, STOCK_MSE):
        peers[name] = tfma.EvalConfig()
        peers[name].CopyFrom(ours)
        del peers[name].metrics_specs[:]
        metric = tfma.MetricConfig(class_name=name)
        peers[name].metrics_specs.append(tfma.MetricsSpec(metrics=[metric]))
    results = {}
    with tempfile.TemporaryDirectory() as model, tempfile.TemporaryDirectory() as folder:
        every, one = write_windows(*read_flows(data), config, folder)
        grid = (config.windows.horizon, config.grid.rows, config.grid.cols, 2)
        write_naive_model("historical_average", grid, model)
        for name, settings in peers.items():
            evaluate(one, model, settings, schema)  # warm-up
            start_up = min(evaluate(one, model, settings, schema)[0] for _ in range(3))
            runs = [evaluate(every, model, settings, schema) for _ in range(3)]
            whole, metrics = min(runs, key=lambda run: run[0])
            results[name] = {
                "start_up_s": round(start_up, 3),
                "whole_s": round(whole, 3),
                "evaluation_s": round(max(whole - start_up, 1e-3), 3),
                "rmse_all_cells": round(READ[name](metrics), 4),
            }
            print(f"{name:<22}", results[name], flush=True)
    ours_s = results["ours"]["evaluation_s"]
    ratios = {name: round(found["evaluation_s"] / ours_s, 1) for name, found in results.items()}
    print(json.dumps({"results": results, "times_ours": ratios}))


if __name__ == "__main__":
    main()
