"""A Sphinx extension: a button that opens a chapter in Kaggle, beside Colab's.

The theme knows Colab, Binder and others. This one is there where the launch buttons of
``_config.yml`` have a ``kaggle_url``, which `make repository` writes.
"""

from sphinx.application import Sphinx

# Kaggle copies the notebook whose address on GitHub follows.
WELCOME = "/kernels/welcome?src="


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", _add, priority=502)  # the theme's have 501
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _add(app: Sphinx, page: str, template, context: dict, document) -> None:
    options = app.config.html_theme_options
    host = options.get("launch_buttons", {}).get("kaggle_url")
    for group in context.get("header_buttons", []) if host else []:
        if group.get("label") == "launch-buttons":
            file = f"{options['path_to_docs']}/{page}.ipynb"
            source = f"{options['repository_url']}/blob/{options['repository_branch']}"
            group["buttons"].append(
                {
                    "type": "link",
                    "text": "Kaggle",
                    "tooltip": "Launch on Kaggle",
                    "icon": "fa-brands fa-kaggle",
                    "url": f"{host}{WELCOME}{source}/{file}",
                }
            )
