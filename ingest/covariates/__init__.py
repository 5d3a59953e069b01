"""Covariates of the flows: weather and holidays files."""
