import { placeOf } from '../../ui/client-identity.ts'
import { LeavePage } from '../../ui/leave-page.tsx'
import type { AppContext } from '../context.ts'
import { page } from './page.tsx'

/** Shows where an app wants its person back, in place of sending them there. */
export const leavePage = (c: AppContext, url: string) => page(c, {}, (nonce) => <LeavePage url={url} place={placeOf(url)} nonce={nonce} />)
