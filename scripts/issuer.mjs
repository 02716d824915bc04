// Which origin a deployment has, read from what wrangler says it deployed to.
import { Refusal } from './toolchain.mjs'

/**
 * The one custom domain, or else the workers.dev address. Routes (`example.com/*`) name no origin of their own and do not count.
 * @param {string[]} targets of wrangler's `deploy` record: `https://name.account.workers.dev`, `auth.example.com (custom domain)`
 * @throws {Refusal} when there is none, or more than one custom domain
 */
export function issuerOf(targets) {
  const domains = targets.flatMap((target) => /^([^\s/*]+) \(custom domain\b/.exec(target)?.[1] ?? [])
  const workersDev = targets.flatMap((target) => /^https:\/\/[^\s/]+\.workers\.dev(?=\/?$)/.exec(target)?.[0] ?? [])
  const origins = domains.length > 0 ? domains.map((domain) => `https://${domain}`) : workersDev
  const [origin, ...others] = origins
  if (!origin) throw new Refusal('wrangler named no address of the Worker: set ISSUER="https://..." in the environment and deploy again.')
  if (others.length > 0) {
    throw new Refusal(`The Worker has several addresses (${origins.join(', ')}): choose one with ISSUER="https://..." and deploy again.`)
  }
  return origin
}

/**
 * @param {string} text
 * @returns {string} the same, when it is an https origin, spelled exactly so
 */
export function checkedIssuer(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.origin !== text) {
    throw new Refusal(`ISSUER must be an origin such as https://auth.example.com, with no path and no trailing slash, not "${text}".`)
  }
  return text
}
