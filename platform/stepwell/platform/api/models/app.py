"""Apps, as the API tells of them."""

from pydantic import Field

from stepwell.platform.api.models.answer import Answer


class ServedApp(Answer):
    """Where an app is reached over HTTP."""

    url: str
    sdk: str = Field(description="what it is written with, as it says; empty when it does not")
    framework: str = Field(description="of its web application, as it says; empty when it does not")


class App(Answer):
    """A set of functions deployed together."""

    id: str
    version: str
    functions: list[str]
    served: ServedApp | None = Field(default=None, description="null when workers execute its functions")


class AddedApp(Answer):
    """What has come of asking an app to register itself."""

    modified: bool = Field(description="whether anything was registered that was not before")
    apps: list[App] = Field(description="those that are registered as served there: none when it names another address")
