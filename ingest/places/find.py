"""Reads the tables of places among the data, and finds which column of each is the id that trips name."""

import dataclasses
import os
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from crowdflow.config import Config
from crowdflow.ingest import archives
from crowdflow.ingest.places.columns import entries_of
from crowdflow.ingest.places.ids import texts_of
from crowdflow.ingest.places.json_tables import JSON_ENDINGS, json_polygons
from crowdflow.ingest.places.outlines import rings_of
from crowdflow.ingest.places.places import Places, PlaceTable
from crowdflow.ingest.places.tables import read_columns, table_of
from crowdflow.ingest.places.written import positions_of
from crowdflow.ingest.trips import trip_files, trip_layouts, trip_parquet
from crowdflow.schema.errors import DataError


class TableFile(NamedTuple):
    """A file with a table of places.

    Attributes:
      path: of the file.
      member: its name in the zip, if `path` is a zip.
    """

    path: str
    member: Optional[str] = None

    @property
    def name(self) -> str:
        """For messages: the path, with the name in the zip."""
        return f"{self.path}/{self.member}" if self.member else self.path


class TripsFile(NamedTuple):
    """A file of trips.

    Attributes:
      path: of the file.
      parquet: whether the file is Parquet rather than CSV.
    """

    path: str
    parquet: bool


def name_places(file: TripsFile, config: Config) -> bool:
    """Whether the trips in a file name places instead of positions.

    Raises:
      DataError: the file cannot be read.
    """
    if file.parquet:
        names = trip_parquet.parquet_names(file.path)
    else:
        names = trip_files.csv_header(file.path, config)
    layout = trip_layouts.find_layout(names, config)
    return layout is not None and layout.by_place


def find_places(tables: Sequence[TableFile], trips: Sequence[TripsFile], config: Config) -> Places:
    """Reads tables of places for trips.

    Args:
      tables: all tables among the data.
      trips: the files of trips that name places.
      config: for trips; with `trips.places`, only the tables that it names are used.

    Raises:
      DataError: there is no table and the places are no positions, or a file cannot be read.
    """
    if not trips:
        return Places()
    found = [table for file in tables for table in read_tables(file, config)]
    keys = {}
    for file in trips:
        ids = _first_ids(file, config)
        if not found and np.isnan(positions_of([*ids])).all():
            named = f" that trips.places names ({', '.join(config.trips.places)})"
            raise DataError(
                f"{file.path}: the trips name places by an id, and the data have no table of places"
                f"{named if config.trips.places else ''}. Expected one among the files of --data: CSV, Parquet "
                "or GeoJSON with an id, latitude and longitude (or polygons). Usual names of columns are "
                "recognised; others are set with trips.place_id, trips.place_lat and trips.place_lon."
            )
        keys[file.path] = tuple(table.best_key(ids) for table in found)
    return Places(tuple(found), keys)


def _first_ids(file: TripsFile, config: Config) -> set[str]:
    """The canonical ids of places in the first rows of a file."""
    rows = trip_files.sample(file.path, file.parquet, config)
    roles = dict(zip(rows.layout.roles, rows.columns)) if rows else {}
    return {
        text for role in trip_layouts.PLACES if role in roles for text in texts_of(roles[role])[1]
    }


def read_tables(file: TableFile, config: Config) -> list[PlaceTable]:
    """The table in a file, once for each date from which it holds; none if `trips.places` names only others.

    Raises:
      DataError: the file cannot be read, or is no table of places.
    """
    entries = entries_of(file.name, config) if config.trips.places else [None]
    if not entries:
        return []
    text = None
    if not file.name.lower().endswith(".parquet"):
        with (
            archives.clear_errors(f"{file.name}: cannot be read"),
            archives.open_member(file.path, file.member) as stream,
        ):
            text = stream.read()
    columns = read_columns(file.name, file.path, text)
    beside = file.path if file.member else os.path.dirname(file.path)
    table = table_of(file.name, beside, columns, config)
    if file.name.lower().endswith(JSON_ENDINGS):
        table = dataclasses.replace(table, rings=rings_of(json_polygons(text)))
    return [dataclasses.replace(table, since=since) for since in entries]
