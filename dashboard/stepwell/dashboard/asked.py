"""What pages want to know of a request besides its parameters."""

from starlette.requests import Request


def origin_of(request: Request) -> str:
    """Where the server was reached, as it stands in front of paths."""
    return str(request.base_url).rstrip("/")


def without_blanks(request: Request) -> str:
    """The path and query of a form without the fields that were left empty: they only lengthen the address."""
    empty = [name for name, value in request.query_params.items() if value == ""]
    url = request.url.remove_query_params(empty)
    return f"{url.path}?{url.query}" if url.query else url.path
