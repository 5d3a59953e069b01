"""The report in a browser, from its file alone, as Kubeflow's pages show it."""

import pytest
from worlds import browser

from crowdflow.components.flow_report.page import render_page


@pytest.mark.skipif(not browser.CHROMIUM, reason="no chromium on this machine")
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_report_opens_from_its_file_alone(make_report, tmp_path, size):
    path = tmp_path / "index.html"
    path.write_text(render_page(make_report()), encoding="utf-8")
    inside = "document.querySelector('iframe').contentDocument"
    with browser.running() as running:
        page = running.page(*size)
        page.open(path, ready="document.readyState === 'complete'")
        assert "Blessed and pushed" in page.text("body")
        assert page.run("document.querySelectorAll('svg').length") > 3
        page.run("document.querySelector('iframe').scrollIntoView()")
        page.wait(f"{inside}?.documentElement.dataset.ready === 'yes'")
        assert page.run("document.documentElement.scrollWidth") <= size[0]
        assert page.troubles == [] and page.requests == []
