"""Takes the pictures of docs/maps.md from a page that `crowdflow predict --page` or `batch --page` wrote.

    python scripts/page-pictures.py forecast.html docs

Needs Chromium. Each picture is a PNG with a palette, to be small.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # tests/ has the browser; this folder is not needed.
    sys.path[0] = str(Path(__file__).resolve().parents[1] / "tests")

HOUR = 65  # the slider's place on the pictures


def main(source: Path, folder: Path) -> None:
    """Takes a picture of the page with a cell chosen, one on a phone, and one of the difference from the usual."""
    from worlds import browser

    with browser.running() as chromium:
        for name, size, dark, script in (
            ("page", (1280, 800), False, ""),
            (
                "page-unusual",
                (1280, 800),
                False,
                "document.querySelector('[value=unusual]').click()",
            ),
            ("page-phone", (390, 1180), True, ""),
        ):
            page = chromium.page(*size, dark)
            page.open(source)
            page.run(f"time.value = Math.min({HOUR}, time.max)")
            page.run("time.dispatchEvent(new Event('input', {bubbles: true}))")
            page.run(script or "0")
            busiest = "[...document.querySelectorAll('.cells')][0].getBoundingClientRect()"
            x, y, width, height = page.run(f"(b => [b.x, b.y, b.width, b.height])({busiest})")
            page.click(x + 0.83 * width, y + 0.81 * height)
            if size[0] > 600 and not script:
                page.move(x + 0.61 * width, y + 0.56 * height)
            else:
                page.move(2, 2)
            page.screenshot(folder / f"{name}.png")
            save_small(folder / f"{name}.png")


def save_small(path: Path) -> None:
    """Saves a picture again with a palette of 256 colours, which keeps thin lines and scales."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(
            256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
    small.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
