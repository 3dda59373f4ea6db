"""What SDKs and those who know their protocol ask of the server."""
