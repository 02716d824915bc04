// The chart of what a check costs against how long a revoked credential is still accepted, as SVG.
import { writeFile } from 'node:fs/promises'
import * as echarts from 'echarts'

/** Where those stand whose credential nothing but its expiry ends, whenever that is. */
export const UNTIL_EXPIRY = 1_000_000
/** A logarithm has no zero: what is refused by the very next request stands here. */
const NEXT_REQUEST = 1

const TICKS = new Map([
  [NEXT_REQUEST, 'the next request'],
  [10, '10 ms'],
  [100, '100 ms'],
  [1000, '1 s'],
  [10_000, '10 s'],
  [100_000, '100 s'],
  [1_000_000, 'until expiry'],
])

/** Degrees. */
const SLANT = 25
/** Milliseconds from which labels fall. */
const FALLING = 10_000
/** Points of one delay that are closer than this, as a ratio, share one label. */
const NEAR = 1.12

/** What stands beside each point; a point that shares its neighbour's has none. */
function labelsOf(points) {
  const labels = new Map()
  let last
  for (const point of points.toSorted((a, b) => a.delayMs - b.delayMs || a.cpuRatio - b.cpuRatio)) {
    const isNear = last?.delayMs === point.delayMs && last.ours === point.ours && point.cpuRatio / last.cpuRatio < NEAR
    if (isNear) labels.set(last.name, `${labels.get(last.name)}\n${point.name}`)
    else {
      last = point
      labels.set(point.name, point.name)
    }
  }
  return labels
}

/** @param {{ name: string, cpuRatio: number, delayMs: number, ours: boolean }[]} points @param {string} file */
export async function drawChart(points, file) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 560 })
  const labels = labelsOf(points)
  const series = (name, color, symbol, of) => ({
    name,
    type: 'scatter',
    symbol,
    symbolSize: 11,
    itemStyle: { color },
    data: of.map(({ name, cpuRatio, delayMs }) => ({
      value: [cpuRatio, Math.max(delayMs, NEXT_REQUEST)],
      label: {
        show: labels.has(name),
        formatter: labels.get(name) ?? '',
        position: 'right',
        fontSize: 11,
        color: '#333',
        // Slanting, so that neighbours leave each other room; away from the nearer edge.
        rotate: delayMs > FALLING ? -SLANT : SLANT,
      },
    })),
  })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: 'How long a revoked credential is accepted, and what each check costs', left: 'center', textStyle: { fontSize: 15 } },
    legend: { bottom: 4 },
    grid: { left: 120, right: 150, top: 50, bottom: 80 },
    xAxis: {
      type: 'log',
      logBase: 2,
      min: 1,
      name: 'CPU of a request, times the bare route of its platform (lower is better)',
      nameLocation: 'middle',
      nameGap: 28,
      axisLabel: { formatter: '{value}x' },
    },
    yAxis: {
      type: 'log',
      min: NEXT_REQUEST / 3,
      max: 10_000_000,
      axisLabel: { formatter: (value) => TICKS.get(value) ?? '' },
    },
    series: [
      series(
        'Sallyport',
        '#0a6',
        'diamond',
        points.filter(({ ours }) => ours),
      ),
      series(
        'others',
        '#888',
        'circle',
        points.filter(({ ours }) => !ours),
      ),
    ],
  })
  await writeFile(file, `${chart.renderToSVGString()}\n`)
  chart.dispose()
}
