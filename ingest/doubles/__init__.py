"""Rides that come again in the data."""
