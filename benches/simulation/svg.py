"""Line charts with a logarithmic axis as SVG, readable on light and dark pages: they bring their own background."""

import math
from html import escape

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 860, 220, 84, 20, 44, 82
COLORS = ("#0b6e4f", "#c2410c", "#1d4ed8", "#7c3aed", "#6b7280")


def chart(title, panels, x_label, y_label):
    """Panels under each other, each (title, lines, limit): lines are (name, points), the limit is a level and its name."""
    height = TOP + len(panels) * (PANEL + TOP + BOTTOM)
    font = 'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12" fill="#1f2937"'
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="16" font-weight="bold">{escape(title)}</text>',
    ]
    for place, panel in enumerate(panels):
        parts += _panel(panel, TOP + place * (PANEL + TOP + BOTTOM) + TOP - 10, x_label, y_label)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel, top, x_label, y_label):
    title, lines, limit = panel
    right, bottom = WIDTH - RIGHT, top + PANEL
    seconds = max(len(points) for _, points in lines)
    decades = math.ceil(math.log10(max(limit[1], *(y for _, points in lines for _, y in points))))

    def across(x):
        return LEFT + x / seconds * (right - LEFT)

    def up(y):
        return bottom - math.log10(max(y, 1)) / decades * PANEL

    parts = [f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{escape(title)}</text>']
    for decade in range(decades + 1):
        y = up(10**decade)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10**decade:,}</text>')
    for x in range(0, seconds + 1, 10 if seconds <= 80 else 20):
        parts.append(f'<text x="{across(x):.1f}" y="{bottom + 16}" text-anchor="middle">{x}</text>')
    parts.append(f'<text x="{right}" y="{bottom + 32}" text-anchor="end">{escape(x_label)}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{top - 12}" text-anchor="end" font-size="11">{escape(y_label)}</text>')
    y = up(limit[1])
    parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#111827" stroke-dasharray="6 4"/>')
    # The first line is drawn last, above the others.
    for number, (name, points) in reversed(list(enumerate(lines))):
        color, width = COLORS[number % len(COLORS)], 2.4 if number == 0 else 1.6
        path = " ".join(f"{across(x + 0.5):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>')
    return parts + _legend([name for name, _ in lines], limit[0], bottom + 54)


def _legend(names, limit, y):
    """Below the axis, where nothing else stands; each name has the room that it needs, in a second row if it must be."""
    parts, x = [], LEFT
    for number, name in enumerate([*names, limit]):
        room = 22 + round(7 * len(name)) + 16
        if x + room > WIDTH - RIGHT:
            x, y = LEFT, y + 18
        if number < len(names):
            parts.append(f'<rect x="{x}" y="{y - 5}" width="16" height="4" fill="{COLORS[number % len(COLORS)]}"/>')
        else:
            line = f'<line x1="{x}" x2="{x + 16}" y1="{y - 3}" y2="{y - 3}" stroke="#111827" stroke-dasharray="6 4"/>'
            parts.append(line)
        parts.append(f'<text x="{x + 22}" y="{y + 1}">{escape(name)}</text>')
        x += room
    return parts
