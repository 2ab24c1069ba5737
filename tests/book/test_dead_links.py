"""The weekly check of the links finds one that leads nowhere.

The book's own are looked up by its workflow, since tests need no network.
"""

import http.server
import json
import threading

import pytest
import yaml
from chapters import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def host():
    """A server on this machine that has one page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/here" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_check_of_the_links_finds_a_dead_one(small_book, host):
    pages = {
        "index.md": f"# A book\n\n[here]({host}/here) and [gone]({host}/gone).",
        "two.md": "# Two\n\nA [number](https://doi.org/10.1000/1) that stays.",
    }
    site, _ = small_book(pages, "linkcheck", fails=True)
    lines = (site / "output.json").read_text("utf-8").splitlines()
    found = {each["uri"]: each["status"] for each in map(json.loads, lines)}
    assert found[f"{host}/here"] == "working" and found[f"{host}/gone"] == "broken"
    assert found["https://doi.org/10.1000/1"] == "ignored"


def test_workflow_runs_that_check():
    workflow = ROOT / ".github" / "workflows" / "links.yml"
    text = workflow.read_text("utf-8")
    assert "jupyter-book build book/ --builder linkcheck" in text
    assert yaml.safe_load(text)["jobs"]["report"]["needs"] == "links"
