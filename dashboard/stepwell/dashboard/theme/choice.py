"""Which of the themes a reader has chosen."""

from starlette.requests import Request

COOKIE = "stepwell_theme"
SYSTEM = "system"
THEMES = {SYSTEM: "System", "light": "Light", "dark": "Dark"}
"""By name, and what they are called."""


def theme_of(request: Request) -> str:
    """The choice; without one it is that of the reader's system."""
    chosen = request.cookies.get(COOKIE, SYSTEM)
    return chosen if chosen in THEMES else SYSTEM
