"""The request that an ingest load repeats."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from bench.events import event

PATH = "/e/bench"
PLACE = b"@serial@"


@dataclass(frozen=True, slots=True)
class Request:
    """One POST of events.

    Args:
        host: of the server.
        port: of the server.
        batch: events in it.
        body: its JSON, in which each `PLACE` stands for a number that is used once; without one when the sender gives
            the events no ids.
    """

    host: str
    port: int
    batch: int
    body: bytes

    @classmethod
    def of(cls, url: str, batch: int, name: str, ids: str) -> Self:
        """A request to the server of a URL: `batch` events of a name, with ids that begin with `ids` unless empty."""
        where = urlsplit(url)
        one = event(name).encode(f"{ids}-{PLACE.decode()}")
        if not ids:
            one = one.replace(b',"id":"-%s"' % PLACE, b"")
        body = one if batch == 1 else b"[" + b",".join([one] * batch) + b"]"
        return cls(str(where.hostname), int(where.port or 80), batch, body)

    @property
    def url(self) -> str:
        """Where it goes."""
        return f"http://{self.host}:{self.port}{PATH}"

    def numbered(self, first: int) -> bytes:
        """The body, its places filled with numbers from `first` on."""
        head, *rest = self.body.split(PLACE)
        return b"".join([head, *(b"%d%s" % (first + index, part) for index, part in enumerate(rest))])

    def lua(self) -> str:
        """A script by which wrk sends it; afterwards it prints requests, µs and failures."""
        parts = ", ".join(_quoted(part) for part in self.body.split(PLACE))
        return SCRIPT.replace("@parts@", parts).replace("@path@", _quoted(PATH.encode()))


def _quoted(text: bytes) -> str:
    return '"' + text.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'


SCRIPT = """\
local parts, path = {@parts@}, @path@
local headers = {["Content-Type"] = "application/json", ["Host"] = wrk.host}
local serial = 0
local fixed = nil

function request()
  if fixed then return fixed end
  local whole = {parts[1]}
  for index = 2, #parts do
    serial = serial + 1
    whole[#whole + 1] = serial
    whole[#whole + 1] = parts[index]
  end
  local made = wrk.format("POST", path, headers, table.concat(whole))
  if #parts == 1 then fixed = made end
  return made
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("\\nmeasured %d %d %d\\n", summary.requests, summary.duration, failed))
end
"""
