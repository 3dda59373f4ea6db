"""What all answers of the API are made of."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Answer(BaseModel):
    """What cannot be changed once it is told."""

    model_config = ConfigDict(frozen=True)


class Item(Answer, Generic[T]):
    """One thing."""

    data: T


class Page(Answer, Generic[T]):
    """Part of a list. A page may be empty and still have a `next`, when a filter leaves nothing of many."""

    data: list[T]
    next: str | None = Field(default=None, description="cursor of the following part, null at the end")


class Found(Page[T], Generic[T]):
    """Part of a list that was searched, and how far: `searched` of all its pages add up to `total`."""

    searched: int = Field(description="entries looked at for this page, up to its last, or to where the next begins")
    total: int = Field(description="entries there are to look at, from the newest to the oldest")
    undecided: int = Field(description="of those searched, where `q` needed too many steps to be evaluated")
