"""Records of the platform as the JSON of the API."""
