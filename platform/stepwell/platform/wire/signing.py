"""The signing keys of this server."""

from stepwell.functions.signing import Keys, is_key
from stepwell.platform.errors import StepwellError
from stepwell.platform.settings import Settings


class BadSigningKey(StepwellError):
    """A signing key that means nothing; says which setting, never the key.

    Args:
        setting: its name.
    """

    def __init__(self, setting: str) -> None:
        super().__init__(setting)
        self.setting = setting

    def __str__(self) -> str:
        return (
            f"{self.setting} is no signing key: write an even number of hexadecimal digits, such as 64 of them, which "
            "may follow signkey-prod- or the like"
        )


def keys_of(settings: Settings) -> Keys:
    """Those of the settings. Raises `BadSigningKey`."""
    current, fallback = (
        key.get_secret_value().strip() if key else None for key in (settings.signing_key, settings.signing_key_fallback)
    )
    for setting, key in {"STEPWELL_SIGNING_KEY": current, "STEPWELL_SIGNING_KEY_FALLBACK": fallback}.items():
        if key is not None and not is_key(key):
            raise BadSigningKey(setting)
    return Keys(current, fallback)
