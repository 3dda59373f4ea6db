"""A sync app of the official Python SDK on Flask.

Usage: `python -m tests.sdk.flask_app PORT`
"""

import logging
import sys

import flask
from inngest import Inngest
from inngest.flask import serve

from tests.sdk.serving import functions
from tests.sdk.sync_stories import FAILED, HANDLERS

app = flask.Flask(__name__)
client = Inngest(app_id="flask", logger=logging.getLogger("flask"))
serve(app, client, functions(client, HANDLERS, FAILED))

if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
