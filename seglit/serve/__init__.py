"""The predictor as a web service: `seglit serve`."""
