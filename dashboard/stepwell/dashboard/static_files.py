"""Style sheets, scripts and pictures of the pages."""

import os

from starlette import staticfiles
from starlette.responses import Response
from starlette.types import Scope

POLICY = "default-src 'none'"


class StaticFiles(staticfiles.StaticFiles):
    """The files in `static/`. Browsers keep them, and ask by ETag whether they are still the same."""

    def __init__(self) -> None:
        super().__init__(packages=[("stepwell.dashboard", "static")])

    def file_response(
        self, full_path: "str | os.PathLike[str]", stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file, or that it has not changed."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(
            {"Cache-Control": "no-cache", "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        )
        return response
