"""A city's flows as arrays: grid, frames, windows, holidays, and the errors of forecasts."""
