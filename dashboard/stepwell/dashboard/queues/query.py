"""What is asked of the queues and keys: everything is in the address."""

from pydantic import ConfigDict, Field

from stepwell.platform.api.operations import Query


class QueuesQuery(Query):
    """Which functions and keys."""

    # Links from elsewhere may carry parameters of their own.
    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str | None = Field(None, max_length=512)
    constraint: str | None = Field(None, max_length=256)

    @property
    def filtered(self) -> bool:
        """Whether it asks for less than all."""
        return bool(self.text or self.constraint)

    def finds(self, *texts: str) -> bool:
        """Whether one of some texts has in it what was typed, in small letters or capitals."""
        wanted = (self.text or "").strip().lower()
        return any(wanted in text.lower() for text in texts)
