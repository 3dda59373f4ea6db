"""The web interface: pages that show what runs do, and why they wait. See `routes`."""

from stepwell.dashboard.routing import routes

__all__ = ["routes"]
