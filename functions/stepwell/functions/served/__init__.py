"""Serving the functions of an app over HTTP, as a part of a web application."""
