"""What the theme's pages lack is added, and a theme that has changed is noticed."""

from pathlib import Path

import pytest

from holdover.reference.docs.site.accessible import MENDED, ThemeError, mend, mend_pages


def test_each_is_mended_once_and_not_again() -> None:
    page = "".join(f"{old}>" for old in MENDED)
    mended = mend(page)
    for new in MENDED.values():
        assert mended.count(new) == 1
    assert mend(mended) == mended


def test_the_pages_of_a_site_are_mended(tmp_path: Path) -> None:
    sides = '<aside class="sidebar-drawer"><p class="caption" role="heading">'
    for name in ("index.html", "deep/page.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{sides}<pre>x</pre>")
    mend_pages(tmp_path)
    assert '<pre tabindex="0">' in (tmp_path / "deep/page.html").read_text()


def test_a_theme_that_has_changed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<aside class="drawer">')
    with pytest.raises(ThemeError, match="sidebar-drawer"):
        mend_pages(tmp_path)
