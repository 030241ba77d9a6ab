"""The predictor as a web service: `seglit serve`."""

from seglit.serve.app import create_app
from seglit.serve.limits import Limits

__all__ = ["Limits", "create_app"]
