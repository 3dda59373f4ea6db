"""What somebody answers, of which there may be too much."""

import aiohttp


async def content_of(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body of an answer; `None` when that has more than `most` bytes, which are not waited for."""
    parts, size = list[bytes](), 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            response.close()
            return None
    return b"".join(parts)
