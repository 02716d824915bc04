// The product, counted: every call that an object receives, every row that its SQL writes, every alarm set. Only for the counting run.
import worker, * as product from '../../src/worker.ts'

const calls = {}
const cursors = []
let alarms = 0
let patched = false

// All objects of a Worker share its isolate here, so their storage has one prototype and these counters are the only ones.
function patch(storage) {
  if (patched) return
  patched = true
  const sql = Object.getPrototypeOf(storage.sql)
  const { exec } = sql
  sql.exec = function (...statement) {
    const cursor = exec.apply(this, statement)
    cursors.push(cursor)
    return cursor
  }
  const prototype = Object.getPrototypeOf(storage)
  const { setAlarm } = prototype
  prototype.setAlarm = function (...when) {
    alarms += 1
    return setAlarm.apply(this, when)
  }
}

function counted(name, Base) {
  const Counted = class extends Base {
    constructor(ctx, env) {
      patch(ctx.storage)
      super(ctx, env)
    }
  }
  for (const method of Object.getOwnPropertyNames(Base.prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(Base.prototype, method)
    if (method === 'constructor' || typeof value !== 'function') continue
    Counted.prototype[method] = function (...given) {
      calls[`${name}.${method}`] = (calls[`${name}.${method}`] ?? 0) + 1
      return value.apply(this, given)
    }
  }
  return Counted
}

export const Account = counted('Account', product.Account)
export const Identifier = counted('Identifier', product.Identifier)
export const KeySet = counted('KeySet', product.KeySet)
export const RevocationList = counted('RevocationList', product.RevocationList)
export const Mailbox = counted('Mailbox', product.Mailbox)
export const Client = counted('Client', product.Client)
export const AuthorizationRequest = counted('AuthorizationRequest', product.AuthorizationRequest)
export const ReplayMemory = counted('ReplayMemory', product.ReplayMemory)
export const Verifier = product.Verifier

export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== '/bench/counts') return worker.fetch(request, env, ctx)
    const read = cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0)
    const written = cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0)
    const counts = { calls: { ...calls }, read, written, statements: cursors.length, alarms }
    for (const key of Object.keys(calls)) delete calls[key]
    cursors.length = 0
    alarms = 0
    return Response.json(counts)
  },
}
