import { DurableObject } from 'cloudflare:workers'

export type Note = { id: string; text: string }

/** The notes of one account: the object is named by its `sub`. */
export class Notebook extends DurableObject {
  async list(): Promise<Note[]> {
    const notes = await this.ctx.storage.list<string>()
    return [...notes].map(([id, text]) => ({ id, text }))
  }

  async add(text: string): Promise<Note> {
    const id = `${Date.now()}-${crypto.randomUUID()}`
    await this.ctx.storage.put(id, text)
    return { id, text }
  }

  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll()
  }
}
