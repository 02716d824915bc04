// oidc-provider's storage in a Map. Its own one in memory keeps 1,000 rows and forgets the rest, living tokens among them.

/** @returns the class that the library makes one of for each of its models */
export function mapAdapter() {
  const rows = new Map()
  const idsByUid = new Map()
  const keysByGrant = new Map()
  return class MapAdapter {
    constructor(model) {
      this.model = model
    }

    async upsert(id, payload) {
      const key = `${this.model}:${id}`
      rows.set(key, payload)
      if (payload.uid) idsByUid.set(payload.uid, id)
      if (!payload.grantId) return
      const keys = keysByGrant.get(payload.grantId)
      if (keys) keys.add(key)
      else keysByGrant.set(payload.grantId, new Set([key]))
    }

    async find(id) {
      return rows.get(`${this.model}:${id}`)
    }

    async findByUid(uid) {
      return this.find(idsByUid.get(uid))
    }

    async findByUserCode() {}

    async consume(id) {
      const row = rows.get(`${this.model}:${id}`)
      if (row) row.consumed = Math.floor(Date.now() / 1000)
    }

    async destroy(id) {
      rows.delete(`${this.model}:${id}`)
    }

    async revokeByGrantId(grantId) {
      for (const key of keysByGrant.get(grantId) ?? []) rows.delete(key)
      keysByGrant.delete(grantId)
    }
  }
}
