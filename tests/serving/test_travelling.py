"""Models travel: what one stack pushed is read by the other, by `predict`, by `batch` and as last pushed model."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from worlds import travelling

from crowdflow.components.last_pushed_model.models import judge
from crowdflow.schema import features
from crowdflow.schema.errors import ServingError
from crowdflow.serving import batch
from crowdflow.serving.connect import connect
from crowdflow.serving.forecaster import Forecaster, settings_in


@pytest.fixture(params=travelling.STACKS)
def made(request):
    """The folder of the model that a stack pushed, and its answers there."""
    folder = travelling.FOLDER / request.param
    return folder / "crowdflow", dict(np.load(folder / travelling.ANSWERS))


def test_it_forecasts_the_same(made, pushed):
    folder, known = made
    forecaster = Forecaster(connect(str(folder)))
    found = forecaster.forecast(forecaster.read(pushed.data), known["targets"])
    assert known["flows"].shape == (4, 2, 5, 4, 2) and known["flows"].std() > 0.1
    np.testing.assert_allclose(found.flows, known["flows"], rtol=1e-4, atol=1e-3)


def test_batch_forecasts_the_same(made, pushed, tmp_path):
    folder, known = made
    first, last = np.array(known["targets"][[0, -1]], "datetime64[m]")
    days = str(first)[:10], str(last)[:10]
    batch.run(str(folder), None, pushed.data, *days, tmp_path / "out", [], print)
    table = pd.concat(map(pd.read_parquet, (tmp_path / "out").glob("*.parquet")))
    wanted = table[table["forecast_start"].isin(known["targets"].astype("datetime64[m]"))]
    wanted = wanted.sort_values(["forecast_start", "step", "row", "col"])
    flows = wanted[["inflow", "outflow"]].to_numpy().reshape(-1, 2, 5, 4, 2)
    assert len(flows) >= 3  # the last target is past the records
    np.testing.assert_allclose(flows, known["flows"][: len(flows)], rtol=1e-4, atol=1e-3)


def test_it_is_compared_as_last_pushed_model(made, pushed):
    folder, known = made
    found = judge(folder / "1", [pushed.windows["test"]], (2, 5, 4, 2), 10**9, pushed.config)
    assert found == pytest.approx(float(known["rmse"]), rel=1e-5)


@pytest.mark.parametrize(("number", "reason"), [(None, None), (2, "format 2"), ("x", "format 'x'")])
def test_an_account_of_before_is_read_and_one_of_later_refused_in_words(
    made, pushed, tmp_path, number, reason
):
    folder = shutil.copytree(made[0] / "1", tmp_path / "1")
    path = folder / features.ACCOUNT_FILE
    account = json.loads(path.read_text())
    assert account.pop(features.FORMAT) == features.FORMAT_NUMBER
    path.write_text(json.dumps(account if number is None else {features.FORMAT: number, **account}))
    found = judge(folder, [pushed.windows["test"]], (2, 5, 4, 2), 10**9, pushed.config)
    if reason is None:
        assert isinstance(found, float)
        assert settings_in(folder)[0].windows == pushed.config.windows
        return
    assert reason in found and "later CrowdFlow" in found
    with pytest.raises(ServingError, match=f"cannot be used: its account has {reason}, expected 1"):
        settings_in(folder)
