"""Fan-out and fan-in: 1,000 pictures are resized by 20 runs beside each other, five at a time, and counted in the end.

stepwell dev examples/resize.py
stepwell send album.uploaded '{"album": "summer", "pictures": 1000}'
"""

import asyncio
from collections.abc import Sequence

from stepwell.functions import App, Concurrency, Context

app = App("album")

CHUNK = 50


def numbers(pictures: int) -> list[list[int]]:
    """The pictures, in chunks."""
    return [list(range(first, min(first + CHUNK, pictures))) for first in range(0, pictures, CHUNK)]


def resize(picture: int) -> int:
    """Makes a picture small; gives its size in bytes."""
    return 1_000 + picture


@app.function(on="album.resize", concurrency=Concurrency(5))
async def chunk(ctx: Context) -> int:
    """Resizes the pictures of one chunk, each in a step: after a crash only those are done again that are not done."""
    sizes = await asyncio.gather(
        *(ctx.step.run(f"picture-{picture}", resize, picture) for picture in ctx.data["pictures"])
    )
    return sum(sizes)


@app.function(on="album.uploaded")
async def album(ctx: Context) -> dict[str, int]:
    """Has all chunks done, and adds up."""
    chunks: Sequence[list[int]] = numbers(ctx.data["pictures"])
    sizes = await asyncio.gather(
        *(ctx.step.invoke(f"chunk-{index}", chunk, {"pictures": few}) for index, few in enumerate(chunks))
    )
    return {"chunks": len(sizes), "bytes": sum(sizes)}
