"""The Beam transform in a real pipeline: against the plain reference, and what the future can change."""

import datetime as dt

import numpy as np
import pytest

from crowdflow.components.tf_examples import encode_frames
from crowdflow.config import Config
from crowdflow.schema.errors import DataError

FIRST = dt.datetime(2014, 4, 3)


_LAGS = ("closeness", "period", "trend", "horizon", "average", "average_days")


def make_config(minutes, lags, split, **ingest):
    return Config.from_dict(
        {
            "grid": {"rows": 2, "cols": 3},
            "intervals": {"minutes": minutes},
            "ingest": ingest,
            "windows": dict(zip(_LAGS, (*lags, 0, 0))) | {"average_decay": 0.5},  # exact in sums
            "split": {"eval_share": None, **split},
        }
    )


CASES = {
    # Hourly, more frames than one batch: days arrive in pieces.
    "hourly with gaps": (
        make_config(60, (3, 1, 1, 1), {"test_days": 2, "eval_days": 2}),
        {"days": 13, "gaps": [(100, 1), (280, 3)]},
    ),
    "a day ahead": (
        make_config(240, (2, 2, 1, 6), {"test_days": 3, "eval_share": 0.2}),
        {"days": 18, "gaps": [(60, 1)]},
    ),
    "with an average": (
        make_config(480, (2, 1, 0, 2, 2, 5), {"test_days": 3, "eval_days": 2}),
        {"days": 24, "gaps": [(50, 2)]},
    ),
    "over a gap of weeks, without period and trend": (
        make_config(360, (2, 0, 0, 5), {"test_days": 6, "eval_days": 4}),
        {"days": 36, "gaps": [(30, 68)]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_transform_equals_the_reference(name, plain, through_beam):
    config, how = CASES[name]
    frames = plain.random_frames(5, FIRST, minutes=config.intervals.minutes, **how)
    shuffled = np.random.default_rng(7).permutation(len(frames))
    found, *account = through_beam(encode_frames(plain.block(frames, order=shuffled)), config)
    expected, *accounted = plain.windows(frames, config)
    assert account == accounted
    for split, reference in expected.items():
        assert reference
        plain.assert_equal(found[split], reference)


def test_covariates_are_the_first_target_intervals(plain, through_beam):
    config = make_config(
        720, (1, 0, 0, 3), {"test_days": 3, "eval_days": 2}, holidays=True, weather=True
    )
    frames = plain.random_frames(1, FIRST, 9, 720)
    numbered = {time: number for number, time in enumerate(sorted(frames))}
    covariates = {
        "holiday": {time: int(time.day % 3 == 0) for time in frames},
        "weather": {time: number % 17 for time, number in numbered.items()},
        "temperature": {time: np.float32(number / 3) for time, number in numbered.items()},
        "wind_speed": {time: np.float32(number / 7) for time, number in numbered.items()},
        "weather_known": {time: number % 3 // 2 for time, number in numbered.items()},
    }
    found, *_ = through_beam(encode_frames(plain.block(frames, covariates)), config)
    holidays = {time.date() for time, is_holiday in covariates["holiday"].items() if is_holiday}
    expected, _, _ = plain.windows(frames, config, holidays)
    for split, reference in expected.items():
        for window in reference:
            first = plain.EPOCH + dt.timedelta(minutes=window["target_time"])
            window |= {name: values[first] for name, values in covariates.items()}
        plain.assert_equal(found[split], reference)


@pytest.mark.parametrize(
    ("frames", "said"),
    [([], "expected frames, received none"), (None, "'inflow': expected 6 values")],
)
def test_frames_that_do_not_fit_are_refused(frames, said, plain, through_beam):
    config = make_config(720, (1, 0, 0, 1), {"test_days": 1, "eval_days": 1})
    if frames is None:
        frames = encode_frames(plain.block(plain.random_frames(1, FIRST, 5, 720, rows=3)))
    with pytest.raises(DataError, match=said):
        through_beam(frames, config)


class TestTheFuture:
    """Frames from a target's time on must not reach its window, nor the test days the training."""

    config = make_config(360, (3, 2, 1, 3), {"test_days": 3, "eval_days": 3})

    @pytest.fixture(scope="class")
    def frames(self, plain):
        return plain.random_frames(2, FIRST, 20, 360, gaps=[(41, 2)])

    @pytest.fixture(scope="class")
    def noise(self, plain):
        return plain.random_frames(3, FIRST, 20, 360, low=1)

    @pytest.fixture(scope="class")
    def untouched(self, frames, plain, through_beam):
        return through_beam(encode_frames(plain.block(frames)), self.config)[0]

    def replaced(self, frames, noise, is_future):
        return {time: noise[time] if is_future(time) else frames[time] for time in frames}

    def test_changes_no_byte_of_train_and_eval(self, frames, noise, untouched, plain, through_beam):
        test_start = FIRST + dt.timedelta(days=17)
        changed = self.replaced(frames, noise, lambda time: time >= test_start)
        found, *_ = through_beam(encode_frames(plain.block(changed)), self.config)
        assert untouched["train"] and found["train"] == untouched["train"]
        assert untouched["eval"] and found["eval"] == untouched["eval"]
        assert len(found["test"]) == len(untouched["test"])
        assert not set(found["test"]) & set(untouched["test"])

    @pytest.mark.parametrize("split", ["train", "eval", "test"])
    def test_changes_only_a_windows_target(
        self, split, frames, noise, untouched, plain, through_beam
    ):
        before = {w["target_time"][0]: w for w in map(plain.parse, untouched[split])}
        origin = sorted(before)[len(before) // 2]
        now = plain.EPOCH + dt.timedelta(minutes=int(origin))
        changed = self.replaced(frames, noise, lambda time: time >= now)
        found, *_ = through_beam(encode_frames(plain.block(changed)), self.config)
        after = {w["target_time"][0]: w for w in map(plain.parse, found[split])}
        steps = [noise[now + k * dt.timedelta(hours=6)] for k in range(3)]
        np.testing.assert_array_equal(after[origin].pop("target"), np.ravel(steps))
        assert not np.array_equal(before[origin].pop("target"), np.ravel(steps))
        assert sorted(after[origin]) == sorted(before[origin])
        for name, values in before[origin].items():
            np.testing.assert_array_equal(after[origin][name], values, err_msg=name)
