/** What `env` and `exports` of `cloudflare:workers` are inside the tests. */
declare namespace Cloudflare {
  interface Env extends Required<import('../src/env.ts').Env> {}
  interface GlobalProps {
    mainModule: typeof import('../src/worker.ts')
    durableNamespaces: 'Account' | 'Identifier' | 'KeySet' | 'RevocationList' | 'Mailbox' | 'Client'
  }
}
