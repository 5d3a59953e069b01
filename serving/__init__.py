"""Forecasts from a pushed model, in a folder or on TensorFlow Serving, for windows of recent flows.

Neither TFX nor Beam is imported, and no TensorFlow with `RestServer`:

    from crowdflow import Forecaster, RestServer

    forecaster = Forecaster(RestServer("http://localhost:8501"))
    history = forecaster.read(["trips/"])
    forecast = forecaster.forecast(history)  # the interval after the last one
    forecast.flows  # float32 [1, h, H, W, 2], inflow and outflow in trips per interval
"""

from crowdflow.serving.connect import connect
from crowdflow.serving.forecaster import Forecast, Forecaster
from crowdflow.serving.rest import RestServer
from crowdflow.serving.transport import Options

__all__ = ["Forecast", "Forecaster", "Options", "RestServer", "connect"]
