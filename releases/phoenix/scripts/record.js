/**
 * The record of what TechCorp has released: `current-release.json`, beside the machine's keys.
 *
 * Invariants:
 *  R1. The file is whole at every moment: it is written beside itself and renamed.
 *  R2. Recording and taking back may be repeated; the second time changes nothing.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { techcorpHome } from './keys.js'

const recordFile = () => join(techcorpHome(), 'current-release.json')

/** What is recorded, or null. */
export const currentRelease = () => {
  try {
    return JSON.parse(readFileSync(recordFile(), 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

const replaceWith = record => {
  mkdirSync(techcorpHome(), { recursive: true, mode: 0o700 })
  writeFileSync(`${recordFile()}.new`, `${JSON.stringify(record, null, 2)}\n`)
  renameSync(`${recordFile()}.new`, recordFile())
}

const versionOf = async (gateway, component) => {
  const answer = await fetch(`${gateway}/${component}/health`)
  if (!answer.ok) throw new Error(`${component} answers ${answer.status} when asked for its health`)
  return (await answer.json()).version
}

const look = async ({ name, gateway, components }) => {
  const asked = components.map(async component => [component, await versionOf(gateway, component)])
  return { name, gateway, components: Object.fromEntries(await Promise.all(asked)) }
}

const isSame = (before, version, places) =>
  before?.version === version &&
  JSON.stringify(before.places.map(({ gateway }) => gateway)) ===
    JSON.stringify(places.map(({ gateway }) => gateway))

/**
 * Asks every component of every place for its version through the gateway and records what they answer.
 * Resolves to the record and whether it is new; fails where a component is not of this version.
 */
export const recordRelease = async (version, places) => {
  const live = await Promise.all(places.map(look))
  const others = live.flatMap(({ components }) =>
    Object.entries(components).filter(([, found]) => found !== version),
  )
  if (others.length > 0)
    throw new Error(`not ${version} in production: ${others.join('; ').replaceAll(',', ' ')}`)
  const before = currentRelease()
  if (isSame(before, version, places)) return { ...before, changed: false }
  const { previous: _, ...previous } = before ?? {}
  const record = { version, places: live, previous: before && previous }
  replaceWith(record)
  return { ...record, changed: true }
}

/** Puts back what was recorded before this version, and returns it. */
export const takeBack = version => {
  const current = currentRelease()
  if (current?.version !== version) return current
  if (current.previous) replaceWith(current.previous)
  else rmSync(recordFile())
  return current.previous
}
