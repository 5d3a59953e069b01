"""Trains an approved model once more, on all windows."""
