"""Trips and trajectories in forms of their own, turned into tables: JSON, GeoLife, polylines."""
