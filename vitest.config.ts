import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

// Two projects: rooms and objects run inside workerd; flows, proofs and scripts speak HTTP to the production bundle from Node.
const node = ['flows', 'proof', 'scripts', 'house', 'browser', 'docs', 'examples', 'conformance'].map((folder) => `test/${folder}/**`)

export default defineConfig({
  test: {
    // Half of the time a suite waits for its server.
    maxWorkers: 2,
    // The Worker's own log lines would bury what the tests say.
    onConsoleLog: (line) => (line.startsWith('{"level"') ? false : undefined),
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                SALLYPORT_ENV: 'development',
                ISSUER: 'http://localhost:8787',
                LAB: 'on',
                SIGN_UP: 'immediate',
                SALLYPORT_SECRET: 'test-only-secret-that-is-long-enough-000001',
                ADMIN_TOKEN: 'test-only-admin-token-that-is-long-enough-1',
                // A room has no environment of its own (test/proof/size.ts).
                ...(process.env.LONG && { LONG: process.env.LONG }),
                ...(process.env.SEED && { SEED: process.env.SEED }),
              },
            },
          }),
        ],
        test: { name: 'workerd', include: ['test/**/*.test.ts'], exclude: [...node, 'test/sdk/node/**'], testTimeout: 30_000 },
      },
      {
        // The verifier promises to run unchanged in both: its suite does.
        test: {
          name: 'node-sdk',
          include: ['test/{sdk,protocol}/**/*.test.ts'],
          exclude: ['test/sdk/worker/**', 'test/sdk/browser/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'node',
          include: node.map((folder) => `${folder}/*.test.ts`),
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
