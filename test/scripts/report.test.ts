import { expect, test } from 'vitest'
import { count, exitCode, line } from '../../scripts/report.mjs'

const suite = (status: string, ...tests: string[]) => ({ status, assertionResults: tests.map((status) => ({ status })) })

test.each([
  ['a green run', { testResults: [suite('passed', 'passed', 'passed')] }, 0, '2 passed, 0 failed', 0],
  ['a failed test', { testResults: [suite('failed', 'passed', 'failed')] }, 1, '1 passed, 1 failed', 1],
  ['a suite that could not be collected', { testResults: [suite('passed', 'passed'), suite('failed')] }, 1, '1 passed, 1 failed', 1],
  ['a suite that failed in a hook beside its tests', { testResults: [suite('failed', 'passed')] }, 1, '1 passed, 1 failed', 1],
  ['an error outside of all tests', { testResults: [suite('passed', 'passed')] }, 1, '1 passed, 1 failed', 1],
  ['skipped and todo tests', { testResults: [suite('passed', 'passed', 'pending', 'todo')] }, 0, '1 passed, 0 failed, 2 skipped', 0],
  ['a run of nothing', { testResults: [] }, 0, '0 passed, 0 failed', 1],
  ['a missing report', undefined, 0, '0 passed, 1 failed', 1],
] as const)('%s is counted as it is', (_, report, code, text, exit) => {
  const copy = report && { testResults: report.testResults.map((suite) => ({ ...suite, assertionResults: [...suite.assertionResults] })) }
  const result = count(copy, code)
  expect([line(result), exitCode(result)]).toEqual([text, exit])
})
