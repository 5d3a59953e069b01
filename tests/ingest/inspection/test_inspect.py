"""`crowdflow inspect`: what files are, what would be rejected, and settings with which an ingest goes through."""

import json
import shlex
import zipfile

import pytest
import yaml
from click.testing import CliRunner
from worlds import published
from worlds.published_systems import SYSTEMS

from crowdflow.config import Config
from crowdflow.ingest.history import read_history
from crowdflow.ingest.inspection import report
from crowdflow.ingest.inspection.guess import guess_roles, settings_of, spelling_of
from crowdflow.pipeline import cli


def run(*arguments):
    return CliRunner().invoke(cli.main, ["inspect", *map(str, arguments)])


def settings(output: str) -> dict:
    """The settings that the command printed, read from both forms, which must agree."""
    text, options = output.split("settings, as a file for --config:\n")[1].split("or as options:\n")
    config = Config.from_dict(yaml.safe_load(text))
    words = shlex.split(options.splitlines()[0])
    pairs = dict(word.split("=", 1) for word in words if word != "--set")
    assert Config().replace({k: yaml.safe_load(v) for k, v in pairs.items()}) == config
    return config


def test_a_zip_of_trips_by_id(tmp_path):
    [path] = published.write(SYSTEMS["nice ride 2010"], tmp_path)
    result = run(path)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    table = f"{path}/data/Nice_Ride_2010_station_locations.csv"
    assert (
        f"{table}: a table of places, 30 of 30 with a position; the id may be Terminal, Station"
        in lines
    )
    assert f"{path}: trips, layout niceride" in lines
    assert "  start_time: Start date, such as 06/03/2019 00:12 (day and month in numbers)" in lines
    assert "  end_place: End terminal, such as 30011" in lines
    assert "  dates: month first" in lines and "  rows: 400" in lines
    assert f"  places: {table}, by Terminal" in lines
    assert f"{path}/data/README.txt: ignored" in lines
    counters = read_history([path], settings(result.output)).counters
    assert counters["starts_binned"] == 400
    assert (
        counters["first_interval"] in result.output and counters["last_interval"] in result.output
    )


def test_rejects_are_those_of_an_ingest(tmp_path):
    rows = [f"2024-04-0{d} 08:00,2024-04-0{d} 08:10,40.71,-74.01,40.72,-74.02" for d in range(1, 8)]
    rows[2] = rows[2].replace("2024-04-03 08:10", "2024-04-03 07:10")
    rows[3] = rows[3].replace("40.72,-74.02", ",")
    rows[4] = rows[4].replace("-74.02", "west")
    rows[6] = rows[6].replace("2024-04-07 08:10", "2024-04-07 09:10")
    path = tmp_path / "trips.csv"
    path.write_text("\n".join(["start_time,end_time,start_lat,start_lon,end_lat,end_lon", *rows]))
    result = run(path)
    assert result.exit_code == 0, result.output
    config = settings(result.output).replace({"trips.max_reject_share": 1.0})
    counters = read_history([str(path)], config).counters
    expected = {
        f"{side}_{reason}": count
        for side in ("start", "end")
        for reason, count in counters[f"{side}_rejects"].items()
        if count
    }
    assert len(expected) == 5
    for reason, count in expected.items():
        assert f"    {reason}: {count}, such as " in result.output
    assert f"  rejects: {sum(expected.values())}\n" in result.output


@pytest.mark.parametrize(
    "columns", ["positions", "places", "points", "starts", "durations", "clocks", "one date"]
)
def test_columns_of_ones_own_are_guessed(tmp_path, columns):
    path, paths = tmp_path / "own.csv", [str(tmp_path / "own.csv")]
    if columns == "positions":
        rows = [
            "Departed,Returned,startLat,startLon,endLat,endLon,fee",
            *["2024-04-01 08:00,2024-04-01 08:10,40.71,-74.01,40.72,-74.02,3"] * 3,
        ]
    elif columns == "places":
        rows = [
            "pickup_ts_date,drop_ts_date,pickup_hub,pickup hub id,drop_hub,drop hub id",
            *["2024-04-01 08:00,2024-04-01 08:10,Here,H1,There,T1"] * 3,
        ]
        (tmp_path / "hubs.csv").write_text("id,lat,lon\nH1,40.71,-74.01\nT1,40.72,-74.02\n")
        paths.append(str(tmp_path / "hubs.csv"))
    elif columns == "starts":
        rows = ["Date/Time,Lat,Lon,Base", *["5/16/2024 0:11:00,40.71,-74.01,B1"] * 3]
    elif columns == "durations":
        rows = [
            "Trip Duration (ms),Pickup Date,pickup_lat,pickup_lon,dropoff_lat,dropoff_lon",
            *["600000,2024-04-01 08:00,40.71,-74.01,40.72,-74.02"] * 3,
        ]
    elif columns == "clocks":
        rows = [
            "StartDate,StartTime,StartLatitude,StartLongitude,EndDate,EndTime,EndLatitude,EndLongitude",
            *["2024-04-01,8:00 AM,40.71,-74.01,2024-04-01,8:10 AM,40.72,-74.02"] * 3,
        ]
    elif columns == "one date":
        rows = [
            "Day_Date,Start time,Start lat,Start lon,Elapsed",
            *["2024-04-01,08:00:30,40.71,-74.01,0:10:00"] * 3,
        ]
    else:
        rows = [
            "vehicle,recorded_at,gps_latitude,gps_longitude",
            *[f"v1,2024-04-01 08:0{n},40.7{n},-74.0{n}" for n in range(1, 4)],
        ]
    path.write_text("\n".join(rows))
    result = run(*paths)
    assert result.exit_code == 0, result.output
    assert f"{path}: no known layout; the columns of the settings are guessed" in result.output
    counters = read_history(paths, settings(result.output)).counters
    if columns == "points":
        assert counters["points_used"] == 3
    else:
        assert counters["starts_binned"] == 3
        assert counters["ends_binned"] == (0 if columns in ("starts", "one date") else 3)
        if columns in ("clocks", "one date"):
            assert counters["first_interval"] == "2024-04-01 08:00"


def test_dates_without_a_time_of_day_are_told_loudly(tmp_path):
    path = tmp_path / "own.csv"
    row = "2024-04-01,40.71,-74.01,2024-04-01,40.72,-74.02"
    path.write_text("\n".join(["start_day_date,lat,lon,end_day_date,lat2,lon2", row, row]))
    names = ["start_time=start_day_date", "start_lat=lat", "start_lon=lon", "layout=columns"]
    result = run(path, *(f"--set=trips.{name}" for name in names))
    assert result.exit_code == 0, result.output
    assert "NO TIME OF DAY, all are at midnight" in result.output
    assert settings(result.output).trips.start_time == "start_day_date"  # what is given comes back


def test_trips_of_no_known_layout_beside_places_in_a_zip_are_guessed(tmp_path):
    rows = ["Departure,Return,Departure hub id,Return hub id"]
    rows += ["2024-04-01 08:00,2024-04-01 08:10,7,8"] * 3
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rides.csv", "\n".join(rows))
        archive.writestr("hubs.csv", "id,lat,lon\n7,40.71,-74.01\n8,40.72,-74.02\n")
    result = run(path)
    assert result.exit_code == 0, result.output
    assert read_history([str(path)], settings(result.output)).counters["starts_binned"] == 3


def test_columns_of_an_unknown_table_in_a_zip_are_listed(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("odd.csv", "Inicio,Origen\n2024-04-01 08:00,5\n")
    result = run(path)
    assert result.exit_code == 1
    assert "  Inicio: 2024-04-01 08:00\n  Origen: 5\n" in result.output


def test_a_text_that_is_no_list_of_dates_is_no_holidays(tmp_path):
    path = tmp_path / "cab.txt"
    path.write_text("37.75 -122.39 0 1213084687\n")
    result = run(path)
    assert result.exit_code == 1
    assert (
        "expected dates of holidays, or trips (without a header, set trips.header)" in result.output
    )


def test_what_cannot_be_used_is_told_beside_the_rest(tmp_path):
    days = tmp_path / "days.txt"
    days.write_text("20240401\n")
    weather = tmp_path / "weather.csv"
    weather.write_text("DATE,TMAX\n2024-04-01,50\n")
    trips = tmp_path / "trips.csv"
    trips.write_text(
        "start_time,end_time,start_place,end_place\n2024-04-01 08:00,2024-04-01 08:10,A,B\n"
    )
    result = run(tmp_path)
    assert result.exit_code == 1
    assert f"{days}: holidays (set ingest.holidays)" in result.output
    assert f"{weather}: not known; its columns:\n  DATE: 2024-04-01\n  TMAX: 50\n" in result.output
    assert "  end_place: end_place, such as B\n  cannot be used as it is\n" in result.output
    assert "the data have no table of places" in result.output
    assert run().exit_code == 1 and run(tmp_path / "absent.csv").exit_code == 1


def test_unknown_ids_are_named(tmp_path):
    (tmp_path / "a.csv").write_text(
        "start_time,end_time,start_place,end_place\n"
        + "2024-04-01 08:00,2024-04-01 08:10,A,Q7\n" * 2
    )
    (tmp_path / "places.geojson").write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {"type": "Feature", "properties": {"id": "A"},
                     "geometry": {"type": "Point", "coordinates": [-74.01, 40.71]}}
                ],
            }
        )
    )  # fmt: skip
    found = report.inspect([str(tmp_path)], Config())
    assert "  Ids that no table of places has, the most frequent first: Q7 (2)" in found.lines
    assert "    end_unknown_place: 2, such as 2024-04-01 08:10:00.000000, Q7" in found.lines
    assert found.problems == []


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        ("2024-05-06 13:15", "x", "ISO 8601, year first"),
        ("5/6/24 1:15 PM", "x", "day and month in numbers"),
        ("1714995330", "started_at", "seconds, milliseconds"),
        ("1714995330", "bike", None),
        ("Grove St", "start time", None),
    ],
)
def test_spellings(value, name, found):
    spelling = spelling_of([value], name)
    assert spelling is None if found is None else spelling.startswith(found)


@pytest.mark.parametrize(
    ("header", "row", "roles"),
    [
        ("Edad_Usuario,Bici,Ciclo_Estacion_Retiro,Fecha_Retiro,Hora_Retiro,Ciclo_EstacionArribo,Fecha_Arribo,Hora_Arribo",
         "34,4007,008,01/03/2023,04:08:06,009,01/03/2023,04:14:37",
         "start_date=Fecha_Retiro start_time=Hora_Retiro start_place=Ciclo_Estacion_Retiro end_date=Fecha_Arribo "
         "end_time=Hora_Arribo end_place=Ciclo_EstacionArribo"),
        ("Viaje_Id,Año_de_nacimiento,Inicio_del_viaje,Fin_del_viaje,Origen_Id,Destino_Id",
         "1000,1985,2017-04-01 04:00,2017-04-01 04:06,16,4",
         "start_time=Inicio_del_viaje end_time=Fin_del_viaje start_place=Origen_Id end_place=Destino_Id"),
        ("fecha_origen_recorrido,long_estacion_origen,lat_estacion_origen,id_estacion_destino,fecha_destino_recorrido",
         "2019-01-01 00:08:05,-58.4,-34.6,111,2019-01-01 00:31:32",
         "start_time=fecha_origen_recorrido start_lat=lat_estacion_origen start_lon=long_estacion_origen "
         "end_time=fecha_destino_recorrido end_place=id_estacion_destino"),
        ("Heure de début,Durée,Station de départ,Station d'arrivée", "2024-04-01 08:00,600,A,B",
         "start_time=Heure_de_début duration=Durée start_place=Station_de_départ end_place=Station_d'arrivée"),
        ("Ausleihzeit,Rückgabezeit,Ausleihe Breitengrad,Ausleihe Längengrad,Rückgabe Haltestelle",
         "1714995330,1714995930,52.5,13.4,9",
         "start_time=Ausleihzeit end_time=Rückgabezeit start_lat=Ausleihe_Breitengrad "
         "start_lon=Ausleihe_Längengrad end_place=Rückgabe_Haltestelle"),
        ("trip_minutes,geolocation_unlock,unlock_date,geolocation_lock,lock_date",
         "18.85,POINT (-3.7 40.4),2023-01-02T03:42:56,POINT (-3.7 40.4),2023-01-02T04:01:47",
         "start_time=unlock_date start_place=geolocation_unlock end_time=lock_date end_place=geolocation_lock"),
    ],
)  # fmt: skip
def test_names_in_other_languages_are_guessed(header, row, roles):
    columns = {name: [value] for name, value in zip(header.split(","), row.split(","), strict=True)}
    wanted = dict(pair.split("=") for pair in roles.split())
    assert {role: name.replace(" ", "_") for role, name in guess_roles(columns).items()} == wanted


def test_a_table_that_is_no_trips_is_not_guessed():
    assert guess_roles({"DATE": ["2024-04-01"], "TMAX": ["5"], "STATION": ["X"]}) == {}
    assert settings_of({}) == {}
