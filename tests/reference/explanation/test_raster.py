"""A picture as PNG is what the SVG shows, and what keeps it from being drawn is said."""

from __future__ import annotations

import base64
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdover.model.errors import InputError
from holdover.reference.explanation import raster
from holdover.reference.explanation.lanes import picture
from holdover.reference.explanation.page import sizes_of
from holdover.reference.explanation.page_data import page_data
from holdover.reference.explanation.raster import SCALE, png_of
from tests.reference.explanation.told import compared

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RED = """async (data) => {
  const image = new Image();
  image.src = "data:image/png;base64," + data;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const on = canvas.getContext("2d");
  on.drawImage(image, 0, 0);
  const pixels = on.getImageData(0, 0, image.width, image.height).data;
  let red = 0, white = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b] = pixels.slice(at, at + 3);
    if (r > 180 && g < 70 && b < 70) red += 1;
    if (r === 255 && g === 255 && b === 255) white += 1;
  }
  return [red, white / (image.width * image.height)];
}"""
"""How many pixels have the red of a collision, and how much of the picture is white."""


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_collision_is_red_in_it_and_the_fix_has_no_red(browser: Browser) -> None:
    bug, fix = compared("wfwg311", "wfwg311-fixed").shown()
    page = browser.new_page()
    for shown, red in ((bug, True), (fix, False)):
        svg = picture(page_data([shown], sizes_of(bug)))
        drawn = png_of(svg)
        wanted = raster.SIZE.match(svg)
        assert wanted is not None
        assert size_of(drawn) == (SCALE * int(wanted["width"]), SCALE * int(wanted["height"]))
        pixels, white = page.evaluate(RED, base64.b64encode(drawn).decode())
        assert 0.5 < white < 0.98  # light, and not empty
        assert (pixels > 1000) == red
    page.close()


def program(place: Path, name: str, does: str, patch: pytest.MonkeyPatch) -> None:
    """The only browser on the path."""
    file = place / name
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    patch.setenv("PATH", str(place))


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'


@pytest.mark.parametrize(
    ("name", "does", "says"),
    [
        ("other", "exit 0", r"needs Chromium or Chrome, .* \(apt-get install chromium\)"),
        ("chromium", "echo first >&2; echo no display >&2; exit 1", "nothing: no display"),
        ("google-chrome", "exit 7", "drawn nothing: exit status 7"),
        ("chromium", "exec /bin/sleep 30", "nothing within 1 s"),
    ],
)
def test_what_keeps_it_from_being_drawn_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, does: str, says: str
) -> None:
    program(tmp_path, name, does, monkeypatch)
    monkeypatch.setattr(raster, "PATIENCE", 1)
    with pytest.raises(InputError, match=says):
        png_of(SVG)
