"""The SDK protocol: what apps that are reached over HTTP and their server say to each other."""
