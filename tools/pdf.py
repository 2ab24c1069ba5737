"""Print the built book as one PDF: ``make pdf``.

The pages of the built site are put one after another into one document, in the order of
the contents, and Chromium prints it. So the PDF has the site's typesetting, links that
lead from chapter to chapter, and an outline. Live outputs appear as their pictures. How
paper differs from the screen is in ``book/_vendor``: ``page.js`` unfolds the folds,
the rest is in the last part of ``book.css``.
"""

import sys
from pathlib import Path

import yaml
from chapters import ROOT
from chromium import browser

SITE = ROOT / "book" / "_build" / "html"
PDF = ROOT / "book" / "_build" / "sine-networks.pdf"

# Runs in a page of the site. Addresses inside the book become anchors of the one
# document; each carries its page's name, since headings recur from page to page.
GATHER = """
async ([title, pages]) => {
  const names = new Set(pages.map(([name]) => name));
  const reader = new DOMParser();
  const articles = pages.map(([name, html]) => {
    const page = reader.parseFromString(html, "text/html");
    const article = page.querySelector("article.bd-article");
    article.querySelectorAll("script").forEach((each) => each.remove());
    article.querySelectorAll("[id]").forEach((each) => each.id = `${name}--${each.id}`);
    article.querySelectorAll("a[href]").forEach((link) => {
      const [file, anchor] = link.getAttribute("href").split("#");
      const target = file ? file.replace(/[.]html$/, "") : name;
      if (/^[\\w-]+[.]json$/.test(file)) link.removeAttribute("href");
      if (!names.has(target)) return;
      link.setAttribute("href", anchor ? `#${target}--${anchor}` : `#${target}`);
    });
    article.id = name;
    return article;
  });
  document.title = title;
  document.body.className = "paper";
  document.body.replaceChildren(...articles);
  const heads = articles.map((article, i) => {
    const head = JSON.stringify(article.querySelector("h1").firstChild.textContent);
    article.style.page = `page${i}`;
    return i ? `@page page${i} { @top-right { content: ${head}; } }` : "";
  });
  document.head.append(Object.assign(
    document.createElement("style"), { textContent: heads.join("\\n") }));
  await MathJax.typesetPromise();
  await Promise.all([...document.images].map((image) => image.decode()));
  await document.fonts.ready;
}
"""


def make(site: Path = SITE, path: Path = PDF) -> Path:
    """Write the PDF of a built site, and return where it is.

    Raises:
        FileNotFoundError: the site is not built, or Chromium or Playwright is missing.
    """
    names = page_names()
    missing = [name for name in names if not (site / f"{name}.html").is_file()]
    if missing:
        raise FileNotFoundError(f"{missing[0]}.html is not in {site}: run `make book`")
    pages = [[name, (site / f"{name}.html").read_text("utf-8")] for name in names]
    # MathJax is there on the pages that have mathematics.
    host = next(name for name, text in pages if "tex-mml-chtml.js" in text)
    title = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["title"]
    with browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        page.emulate_media(media="print", color_scheme="light")
        page.goto((site / f"{host}.html").as_uri())
        page.evaluate(GATHER, [title, pages])
        page.pdf(path=path, prefer_css_page_size=True, outline=True, tagged=True)
    return path


def page_names() -> list[str]:
    """The pages in the order of the contents."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    chapters = [
        entry["file"] for part in contents["parts"] for entry in part["chapters"]
    ]
    return [contents["root"], *chapters]


if __name__ == "__main__":
    try:
        print(make(*map(Path, sys.argv[1:])))
    except FileNotFoundError as error:
        sys.exit(str(error))
