"""The page of `crowdflow predict --page`: its size, its time to be written, and how soon it answers in Chromium.

    python benchmarks/page.py
    python benchmarks/page.py --rows 200 --cols 200 --steps 12

A city of Poisson flows with 48 steps of half an hour, each with a band, and whose truth is known. The slider is
moved step by step in headless Chromium; a move is answered when the browser has drawn the frame after it. The last
line is JSON; exit code 1 when the page has 5 MB or more, or when the slowest of the moves takes 100 ms or more.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    # tests/ has the browser and the city; this folder is not needed.
    sys.path[0] = str(Path(__file__).resolve().parents[1] / "tests")

import click
import numpy as np

BOX = (40.70, -74.03, 40.82, -73.90)
MOST_BYTES, MOST_MS = 5_000_000, 100
# Times from the slider's event to the start of the frame after the one in which it is drawn, milliseconds.
MOVES = """
(async () => {
  const slider = document.querySelector("#time"), found = [];
  const frame = () => new Promise(requestAnimationFrame);
  for (let move = 0; move < %d; move++) {
    await frame();
    const begin = performance.now();
    slider.value = move %% (Number(slider.max) + 1);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    const script = performance.now() - begin;
    await frame();
    await frame();
    found.push([script, performance.now() - begin]);
  }
  return found;
})()
"""


@click.command()
@click.option("--rows", default=32, show_default=True)
@click.option("--cols", default=32, show_default=True)
@click.option("--steps", default=48, show_default=True)
@click.option("--moves", default=200, show_default=True)
def main(rows: int, cols: int, steps: int, moves: int) -> None:
    """Measures the page and exits with 1 above a bound."""
    from worlds import browser
    from worlds.pages import city

    from crowdflow.maps.page import render_page

    made = city(rows, cols, BOX, minutes=30, steps=steps, after=steps, percent=80)
    begin = time.perf_counter()
    text = render_page(made)
    seconds = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder, browser.running() as chromium:
        path = Path(folder, "page.html")
        path.write_text(text, encoding="utf-8")
        page = chromium.page()
        begin = time.perf_counter()
        page.open(path)
        opened = time.perf_counter() - begin
        found = np.array(page.run(MOVES % moves))
    size = len(text.encode())
    result = {"bytes": size, "write_s": round(seconds, 2), "open_s": round(opened, 2)}
    for name, column in zip(("script", "drawn"), found.T):
        p50, p95, most = np.percentile(column, (50, 95, 100)).round(1).tolist()
        result[name] = {"p50_ms": p50, "p95_ms": p95, "most_ms": most}
        click.echo(f"{name:7} p50 {p50} ms, p95 {p95} ms, most {most} ms")
    click.echo(f"{size / 1e6:.2f} MB, written in {seconds:.2f} s, opened in {opened:.2f} s")
    click.echo(json.dumps(result))
    sys.exit(size >= MOST_BYTES or bool(found[:, 1].max() >= MOST_MS))


if __name__ == "__main__":
    main()
