"""The JSON of the API. Times are ms UTC, and null until it has come to that."""
