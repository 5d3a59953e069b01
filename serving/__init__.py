"""Forecasts from a pushed model: windows of recent flows, asked of a folder or of TensorFlow Serving.

Neither TFX nor Beam is imported, and no TensorFlow with `RestServer`:

    from serving import Forecaster, RestServer

    forecaster = Forecaster(RestServer("http://localhost:8501"))
    history = forecaster.read(["trips/"])
    forecast = forecaster.forecast(history)  # the interval after the last one
    forecast.flows  # float32 [1, h, H, W, 2], inflow and outflow in trips per interval
"""

from serving.forecaster import Forecast, Forecaster
from serving.rest import RestServer
from serving.transport import Options, connect

__all__ = ["Forecast", "Forecaster", "Options", "RestServer", "connect"]
