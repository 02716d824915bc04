// `sallyport/browser`: for a deployment's own apps in a browser. The session is the HttpOnly cookie; what a page holds is a token of minutes.

export type { FieldError } from './browser/client-error.ts'
export { ClientError, type ClientErrorCode } from './browser/client-error.ts'
export type { Client, ClientOptions } from './browser/create-client.ts'
export { createClient } from './browser/create-client.ts'
export type { Session } from './browser/session.ts'
export type { SessionChange } from './browser/tab-message.ts'
