// Counts a test run from vitest's JSON report: what ran, and what should have run and could not.

/**
 * @typedef {{ status: string, message?: string, assertionResults: { status: string }[] }} SuiteReport
 * @typedef {{ passed: number, failed: number, skipped: number }} Count
 */

/**
 * A suite that could not be collected, a run that failed beside its tests (an unhandled error) and a run without a report each count as
 * one failure: nothing that went wrong leaves the line green.
 * @param {{ testResults: SuiteReport[] } | undefined} report
 * @param {number} exitCode of vitest
 * @returns {Count}
 */
export function count(report, exitCode) {
  if (!report) return { passed: 0, failed: 1, skipped: 0 }
  const tests = report.testResults.flatMap((suite) => suite.assertionResults)
  const passed = tests.filter(({ status }) => status === 'passed').length
  const failedTests = tests.filter(({ status }) => status === 'failed').length
  const brokenSuites = report.testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some(({ status }) => status === 'failed'),
  ).length
  const failed = failedTests + brokenSuites
  return { passed, failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped: tests.length - passed - failedTests }
}

/** @param {Count} count */
export function line({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** @param {Count} count @returns {0 | 1} */
export function exitCode({ passed, failed }) {
  return passed > 0 && failed === 0 ? 0 : 1
}
