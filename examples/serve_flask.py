"""Functions in a Flask application.

stepwell dev &
flask --app examples.serve_flask:web run --port 8000 &
stepwell apps add http://127.0.0.1:8000/api/stepwell
"""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from examples.served_shop import app

web = Flask(__name__)
web.wsgi_app = DispatcherMiddleware(web.wsgi_app, {"/api/stepwell": app.serve().wsgi})  # type: ignore[method-assign]


@web.get("/")
def home() -> str:
    """Of the shop itself."""
    return "open"
