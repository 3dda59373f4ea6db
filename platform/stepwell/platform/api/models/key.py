"""Keys of constraints, as the API tells of them."""

from pydantic import Field

from stepwell.platform.api.models.answer import Answer


class SlotHolder(Answer):
    """A run that has a slot."""

    run: str
    since: int
    worker: str | None = Field(description="the session that executes it")


class Key(Answer):
    """A value of the key of a constraint, of which somebody has a slot or waits for one."""

    scope: str = Field(description="the id of both")
    constraint: str = Field(description="app/function#… of one function; app~name or ~name of a shared one")
    value: str = Field(description='of the key; "" when all runs are counted alike')
    limit: int | None = Field(description="slots there are; null when there are none to be had, as of a throttle")
    held: int
    holders: list[SlotHolder] = Field(description="the first 100, oldest first")
    lanes: int = Field(description="that wait for it")
    waiting: int = Field(description="runs in the first 100 of these lanes")
