/**
 * Where the local platform keeps what it knows: with the machine, so that two checkouts see each other.
 *
 * Boundary: paths only; nothing here reads or writes.
 *
 *     <home>/store/<digest>/                        kept files, shared by all clusters
 *     <home>/clusters/<cluster>/<environment>/
 *       instances/<component>/<token>.json          one instance each
 *       locks/<component>.<fence>                   one take-over each
 *       logs/<component>/<slot>-<token>.log         what the instances printed
 *       <router's kind>/                            the environment's router: its place, routes, log
 */
import { homedir } from 'node:os'
import path from 'node:path'

/** The local platform's home folder: `RELEASE_LOCAL_HOME`, else under `XDG_STATE_HOME`, else `~/.local/state`. */
export const localHome = (env: Readonly<Record<string, string | undefined>> = process.env): string => {
  if (env.RELEASE_LOCAL_HOME) return path.resolve(env.RELEASE_LOCAL_HOME)
  const state = env.XDG_STATE_HOME
    ? path.resolve(env.XDG_STATE_HOME)
    : path.join(homedir(), '.local', 'state')
  return path.join(state, 'release-as-code', 'local')
}

/** A name as one segment of a path: no name leads out of its folder, and no two names meet in one. */
export const segment = (name: string): string => encodeURIComponent(name).replace(/^\./, '%2E')

/** The name that {@link segment} was given. */
export const nameOf = (folder: string): string => decodeURIComponent(folder)

export const storeFolder = (home: string): string => path.join(home, 'store')

export const clustersFolder = (home: string): string => path.join(home, 'clusters')

/** The folders of one environment of one cluster. */
export interface EnvironmentFolders {
  readonly root: string
  readonly instances: string
  readonly locks: string
  readonly logs: string
}

/** The folder of the environment's router. */
export const routerFolder = (folders: EnvironmentFolders, kind: string): string =>
  path.join(folders.root, segment(kind))

export const environmentFolders = (
  home: string,
  cluster: string,
  environment: string,
): EnvironmentFolders => {
  const root = path.join(clustersFolder(home), segment(cluster), segment(environment))
  return {
    root,
    instances: path.join(root, 'instances'),
    locks: path.join(root, 'locks'),
    logs: path.join(root, 'logs'),
  }
}
