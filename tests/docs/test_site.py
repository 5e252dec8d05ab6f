"""The documentation: it builds, names only what exists, and fetches nothing."""

import functools
import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from zoo.runner.launch import without_sizes

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"`([^`\n]+)`")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: a broken link or an unknown name fails."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_builds_and_its_pages_load_nothing_from_the_network(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES) - 2
    for page in pages:
        text = page.read_text()
        assert not re.search(r'<(script|img|iframe)[^>]*src="(https?:)?//', text)
        assert not re.search(r'<link[^>]*rel="(stylesheet|preconnect)"[^>]*//', text)


def test_every_model_has_a_page_with_its_api():
    for path in (ROOT / "zoo" / "models").glob("[a-z]*.py"):
        page = ROOT / "docs" / "models" / f"{path.stem}.md"
        assert f"::: zoo.models.{path.stem}." in page.read_text()


def test_every_package_has_a_line_in_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = [path.parent for path in (ROOT / "zoo").glob("*/**/__init__.py")]
    modules = list((ROOT / "zoo").glob("[a-z]*.py"))
    for path in packages:
        assert f"\n| `{relative(path)}/` |" in text
    for path in modules:
        assert f"\n| `{relative(path)}` |" in text


def test_imports_in_the_architecture_are_those_that_are_checked():
    rules = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))["SIBLINGS"]
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `zoo/([a-z]+)(?:/|\.py)` \|.*\| (.+?) \|$", text, re.M)
    stated = {package: set(CODE.findall(imports)) for package, imports in rows}
    for package, allowed in rules.items():
        if allowed != {"*"}:
            assert stated[package] == allowed - {package}, package


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_files_that_a_page_names_exist(page):
    prefixes = ("zoo/", "experiments/", "benchmarks/", "docs/", "tests/", "colab/")
    for name in CODE.findall(page.read_text()):
        if name.startswith(prefixes) and not re.search(r"[ <>]|NAME|mine", name):
            assert (ROOT / name).exists(), f"{name} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_from_a_page_exist(page):
    """MkDocs does not read the README; GitHub shows all pages."""
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("https:"):
            assert (page.parent / target).exists(), f"{target} does not exist"


def experiments() -> list[str]:
    """Returns every command in a line of text that runs an experiment."""
    spans = [span for page in PAGES for span in CODE.findall(page.read_text())]
    commands = {span for span in spans if span.startswith("python experiments/")}
    return sorted(command for command in commands if " NAME " not in command)


@pytest.mark.parametrize("command", experiments())
def test_experiments_in_the_text_have_valid_options(command):
    """Blocks of commands are run by test_commands.py; these are only parsed."""
    _, script, *options = shlex.split(command)
    assert (ROOT / script).is_file()
    name = Path(script).stem
    experiment = getattr(importlib.import_module(name), name)

    @functools.wraps(experiment)
    def parsed(**_):
        return "parsed"

    parser = without_sizes(parsed)
    config = (tyro.conf.OmitArgPrefixes,)
    assert tyro.cli(parser, args=options, config=config) == "parsed"
