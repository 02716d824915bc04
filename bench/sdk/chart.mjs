// The chart of what a check costs against how long a revoked credential is still accepted, as SVG.
import { writeFile } from 'node:fs/promises'
import * as echarts from 'echarts'

/** Where those stand that nothing but expiry ends, beside the measured milliseconds. */
const UNTIL_EXPIRY = 300_000
/** A logarithm has no zero: what is refused by the very next request stands here. */
const NEXT_REQUEST = 1

const TICKS = new Map([
  [NEXT_REQUEST, 'the next request'],
  [10, '10 ms'],
  [100, '100 ms'],
  [1000, '1 s'],
  [10_000, '10 s'],
  [100_000, '100 s'],
  [1_000_000, ''],
])

/** @param {{ name: string, cpuRatio: number, delayMs: number, ours: boolean }[]} points @param {string} file */
export async function drawChart(points, file) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 560 })
  const series = (name, color, symbol, of) => ({
    name,
    type: 'scatter',
    symbol,
    symbolSize: 11,
    itemStyle: { color },
    label: { show: true, position: 'right', formatter: ({ data }) => data[2], fontSize: 11, color: '#333' },
    labelLayout: { moveOverlap: 'shiftY' },
    data: of.map(({ name, cpuRatio, delayMs }) => [cpuRatio, Math.max(delayMs, NEXT_REQUEST), name]),
  })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: 'How long a revoked credential is accepted, and what each check costs', left: 'center', textStyle: { fontSize: 15 } },
    legend: { bottom: 4 },
    grid: { left: 110, right: 170, top: 50, bottom: 80 },
    xAxis: {
      type: 'log',
      logBase: 2,
      min: 1,
      name: 'CPU of a request, times the bare route (lower is better)',
      nameLocation: 'middle',
      nameGap: 28,
      axisLabel: { formatter: '{value}x' },
    },
    yAxis: {
      type: 'log',
      min: NEXT_REQUEST,
      max: 1_000_000,
      axisLabel: { formatter: (value) => TICKS.get(value) ?? '' },
      name: 'until expiry',
      nameLocation: 'end',
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

export { UNTIL_EXPIRY }
