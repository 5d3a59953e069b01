"""A folder that grows by a file a day."""

import shutil
from pathlib import Path

import pandas as pd

from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import city_records, write_city

RANGE = {"range__weeks": 4, "range__pattern": "{YYYY}/{MM}/{DD}"}
RANGE |= {"windows__average": 0, "windows__average_days": 0}  # or it would read four more weeks


class Feed:
    """The folder, and who delivers to it.

    Args:
      folder: where the files go, `2024/04/01/flows.csv` and on; weather and holidays lie beside them.
    """

    def __init__(self, folder: Path):
        city = simulate(CitySpec(rows=4, cols=4, days=49))
        self.folder = folder
        write_city(city, folder, ["weather", "holidays"])
        self._records = city_records(city)

    def deliver(self, first: str, last: str, factor: int = 1) -> None:
        """Writes the files of some days; the flows can be multiplied."""
        for day in pd.date_range(first, last):
            records = self._records
            part = records[records["interval_start"].dt.normalize() == day].copy()
            part[["inflow", "outflow"]] *= factor
            path = self.folder / f"{day:%Y/%m/%d}" / "flows.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.to_csv(path, index=False)

    def lose(self, first: str, last: str) -> None:
        """Removes the files of some days."""
        for day in pd.date_range(first, last):
            shutil.rmtree(self.folder / f"{day:%Y/%m/%d}")
