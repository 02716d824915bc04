// oidc-provider's storage in Redis: a hash for what is consumed, a string for the rest, a set of keys for each grant, all with their lives.
// Commands of one call go out together.
import { createClient } from 'redis'

const CONSUMED = new Set(['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest'])
const OF_A_GRANT = new Set(['AccessToken', ...CONSUMED])

/** @returns the class that the library makes one of for each of its models */
export async function redisAdapter(url) {
  const client = createClient({ url })
  await client.connect()
  const grant = (id) => `grant:${id}`
  return class RedisAdapter {
    constructor(model) {
      this.model = model
    }

    key(id) {
      return `${this.model}:${id}`
    }

    async upsert(id, payload, expiresIn) {
      const key = this.key(id)
      const commands = client.multi()
      const text = JSON.stringify(payload)
      if (CONSUMED.has(this.model)) commands.hSet(key, { payload: text })
      else commands.set(key, text)
      if (expiresIn) commands.expire(key, expiresIn)
      if (OF_A_GRANT.has(this.model) && payload.grantId) {
        commands.sAdd(grant(payload.grantId), key)
        // As long as the longest of its keys. Without a life a key counts as endless, so that GT alone would never give it one.
        if (expiresIn) commands.expire(grant(payload.grantId), expiresIn, 'NX').expire(grant(payload.grantId), expiresIn, 'GT')
      }
      if (payload.uid) commands.set(`uid:${payload.uid}`, id, expiresIn ? { EX: expiresIn } : {})
      if (payload.userCode) commands.set(`userCode:${payload.userCode}`, id, expiresIn ? { EX: expiresIn } : {})
      await commands.exec()
    }

    async find(id) {
      if (!CONSUMED.has(this.model)) {
        const text = await client.get(this.key(id))
        return text === null ? undefined : JSON.parse(text)
      }
      const { payload, consumed } = await client.hGetAll(this.key(id))
      if (payload === undefined) return undefined
      return consumed === undefined ? JSON.parse(payload) : { ...JSON.parse(payload), consumed: Number(consumed) }
    }

    async findByUid(uid) {
      const id = await client.get(`uid:${uid}`)
      return id === null ? undefined : this.find(id)
    }

    async findByUserCode(userCode) {
      const id = await client.get(`userCode:${userCode}`)
      return id === null ? undefined : this.find(id)
    }

    async consume(id) {
      await client.hSet(this.key(id), 'consumed', Math.floor(Date.now() / 1000))
    }

    async destroy(id) {
      await client.del(this.key(id))
    }

    async revokeByGrantId(grantId) {
      const keys = await client.sMembers(grant(grantId))
      await client.del([...keys, grant(grantId)])
    }
  }
}
