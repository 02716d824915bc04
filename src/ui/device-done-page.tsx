import { Page } from './page.tsx'

/** What is left to do when a device has been allowed or denied: nothing here. */
export function DeviceDonePage({ allowed, nonce }: { allowed: boolean; nonce: string }) {
  const title = allowed ? 'Your device is connected' : 'Your device is not connected'
  return (
    <Page title={title} nonce={nonce} card>
      <h1>{title}</h1>
      <p>{allowed ? 'Go back to it; it goes on by itself.' : 'It has been told no. You can close this page.'}</p>
    </Page>
  )
}
