/**
 * What this router keeps in its folder, beside what every router keeps there (see kept-routing.ts), and how things
 * are named in HAProxy.
 *
 *     haproxy.cfg       rendered from the routes at each start and reload
 *     *.map             what the configuration looks up, as it is when HAProxy starts or reloads
 *     counts.json       what was counted by servers and workers that are gone
 *     admin.sock        the worker's runtime API
 *     master.sock       the master's
 *     hop.*             the ways from one part of HAProxy to another
 *     log               what it printed
 *
 * HAProxy runs in this folder and gets relative names: a socket's path may have 107 characters and no more.
 */
import path from 'node:path'
import { ReleaseError } from '../../../../src/errors.ts'
import type { Side } from '../../../../src/plan/plan.ts'
import { routerFiles } from '../../loopback/kept-routing.ts'

export const CONFIG = 'haproxy.cfg'
export const ADMIN_SOCKET = 'admin.sock'
export const MASTER_SOCKET = 'master.sock'

/** Names of the maps, as HAProxy knows them. */
export const RULES = 'rules.map'
export const SERVERS = 'servers.map'
export const MATCHES = 'matches.map'
export const STICKY = 'sticky.map'

/** The table in which callers are counted who left without an answer, by {@link setKey}. */
export const LEFT = 'left'

export const haproxyFiles = (folder: string) => ({
  ...routerFiles(folder),
  config: path.join(folder, CONFIG),
  counts: path.join(folder, 'counts.json'),
  log: path.join(folder, 'log'),
})

export const SIDES: readonly Side[] = ['stable', 'canary', 'baseline']

/** A component has two sets of servers: one is followed while the other is made ready. */
export type Page = 'a' | 'b'
export const PAGES: readonly Page[] = ['a', 'b']

export interface BackendPlace {
  readonly component: string
  readonly page: Page
  readonly side: Side
}

export const backendName = ({ component, page, side }: BackendPlace): string => `${component}.${page}.${side}`

/** null: no backend that holds instances. */
export const placeOf = (backend: string): BackendPlace | null => {
  const [, component, page, side] = /^(.+)\.(a|b)\.(stable|canary|baseline)$/.exec(backend) ?? []
  return component === undefined ? null : { component, page: page as Page, side: side as Side }
}

/** One version of a component on one side. */
export interface InstanceSet {
  readonly component: string
  readonly side: Side
  /** Empty where the side has several. */
  readonly version: string
}

/** HAProxy cuts a longer one off. */
export const LONGEST_SET_KEY = 512

export const setKey = ({ component, side, version }: InstanceSet): string =>
  `${component}|${side}|${encodeURIComponent(version)}`

/** null: none of ours, or cut off. */
export const readSetKey = (key: string): InstanceSet | null => {
  const [, component, side, version] = /^([^|]+)\|(stable|canary|baseline)\|(.*)$/.exec(key) ?? []
  if (component === undefined || version === undefined || key.length >= LONGEST_SET_KEY) return null
  return { component, side: side as Side, version: decodeURIComponent(version) }
}

/** The server that leads back to the stable side: no instance is called so. */
export const WAY_BACK = 'back-to-stable'

/** Checks a name that HAProxy is to know. Fails with code `router-name`. */
export const expectName = (name: string): string => {
  if (/^[A-Za-z0-9_.-]{1,80}$/.test(name) && name !== WAY_BACK) return name
  throw new ReleaseError('router-name', `HAProxy cannot know anything by the name ${JSON.stringify(name)}.`, {
    hint: 'Use letters, digits, dots, dashes and underscores, 80 at most.',
  })
}
