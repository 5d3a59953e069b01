"""The small city in every form of file, and the node's executor to read it."""

from worlds.ingest_city import city, csv_file, ingest, weather_file  # noqa: F401
