/** A look at what a killed server has left on its disk: a code and the family that it gave are there together, or not at all. */
import { copyFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const HALF = `
  SELECT count(*) FILTER (WHERE (consumed_by IS NULL) <> (grant_id IS NULL)) AS halfConsumed,
         count(*) FILTER (WHERE grant_id IS NOT NULL AND grant_id NOT IN (SELECT grant_id FROM family)) AS withoutFamily,
         count(*) FILTER (WHERE grant_id IS NOT NULL) AS redeemed,
         (SELECT count(*) FROM family WHERE client_id <> 'first-party'
            AND grant_id NOT IN (SELECT grant_id FROM authorization_code WHERE grant_id IS NOT NULL)) AS withoutCode
  FROM authorization_code`

/** `redeemed`: codes that were seen with their families; `half`: what is there in part, one sentence each. */
export async function storedCodes(directory: string, sinceMs: number): Promise<{ redeemed: number; half: string[] }> {
  const found = { redeemed: 0, half: [] as string[] }
  const accounts = path.join(directory, 'v3/do/sallyport-Account')
  const names = (await readdir(accounts)).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))
  const copies = await mkdtemp(path.join(tmpdir(), 'sallyport-codes-'))
  for (const name of names) {
    const present = (await readdir(accounts)).filter((file) => file.startsWith(name))
    const changed = await Promise.all(present.map(async (file) => (await stat(path.join(accounts, file))).mtimeMs))
    if (Math.max(...changed) < sinceMs) continue
    // A copy: opening the files themselves would finish what the killed server had begun.
    for (const file of present) if (!file.endsWith('-shm')) await copyFile(path.join(accounts, file), path.join(copies, file))
    const database = new DatabaseSync(path.join(copies, name))
    const row = isOAuth(database) ? database.prepare(HALF).get() : undefined
    database.close()
    found.redeemed += Number(row?.redeemed ?? 0)
    for (const fault of ['halfConsumed', 'withoutFamily', 'withoutCode']) {
      if (Number(row?.[fault] ?? 0) > 0) found.half.push(`${fault}: ${row?.[fault]} in ${name}`)
    }
  }
  await rm(copies, { recursive: true, force: true })
  return found
}

/** An account that was killed before it was made has no tables. */
const isOAuth = (database: DatabaseSync): boolean =>
  database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'authorization_code'").get() !== undefined
