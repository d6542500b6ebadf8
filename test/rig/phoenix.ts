/**
 * Phoenix in a project of its own: a copy of `releases/`, people who approve, 2.9.0 in production, and customers who come.
 *
 * Boundary: the definition, the services, the gates and the client are those of the repository; nothing of them is left out.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { Json } from '../../src/plan/plan.ts'
import { decisionFor, signedBy, smuggle } from './people.ts'
import { cli, createProject, type Exit, type Running, type TestProject } from './project.ts'

/** Where `unit-tests.js` keeps what the very same tests of the very same files have covered. */
const kept = (root: string): string => join(root, 'coverage', 'phoenix', 'kept')
const repository = resolve(import.meta.dirname, '../..')
const definition = 'releases/phoenix.ts'

/** Commands of a release run in the project's folder, and so does what the tests start. */
const env = { TECHCORP_HOME: 'techcorp' }

export interface Side {
  readonly requests: number
  readonly errors: number
  readonly lost: number
}

/** What the customers say that they saw. */
export interface Seen {
  readonly sides: { readonly canary: Side; readonly outside: Side }
  readonly versions: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly problems: readonly string[]
}

export interface Place {
  readonly name: string
  readonly gateway: string
  /** By component: side and version of each instance, as `stable 2.9.0`. */
  readonly running: Readonly<Record<string, readonly string[]>>
}

interface Customers {
  readonly stop: () => Promise<Seen>
}

export interface Released extends Exit {
  /** null: no customer came. */
  readonly seen: Seen | null
}

export interface Phoenix {
  readonly project: TestProject
  /** Runs a release. When approvals are asked for, customers come to all places of production, and both are given. */
  readonly release: (args: readonly string[], visits?: number) => Promise<Released>
  readonly places: () => Promise<readonly Place[]>
  /** Every version in production, with its side, once. */
  readonly versions: () => Promise<readonly string[]>
  readonly report: (run: string) => Promise<Readonly<Record<string, Json>>>
  readonly dispose: () => Promise<void>
}

/** A copy of `releases/` in a project of its own. */
export function phoenixProject(): TestProject {
  const project = createProject({ files: {}, env })
  const copied = (path: string): boolean => !path.endsWith('approvers')
  cpSync(join(repository, 'releases'), join(project.root, 'releases'), { recursive: true, filter: copied })
  copyKept(repository, project.root)
  const dispose = async (): Promise<void> => {
    copyKept(project.root, repository)
    await project.dispose()
  }
  return { ...project, dispose }
}

/** Each file whole or not at all: other tests do the same. */
function copyKept(from: string, to: string): void {
  if (!existsSync(kept(from))) return
  mkdirSync(kept(to), { recursive: true })
  for (const name of readdirSync(kept(from)).filter(each => each.endsWith('.info'))) {
    const target = join(kept(to), name)
    if (existsSync(target)) continue
    copyFileSync(join(kept(from), name), `${target}.${process.pid}`)
    renameSync(`${target}.${process.pid}`, target)
  }
}

/** Makes the project and puts 2.9.0 into production. @throws Error where that fails */
export async function startPhoenix(regions: string): Promise<Phoenix> {
  const project = phoenixProject()
  const left: ChildProcess[] = []
  writePeople(project)
  const phoenix: Phoenix = {
    project,
    release: (args, visits = 0) => {
      const params = ['--param', 'pace=quick', '--param', `regions=${regions}`]
      return releaseWith(project, [...params, ...args], { visits, left })
    },
    places: () => placesOf(project),
    versions: async () => {
      const all = (await placesOf(project)).flatMap(({ running }) => Object.values(running).flat())
      return [...new Set(all)].sort()
    },
    report: async run => {
      const { stdout, stderr, code } = await project.release(['report', run, '--format', 'json'])
      if (code !== 0) throw new Error(`there is no report of ${run}: ${stderr}`)
      return JSON.parse(stdout) as Readonly<Record<string, Json>>
    },
    dispose: async () => {
      for (const child of left) child.kill('SIGKILL')
      await project.dispose()
    },
  }
  const first = await phoenix.release(['--param', 'version=2.9.0', '--only', 'production'])
  copyKept(project.root, repository)
  if (first.code === 0) return phoenix
  await phoenix.dispose()
  throw new Error(`2.9.0 could not be deployed: ${first.stderr}${first.stdout}`)
}

const PEOPLE = [
  { name: 'rosa', role: 'release-manager' },
  { name: 'paul', role: 'platform-owner' },
]

function writePeople(project: TestProject): void {
  execFileSync(process.execPath, ['releases/phoenix/people.ts'], { cwd: project.root })
}

/** The keys that `people.ts` has made, under the names that the rig's people go by. */
async function approve(project: TestProject, run: string): Promise<void> {
  for (const { name, role } of PEOPLE) {
    const person = `${name}@techcorp.example`
    const decision = await decisionFor(project, run, { person, role })
    const signed = await signedBy(project, `../.release/phoenix/${role}`, decision)
    await smuggle(project, run, { approval: decision.approval, decision: signed })
  }
}

interface Going {
  /** Visits a second from the moment at which people are asked; 0: nobody comes. */
  readonly visits: number
  readonly left: ChildProcess[]
}

async function releaseWith(project: TestProject, args: readonly string[], going: Going): Promise<Released> {
  const running = project.start(['run', definition, '--yes', '--wait', '5m', ...args])
  const run = await whenAsked(project, running)
  if (run === null) return { ...(await running.exit), seen: null }
  const customers = going.visits === 0 ? null : startCustomers(project, await placesOf(project), { ...going })
  await approve(project, run)
  const exit = await running.exit
  return { ...exit, seen: customers === null ? null : await customers.stop() }
}

/** The run, once it asks for an approval; null where it has ended. The gates take as long as they take: the test has a limit. */
async function whenAsked(project: TestProject, running: Running): Promise<string | null> {
  let over = false
  const ended = running.exit.then(() => {
    over = true
  })
  while (!over) {
    const run = /^run (\S+)$/m.exec(running.printed())?.[1]
    const known = run !== undefined && project.runs().includes(run)
    if (known && (await project.eventsOf(run, 'node-waiting')).length > 0) return run
    await Promise.race([ended, pause(50)])
  }
  return null
}

interface LocalStatus {
  readonly environments: readonly {
    readonly environment: string
    readonly gateway: { readonly address: string } | null
    readonly components: readonly {
      readonly component: string
      readonly instances: readonly { readonly side: string; readonly version: string }[]
    }[]
  }[]
}

async function placesOf(project: TestProject): Promise<readonly Place[]> {
  const { stdout } = await project.release(['local', 'status', '--json'])
  return (JSON.parse(stdout) as LocalStatus).environments
    .filter(({ environment, gateway }) => environment.startsWith('production') && gateway !== null)
    .map(({ environment, gateway, components }) => ({
      name: environment,
      gateway: gateway!.address,
      running: Object.fromEntries(
        components
          .filter(({ instances }) => instances.length > 0)
          .map(({ component, instances }) => [
            component,
            instances.map(({ side, version }) => `${side} ${version}`),
          ]),
      ),
    }))
}

/** They come for at most ten minutes, and go when they are told to. */
function startCustomers(project: TestProject, places: readonly Place[], { visits, left }: Going): Customers {
  const script = 'releases/phoenix/scripts/client.js'
  const gateways = places.map(({ gateway }) => gateway)
  const args = [script, ...gateways, '--seconds', '600', '--rate', String(visits)]
  const child = spawn(process.execPath, args, {
    cwd: project.root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  left.push(child)
  const printed = text(child.stdout!)
  const exited = once(child, 'exit')
  return {
    stop: async () => {
      child.kill('SIGTERM')
      await exited
      return JSON.parse(await printed) as Seen
    },
  }
}

/** `npm run phoenix`, with the command line that all tests start. */
export async function showPhoenix(
  project: TestProject,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly printed: string }> {
  const child = spawn(process.execPath, ['releases/phoenix/run.ts', ...args], {
    cwd: project.root,
    env: {
      ...process.env,
      ...env,
      NO_COLOR: '1',
      PHOENIX_RELEASE: cli,
      RELEASE_LOCAL_HOME: project.home,
      TEST_PROJECT: project.root,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = Promise.all([text(child.stdout!), text(child.stderr!)])
  const [code] = (await once(child, 'exit')) as [number | null]
  return { code, printed: (await printed).join('\n') }
}
