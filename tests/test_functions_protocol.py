"""What an app registers, as it is written down."""

import pytest
from pydantic import ValidationError

from stepwell.functions.protocol import FunctionManifest, Manifest, RetriesManifest, ServedManifest, TriggerManifest

RETRIES = RetriesManifest(times=4)


def test_an_app_that_is_not_served_is_written_as_ever() -> None:
    function = FunctionManifest(id="fulfil", triggers=[TriggerManifest(event="order.placed")], retries=RETRIES)
    manifest = Manifest(id="shop", version="1", functions=[function])
    assert manifest.model_dump_json(exclude_defaults=True) == (
        '{"id":"shop","version":"1","functions":'
        '[{"id":"fulfil","triggers":[{"event":"order.placed"}],"retries":{"times":4}}]}'
    )


def test_a_served_app_comes_back_as_it_was_written() -> None:
    function = FunctionManifest(id="fulfil", triggers=[], retries=RETRIES, url="http://shop/api?fnId=a", name="Fulfil!")
    served = ServedManifest(url="https://shop/api", sdk="py:v0.5.19", framework="flask")
    manifest = Manifest(id="shop", version="1", functions=[function], served=served)
    assert Manifest.model_validate_json(manifest.model_dump_json(exclude_defaults=True)) == manifest


@pytest.mark.parametrize(
    "url", ["", "shop", "ftp://shop", "http://", "http://a b", "http://a\nb", "http://" + "a" * 2048]
)
def test_an_app_is_served_at_an_address_of_http(url: str) -> None:
    with pytest.raises(ValidationError):
        ServedManifest(url=url)
