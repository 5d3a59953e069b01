"""A synthetic test period with commuting, in which the model beats the naive forecasts."""

from typing import NamedTuple

import numpy as np
import pytest

from crowdflow.components.flow_report.page import ReportData
from crowdflow.components.flow_report.period import Batch, summarise

MONDAY = 16_335 * 1440  # 2014-09-22 00:00
NAIVE_NOISE = {
    "last_interval": 0.5,
    "last_week": 0.4,
    "historical_average": 0.25,
    "four_weeks": 0.32,
    "weeks_and_days": 0.3,
}


def _rates(times, rows, cols):
    """Expected flow, `[n, H, W, 2]`: into the middle in the morning, out in the evening."""
    hour, day = times % 1440 / 60, (times // 1440 + 3) % 7
    y, x = np.mgrid[:rows, :cols]
    centre = np.exp(-(((y / rows - 0.45) / 0.2) ** 2) - ((x / cols - 0.55) / 0.25) ** 2)
    centre *= ~((y + x < rows // 4) | (y - x > rows * 0.7))  # water

    def peak(at, width):
        return np.exp(-(((hour - at) / width) ** 2))

    weekday = np.where(day < 5, 1.0, 0.25)
    base = 0.25 + peak(14, 5)
    flows = [base + weekday * 2.2 * peak(at, 1.4) for at in (8.5, 18)]
    return np.stack([flow[:, None, None] * centre * 90 for flow in flows], axis=-1)


def _metrics(forecast, truth, active):
    def rmse(part):
        error = forecast[part] - truth[part]
        return float(np.sqrt(np.mean(error**2) * active.size / active.sum()))

    return {
        "rmse_active_cells": rmse(np.s_[:]),
        "rmse_all_cells": float(np.sqrt(np.mean((forecast - truth) ** 2))),
        "mae_active_cells": float(np.abs(forecast - truth).mean() * active.size / active.sum()),
        "inflow_rmse_active_cells": rmse(np.s_[..., 0]),
        "outflow_rmse_active_cells": rmse(np.s_[..., 1]),
    }


def _grouped(forecasts, truth, active, keys):
    return {
        name: {
            key: _metrics(values[keys == key], truth[keys == key], active)["rmse_active_cells"]
            for key in np.unique(keys).tolist()
        }
        for name, values in forecasts.items()
    }


def _history(phase1=60, phase2=30):
    random = np.random.default_rng(5)
    epochs = []
    for index in range(phase1 + phase2):
        phase = 1 if index < phase1 else 2
        loss = (0.012 * np.exp(-index / 12) + 0.0022) * random.uniform(0.95, 1.05)
        rmse = 6.3 + 7 * np.exp(-index / 9) + 0.01 * max(0, index - 40) + random.normal(0, 0.12)
        epochs.append(
            {
                "phase": phase,
                "epoch": index + 1 if phase == 1 else index + 1 - phase1,
                "loss": float(loss if phase == 1 else loss * 0.8),
                "eval_rmse": float(rmse) if phase == 1 else None,
                "seconds": 4.2,
                "learning_rate": 2e-4 if phase == 1 else 2e-5,
            }
        )
    return epochs


class Flows(NamedTuple):
    """Test windows as arrays: `times` `[n]`, `truth` and every forecast `[n, h, H, W, 2]`, `active` `[H, W]`."""

    times: np.ndarray
    minutes: int
    truth: np.ndarray
    prediction: np.ndarray
    naive: dict[str, np.ndarray]
    active: np.ndarray

    def read(self, times=None, size=7):
        """The windows in batches, not in the order of time; see `period.Read`."""
        order = np.argsort(self.times % 1009, kind="stable")
        for start in range(0, len(order), size):
            part = order[start : start + size]
            part = part if times is None else part[np.isin(self.times[part], times)]
            forecasts = {"model": self.prediction, **self.naive}
            forecasts = {name: values[part] for name, values in forecasts.items()}
            yield Batch(self.times[part], self.truth[part], forecasts)

    def summary(self):
        return summarise(self.read, self.active)


@pytest.fixture
def make_flows():
    """A function that makes the Flows of a test period."""
    return build_flows


@pytest.fixture
def make_report():
    """A function that builds a ReportData; keyword arguments replace its fields, or are those of `build_flows`."""
    return build_report


def build_flows(days=10, minutes=60, horizon=1, grid=(16, 8), times=None, **fields):
    """See `make_flows`; `times` replaces `days` days of intervals without a gap."""
    random = np.random.default_rng(7)
    if times is None:
        times = MONDAY - 1440 + np.arange(days * 1440 // minutes) * minutes
    steps = [_rates(times + step * minutes, *grid) * minutes / 60 for step in range(horizon)]
    rates = np.stack(steps, axis=1)  # [n, h, H, W, 2]
    truth = random.poisson(rates).astype(np.float32)

    def forecast(spread):
        noise = 1 + spread * random.normal(size=rates.shape)
        return np.maximum(rates * noise, 0).astype(np.float32)

    prediction = forecast(0.15)
    naive = {name: forecast(spread) for name, spread in NAIVE_NOISE.items()}
    active = rates.max(axis=(0, 1, 4)) > 1.5
    return Flows(times, minutes, truth, prediction, naive, active)._replace(**fields)


def build_report(
    days=10, minutes=60, horizon=1, grid=(16, 8), times=None, pushed=True, flows=None, **fields
):
    """See `make_report`; `flows` are the test windows."""
    flows = flows or build_flows(days, minutes, horizon, grid, times)
    times, minutes, truth, prediction, naive, active = flows
    rows, cols = active.shape
    pushed_model = {"last_pushed": (prediction + naive["historical_average"]) / 2} if pushed else {}
    forecasts = {"model": prediction, **pushed_model, **naive}
    hour = times % 1440 // 60
    weekend = np.where((times // 1440 + 3) % 7 < 5, "weekday", "weekend")
    values = {
        "title": "synthetic-city",
        "config": {"preset": "synthetic-city", "grid": {"rows": rows, "cols": cols}},
        "seed": 1,
        "device": "CPU, 2 cores",
        "versions": {"tfx": "1.16.0", "tensorflow": "2.16.2", "keras": "3.8.0"},
        "libraries": {"WindowGen": {"apache-beam": "2.62.0", "numpy": "1.26.4"}},
        "windows": {"train": 3_132, "eval": 348, "test": len(times)},
        "counters": {
            "records": {"read": 561_408, "rejected": {"negative_flow": 3, "outside_grid": 12}},
            "intervals": {"frames": 4_392, "missing": 24},
            "windows_dropped": {"closeness": 9, "period": 96, "trend": 672, "target": 0},
        },
        "interval_minutes": minutes,
        "tested": flows.summary(),
        "metrics": {"last_pushed": None}
        | {name: _metrics(values, truth, active) for name, values in forecasts.items()},
        "by_hour": _grouped(forecasts, truth, active, hour),
        "by_day": _grouped(forecasts, truth, active, weekend),
        "history": _history(),
        "blessed": True,
        "reasons": ["rmse_active_cells 5.98 is below 8.14 (historical average)."],
        "pushed_model": "serving/1714557600",
    }
    return ReportData(**(values | fields))
