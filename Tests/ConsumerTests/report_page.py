"""What a screen reader needs of a report's page: a language, one main heading, headings that skip no level, landmarks,
names of drawings and of boxes that scroll, headers of columns and rows, and identifiers that are there once.

Usage: report_page.py REPORT    (the report's folder)
"""

import html.parser
import pathlib
import sys

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "circle", "rect", "image"}


class Page(html.parser.HTMLParser):
    """The elements in their order, each with its attributes, its parents and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open[-1]['name']}"

    def handle_starttag(self, name, attributes):
        element = {"name": name, "text": "", "parents": list(self.open), **dict(attributes)}
        self.elements.append(element)
        if name not in VOID:
            self.open.append(element)

    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)
        if name not in VOID:
            self.open.pop()

    def handle_endtag(self, name):
        closed = self.open.pop()
        assert closed["name"] == name, f"{closed['name']} is closed as {name}"

    def handle_data(self, text):
        for element in self.open:
            element["text"] += text

    def named(self, *names):
        return [element for element in self.elements if element["name"] in names]


def main(report):
    page = Page((report / "report.html").read_text())
    assert page.named("html")[0].get("lang") == "en"
    assert page.named("title")[0]["text"].strip()
    for landmark in ("header", "main", "footer", "h1"):
        assert len(page.named(landmark)) == 1, landmark
    assert all(nav.get("aria-label") for nav in page.named("nav"))

    level = 0
    for heading in page.named("h1", "h2", "h3", "h4"):
        own = int(heading["name"][1])
        assert heading["text"].strip() and own <= level + 1, f"{heading['name']} {heading['text']} after h{level}"
        level = own

    by_id = {}
    for element in page.elements:
        if "id" in element:
            assert element["id"] not in by_id, f"two of #{element['id']}"
            by_id[element["id"]] = element
    for link in page.named("a"):
        assert link["text"].strip() and link["href"][1:] in by_id, link["href"]

    drawings = page.named("svg")
    assert drawings
    for drawing in drawings:
        names = [by_id[name]["text"].strip() for name in drawing["aria-labelledby"].split()]
        assert drawing["role"] == "img" and len(names) == 2 and all(names), names

    tables = page.named("table")
    assert tables
    for table in tables:
        box = table["parents"][-1]
        assert box.get("tabindex") == "0" and box.get("role") == "region" and box.get("aria-label"), box
    for header in page.named("th"):
        inside = "col" if any(parent["name"] == "thead" for parent in header["parents"]) else "row"
        assert header.get("scope") == inside and header["text"].strip(), header["text"]
    rows = [row for row in page.named("tr") if any(parent["name"] == "tbody" for parent in row["parents"])]
    headers = [th for th in page.named("th") if th["scope"] == "row"]
    assert len(headers) == len(rows)
    for button in page.named("button"):
        assert button["text"].strip() and button["aria-pressed"] in ("true", "false")
    for group in page.elements:
        if group.get("role") == "group":
            assert group.get("aria-label")


main(pathlib.Path(sys.argv[1]))
