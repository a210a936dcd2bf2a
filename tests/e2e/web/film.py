"""Pictures of a page one after the other, as a GIF."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

_COLOURS = 128
_STILL_MS = 900
_MOVING_MS = 160


class Film:
    """What a page looked like, and for how long it is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._pictures: list[Image.Image] = []
        self._durations_ms: list[int] = []

    def take(self, duration_ms: int = _STILL_MS) -> None:
        """A picture of now."""
        picture = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        self._pictures.append(picture)
        self._durations_ms.append(duration_ms)

    def roll(self, most: int, until: str) -> None:
        """Pictures one after the other, so many at most, until that selector is there."""
        for _ in range(most):
            self.take(_MOVING_MS)
            if self._page.locator(until).count():
                return

    def save(self, path: Path) -> None:
        """Write it, with one palette for all pictures: what does not change takes no room."""
        palette = self._strip().quantize(_COLOURS)
        first, *others = [
            picture.quantize(palette=palette, dither=Image.Dither.NONE)
            for picture in self._pictures
        ]
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=self._durations_ms,
            loop=0,
            optimize=True,
        )

    def _strip(self) -> Image.Image:
        """All pictures in one, for their colours."""
        width, height = self._pictures[0].size
        strip = Image.new("RGB", (width, height * len(self._pictures)))
        for number, picture in enumerate(self._pictures):
            strip.paste(picture, (0, number * height))
        return strip
