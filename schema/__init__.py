"""The data contract: feature names, time intervals, errors and schema templates. README.md describes it."""
