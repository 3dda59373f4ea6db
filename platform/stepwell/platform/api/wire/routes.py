"""All that is served in the SDK protocol, but for events (`/e/`)."""

from collections.abc import Sequence

from starlette.routing import Route

from stepwell.functions.signing import Keys
from stepwell.platform.api.wire.cancellations import CancellationsApi
from stepwell.platform.api.wire.checkpoints import CheckpointsApi
from stepwell.platform.api.wire.counter import Counter
from stepwell.platform.api.wire.gql import GqlApi
from stepwell.platform.api.wire.journal import JournalApi
from stepwell.platform.api.wire.reads import ReadsApi
from stepwell.platform.api.wire.register import RegisterApi
from stepwell.platform.api.wire.signals import SignalsApi
from stepwell.platform.api.wire.state import StateApi
from stepwell.platform.installation import Installation
from stepwell.platform.wire.addresses import Addresses


def wire_routes(installation: Installation, keys: Keys, addresses: Addresses, *, dev: bool) -> Sequence[Route]:
    """The rows of the route table.

    Args:
        installation: what it is about.
        keys: the signing keys of this server.
        addresses: that apps may be served at.
        dev: apps register without a key.
    """
    counter = Counter(keys, dev=dev)
    return [
        # First, since it is asked for with each step of apps that record them so.
        *CheckpointsApi(counter, installation).routes(),
        *JournalApi(counter, installation).routes(),
        *RegisterApi(counter, installation.registry, addresses).routes(),
        *StateApi(counter, installation.history).routes(),
        *ReadsApi(counter, installation).routes(),
        *CancellationsApi(counter, installation).routes(),
        *SignalsApi(counter, installation.waits.signals, installation.settings.max_event_bytes).routes(),
        *GqlApi(counter, installation.history).routes(),
    ]
