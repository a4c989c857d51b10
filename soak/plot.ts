/** A line over time as SVG. */

const WIDTH = 900
const HEIGHT = 260
const LEFT = 70
const BOTTOM = 30
const TOP = 30

interface Point {
  /** Seconds. */
  readonly x: number
  readonly y: number
}

export const plot = (title: string, points: ReadonlyArray<Point>): string => {
  const right = Math.max(1, ...points.map(({ x }) => x))
  const top = 1.1 * Math.max(1, ...points.map(({ y }) => y))
  const px = (x: number): string => (LEFT + (x / right) * (WIDTH - LEFT - 10)).toFixed(1)
  const py = (y: number): string => (HEIGHT - BOTTOM - (y / top) * (HEIGHT - BOTTOM - TOP)).toFixed(1)
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((part) => [
    `<line x1="${LEFT}" x2="${WIDTH - 10}" y1="${py(part * top)}" y2="${py(part * top)}" stroke="#ddd"/>`,
    `<text x="${LEFT - 6}" y="${py(part * top)}" text-anchor="end">${(part * top).toPrecision(3)}</text>`,
    `<text x="${px(part * right)}" y="${HEIGHT - 10}" text-anchor="middle">${((part * right) / 60).toFixed(1)} min</text>`
  ])
  const line = points.map(({ x, y }) => `${px(x)},${py(y)}`).join(" ")
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="18" font-size="14">${title}</text>`,
    ...grid,
    `<polyline points="${line}" fill="none" stroke="#1668b8" stroke-width="1.5"/>`,
    `</svg>\n`
  ].join("\n")
}
