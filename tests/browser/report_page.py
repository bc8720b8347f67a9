#!/usr/bin/env python3
"""Looks at report.html in Chromium: of a run, and of two side by side; light and dark, on a phone
and on a desk.

    tests/browser/report_page.py HONE [--runs FOLDER FOLDER ...] [--pictures FOLDER]

Trains two tiny models, unless it is told of runs that are there. Fails where a page is wider than its
window, a drawing's text is cut off, too small or stands on another, a text is hardly to be told from
its ground, a figure has no name, the console complains, or anything but the page is fetched. With
--pictures it writes a PNG of each view, to be looked at. Exits with 77, which ctest takes for
skipped, where there is no Chromium.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import chromium

SKIPPED = 77
DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "train"
WINDOWS = {"phone": (390, 844), "desk": (1280, 900)}
SCHEMES = ("light", "dark")

# Everything wrong that the page itself can be asked about, as a list of sentences.
FAULTS = r"""
(() => {
  const faults = [], width = document.documentElement.clientWidth;
  const say = (element, what) =>
    faults.push(`${element.tagName.toLowerCase()} "${element.textContent.trim().slice(0, 40)}" ${what}`);
  if (document.documentElement.scrollWidth > width)
    faults.push(`the page is ${document.documentElement.scrollWidth} wide, its window ${width}`);

  // What scrolls by itself may be as wide as it likes.
  for (const element of document.body.querySelectorAll('*')) {
    const box = element.getBoundingClientRect(), scrolls = element.parentElement.closest('.table, pre');
    if (!scrolls && box.width > 0 && (box.right > width + 0.5 || box.left < -0.5))
      say(element, `reaches from ${box.left} to ${box.right} of ${width}`);
  }

  for (const drawing of document.querySelectorAll('svg')) {
    const frame = drawing.getBoundingClientRect(), before = [];
    if (!drawing.getAttribute('aria-label')) say(drawing, 'is not named');
    for (const text of drawing.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      if (box.left < frame.left - 0.5 || box.right > frame.right + 0.5 ||
          box.top < frame.top - 0.5 || box.bottom > frame.bottom + 0.5) say(text, 'is cut off');
      if (box.height < 11) say(text, `is ${box.height} high`);
      for (const other of before)
        if (box.left < other.right && other.left < box.right && box.top < other.bottom - 2 &&
            other.top < box.bottom - 2) say(text, 'stands on another');
      before.push(box);
    }
  }

  const numbers = colour => colour.match(/[\d.]+/g).map(Number);
  const luminance = colour => numbers(colour).slice(0, 3)
    .map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  for (const element of document.body.querySelectorAll('*')) {
    const has_text = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const style = getComputedStyle(element), is_drawn = element.namespaceURI.endsWith('svg');
    // WCAG 2.1: 4.5 for text, 3 for lines that have to be told apart from what is behind them.
    if (has_text) {
      const found = contrast(is_drawn ? style.fill : style.color, ground(element));
      if (found < 4.5) say(element, `has a contrast of ${found.toFixed(2)}`);
    } else if (element.tagName === 'path' && contrast(style.stroke, ground(element)) < 3) {
      say(element, `${element.getAttribute('class')} has a contrast of ` +
          contrast(style.stroke, ground(element)).toFixed(2));
    }
  }
  for (const tile of document.querySelectorAll('.tile'))
    if (!tile.querySelector('span')?.textContent) say(tile, 'has no name');
  return faults;
})()
"""


def train(hone, folder):
    """Two runs that are long enough for their curves to be diagnosed. @return their folders"""
    runs = [folder / "rank-4", folder / "a-run-whose-folder-has-a-long-name-of-many-words"]
    for run, rank, rate in zip(runs, (4, 8), ("1.0e-2", "2.0e-1")):
        config = folder / f"{run.name}.yaml"
        rows = DATA / "data" / "sft.jsonl"
        config.write_text(
            f"model: {{base: '{DATA / '_base'}'}}\nadapter: {{method: lora, r: {rank}}}\n"
            f"data: {{train: '{rows}', eval: '{rows}'}}\n"
            f"train: {{output_dir: '{run}', max_steps: 60, precision: fp32}}\n"
            f"optim: {{learning_rate: {rate}}}\neval: {{eval_steps: 10}}\n")
        subprocess.run([hone, "train", config, "--quiet"], check=True)
    return runs


def look(browser, page, pictures):
    """The faults of a page in every view."""
    faults = []
    for window, (width, height) in WINDOWS.items():
        for scheme in SCHEMES:
            browser.open(page.as_uri(), width, height, scheme)
            found = browser.evaluate(FAULTS) + browser.complaints()
            faults += [f"{page.name}, {window}, {scheme}: {fault}" for fault in found]
            if pictures:
                browser.picture(pictures / f"{page.stem}-{window}-{scheme}.png")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("--runs", type=pathlib.Path, nargs="+")
    parser.add_argument("--pictures", type=pathlib.Path)
    arguments = parser.parse_args()
    program = chromium.find()
    if not program:
        print("no Chromium is installed")
        return SKIPPED
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    hone = arguments.hone.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runs = arguments.runs or train(hone, folder)
        pages = [folder / f"run{number}.html" for number in range(len(runs))]
        for run, page in zip(runs, pages):
            subprocess.run([hone, "report", run, "--output", page, "--quiet"], check=True)
        if len(runs) > 1:
            pages.append(folder / "compared.html")
            subprocess.run([hone, "report", *runs, "--output", pages[-1], "--quiet"], check=True)
        with chromium.Chromium(program) as browser:
            faults = [fault for page in pages for fault in look(browser, page, arguments.pictures)]
    print("\n".join(faults) or f"{len(pages)} pages in {len(WINDOWS) * len(SCHEMES)} views each: no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
