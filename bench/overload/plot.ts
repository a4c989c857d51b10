/** Answers over time as SVG: a line for each contender, and the trouble shaded. */
import type { Span } from "./law.ts"
import { STEP_MS } from "./measure.ts"
import type { Contender } from "./protocol.ts"
import type { Measured } from "./targets.ts"

const WIDTH = 900
const HEIGHT = 340
const LEFT = 70
const RIGHT = 20
const BOTTOM = 45
const TOP = 40
const LABELS: Readonly<Record<Contender, string>> = { C: "C clientele", O: "O one OpenAI", P: "P p-limit(64)" }
const STROKES: Readonly<Record<Contender, string>> = {
  C: `stroke="#1668b8" stroke-width="2.5"`,
  O: `stroke="#c8501e" stroke-width="2" stroke-dasharray="7 4"`,
  P: `stroke="#4b8b3b" stroke-width="2" stroke-dasharray="2 3"`
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** Round values from 0 to at most `top`, six at the most. */
const ticksOf = (top: number): ReadonlyArray<number> => {
  const power = 10 ** Math.floor(Math.log10(top / 5))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => top / step <= 5) ?? top
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step)
}

/** The curve in points of seconds and answers, level after its last. */
const pointsOf = (curve: ReadonlyArray<number>, steps: number): ReadonlyArray<number> =>
  Array.from({ length: steps + 1 }, (_, i) => curve[Math.min(i, curve.length - 1)] ?? 0)

export const plotOf = (title: string, { C, O, P }: Measured, trouble: Span | undefined): string => {
  const curves = { C: C.curve, O: O.curve, P: P.curve }
  const steps = Math.max(2, ...Object.values(curves).map((curve) => curve.length - 1))
  const top = 1.05 * Math.max(1, ...Object.values(curves).map((curve) => curve.at(-1) ?? 0))
  const px = (step: number): string => (LEFT + (step / steps) * (WIDTH - LEFT - RIGHT)).toFixed(1)
  const py = (y: number): string => (HEIGHT - BOTTOM - (y / top) * (HEIGHT - BOTTOM - TOP)).toFixed(1)
  const grid = ticksOf(top).flatMap((y) => [
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y)}" y2="${py(y)}" stroke="#ddd"/>`,
    `<text x="${LEFT - 8}" y="${py(y)}" dy="4" text-anchor="end">${y.toLocaleString("en")}</text>`
  ])
  const times = ticksOf((steps * STEP_MS) / 1000).map(
    (x) => `<text x="${px((x * 1000) / STEP_MS)}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${x}</text>`
  )
  const shade = (span: Span): string => {
    const [from, until] = [Math.min(steps, span.from / STEP_MS), Math.min(steps, span.until / STEP_MS)]
    const width = (Number(px(until)) - Number(px(from))).toFixed(1)
    return `<rect x="${px(from)}" y="${TOP}" width="${width}" height="${HEIGHT - TOP - BOTTOM}" fill="#f3dcdc"/>`
  }
  const names: ReadonlyArray<Contender> = ["P", "O", "C"]
  const lines = names.map((name) => {
    const points = pointsOf(curves[name], steps).map((y, i) => `${px(i)},${py(y)}`)
    return `<polyline points="${points.join(" ")}" fill="none" ${STROKES[name]}/>`
  })
  const legend = names.toReversed().flatMap((name, i) => {
    const x = WIDTH - RIGHT - 390 + i * 135
    return [
      `<line x1="${x}" x2="${x + 28}" y1="28" y2="28" ${STROKES[name]}/>`,
      `<text x="${x + 33}" y="32">${LABELS[name]}</text>`
    ]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...(trouble === undefined ? [] : [shade(trouble)]),
    `<text x="${LEFT}" y="18" font-size="14">${escaped(title)}</text>`,
    `<text x="${LEFT}" y="33" fill="#555">answers by time</text>`,
    `<text x="${(WIDTH + LEFT) / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#555">seconds</text>`,
    ...grid,
    ...times,
    ...lines,
    ...legend,
    `</svg>\n`
  ].join("\n")
}
