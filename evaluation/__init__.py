"""How forecasts are judged: the metric inside the Evaluator, thresholds, naive forecasts, drift."""
