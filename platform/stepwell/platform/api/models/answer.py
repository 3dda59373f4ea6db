"""What all answers of the API are made of."""

from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

T = TypeVar("T")
PAYLOAD: dict[str, Any] = {"x-payload": True}
"""Marks the fields that a key may be kept from: what users of the platform put into it. Beside them is a `hidden`."""


class Answer(BaseModel):
    """What cannot be changed once it is told."""

    model_config = ConfigDict(frozen=True)

    def without_payloads(self) -> Self:
        """The same for those who may not see payloads."""
        shown = {name: _without(field, getattr(self, name)) for name, field in type(self).model_fields.items()}
        return self.model_copy(update={**shown, "hidden": True} if "hidden" in shown else shown)


def _without(field: FieldInfo, value: Any) -> Any:
    if field.json_schema_extra == PAYLOAD:
        return None
    if isinstance(value, list):
        return [_concealed(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return _concealed(value)


def _concealed(value: Any) -> Any:
    return value.without_payloads() if isinstance(value, Answer) else value


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
