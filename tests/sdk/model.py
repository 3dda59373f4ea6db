"""A model, as the SDK asks one: what it answers is what a server of ours answers to an event."""

import os


class Model:
    """The `BaseAdapter` of the place to which events are sent."""

    def auth_key(self) -> str:
        """None is needed."""
        return "any"

    def format(self) -> str:
        """As which of the known ones it is asked."""
        return "openai-chat"

    def headers(self) -> dict[str, str]:
        """None are needed."""
        return {}

    def on_call(self, body: dict[str, object]) -> None:
        """What is asked stays as it is."""

    def url_infer(self) -> str:
        """Of the server that the app knows."""
        return f"{os.environ['INNGEST_DEV']}/e/any"
