"""A small sync app of the official Python SDK on Django.

Usage: `python -m tests.sdk.django_app PORT`
"""

import logging
import sys

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.management import call_command  # type: ignore[import-untyped]
from inngest import Inngest
from inngest.django import serve

from tests.sdk.serving import functions
from tests.sdk.sync_stories import FAILED, HANDLERS

SMALL = ("three", "nap", "flaky", "parallel", "doomed")

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="of-a-test", ALLOWED_HOSTS=["*"], DEBUG=False)
django.setup()

client = Inngest(app_id="django", logger=logging.getLogger("django"))
urlpatterns = [serve(client, functions(client, {id: HANDLERS[id] for id in SMALL}, FAILED))]

if __name__ == "__main__":
    call_command("runserver", f"127.0.0.1:{sys.argv[1]}", "--noreload", "--skip-checks")
