import type { Mail } from '../revocation/outbox-store.ts'

/** Mails about one's own account (ASVS 6.3.7). Plain text, no link to click: nothing here asks for anything. */
const sign = '\n\nIf this was not you, change your password and sign out everywhere.\n'

/** Says when, not from what: a User-Agent is a stranger's text, and a mail of ours is believed. The list of sessions shows it. */
export function newDeviceNotice(to: string, now: number): Mail {
  return {
    to,
    subject: 'New sign-in to your account',
    text: `Your account was signed in to from a device that we have not seen before, at ${new Date(now * 1000).toISOString()}.${sign}`,
    links: [],
  }
}

export function passwordChangedNotice(to: string): Mail {
  return {
    to,
    subject: 'Your password was changed',
    text: `The password of your account was changed. Every other device has been signed out.${sign}`,
    links: [],
  }
}

export function reuseDetectedNotice(to: string): Mail {
  return {
    to,
    subject: 'A sign-in of yours was ended',
    text: `An old refresh token of your account was used again, as happens when one has been stolen. That sign-in has been ended; the app will ask you to sign in again.${sign}`,
    links: [],
  }
}

export function echoNotice(to: string): Mail {
  return {
    to,
    subject: 'Someone may be using a copy of your sign-in',
    text: `A sign-in of your account is being refreshed from two networks at once, several times in a row.${sign}`,
    links: [],
  }
}
