"""Plots as SVG, with nothing but Python."""
import html
import math

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 80, 56, 44, 24
COLOURS = ["#1f5fa8", "#c8553d", "#4a8f5b", "#8a6bb1", "#a0843a"]


def text(x, y, what, anchor="middle", size=12, more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{more}>'
            f"{html.escape(str(what))}</text>")


def document(title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="sans-serif" fill="#222">\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
            + text(WIDTH / 2, 24, title, size=15) + "\n" + "\n".join(parts) + "\n</svg>\n")


def ticks_up_to(top):
    """Round numbers from 0 to above the top, some five of them."""
    step = 10 ** math.floor(math.log10(top / 4)) if top > 0 else 1
    for factor in (1, 2, 5, 10):
        if top / (step * factor) <= 6:
            step *= factor
            break
    count = math.ceil(top / step)
    return [step * i for i in range(count + 1)]


def short(number):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def frame(ticks, y_label):
    parts = []
    for tick in ticks:
        y = height_of(tick, ticks)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                     'stroke="#ddd"/>')
        parts.append(text(LEFT - 8, y + 4, short(tick), anchor="end"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(text(18, middle, y_label, more=f' transform="rotate(-90 18 {middle:.1f})"'))
    return parts


def height_of(value, ticks):
    return HEIGHT - BOTTOM - value / ticks[-1] * (HEIGHT - BOTTOM - TOP)


def legend(names):
    parts = []
    for i, name in enumerate(names):
        x, y = LEFT + 12 + 190 * (i % 3), TOP + 4 + 16 * (i // 3)
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" '
                     f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        parts.append(text(x + 15, y, name, anchor="start", size=11))
    return parts


def lines(title, x_label, y_label, series):
    """@param series {name: [(x, y, lowest, highest)]}; x from above 0, drawn by its logarithm"""
    points = [point for one in series.values() for point in one]
    low, high = (math.log2(pick(point[0] for point in points)) for pick in (min, max))
    ticks = ticks_up_to(1.15 * max(point[3] for point in points))
    span = (high - low) or 1

    def place(x):
        return LEFT + 20 + (math.log2(x) - low) / span * (WIDTH - LEFT - RIGHT - 40)

    parts = frame(ticks, y_label) + legend(series)
    for x in sorted({point[0] for point in points}):
        parts.append(text(place(x), HEIGHT - BOTTOM + 18, short(x)))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label))
    for i, one in enumerate(series.values()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{place(x):.1f},{height_of(y, ticks):.1f}" for x, y, _, _ in one)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, lowest, highest in one:
            at = place(x)
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{height_of(lowest, ticks):.1f}" '
                         f'y2="{height_of(highest, ticks):.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{at:.1f}" cy="{height_of(y, ticks):.1f}" r="3.5" '
                         f'fill="{colour}"/>')
    return document(title, parts)


def bars(title, y_label, groups):
    """@param groups {group: [(name, y, lowest, highest)]}"""
    names = list(dict.fromkeys(bar[0] for one in groups.values() for bar in one))
    ticks = ticks_up_to(1.2 * max(bar[3] for one in groups.values() for bar in one))
    parts = frame(ticks, y_label) + legend(names)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    for g, (group, one) in enumerate(groups.items()):
        parts.append(text(LEFT + room * (g + 0.5), HEIGHT - BOTTOM + 18, group, size=11))
        width = min(40, 0.8 * room / len(one))
        start = LEFT + room * (g + 0.5) - width * len(one) / 2
        for i, (name, y, lowest, highest) in enumerate(one):
            x, top = start + i * width, height_of(y, ticks)
            parts.append(f'<rect x="{x + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" '
                         f'height="{HEIGHT - BOTTOM - top:.1f}" '
                         f'fill="{COLOURS[names.index(name) % len(COLOURS)]}"/>')
            at = x + width / 2
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{height_of(lowest, ticks):.1f}" '
                         f'y2="{height_of(highest, ticks):.1f}" stroke="#222"/>')
            parts.append(text(at, height_of(highest, ticks) - 5, f"{y:,.0f}", size=10))
    return document(title, parts)
