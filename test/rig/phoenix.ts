/**
 * Phoenix in a project of its own: a copy of `releases/`, people who approve, 2.9.0 in production, and customers who come.
 *
 * Boundary: the definition, the services, the gates and the client are those of the repository; nothing of them is left out.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Json } from '../../src/plan/plan.ts'
import { decisionFor, signedBy, smuggle } from './people.ts'
import { createProject, type Exit, type TestProject } from './project.ts'
import { until } from './wait.ts'

const releases = resolve(import.meta.dirname, '../../releases')
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

export interface Customers {
  readonly stop: () => Promise<Seen>
}

export interface Phoenix {
  readonly project: TestProject
  /** Runs a release with both approvals given as soon as they are asked for. */
  readonly release: (args: readonly string[]) => Promise<Exit>
  /** Customers come to all places of production. */
  readonly customers: (visits: number) => Promise<Customers>
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
  cpSync(releases, join(project.root, 'releases'), { recursive: true, filter: copied })
  return project
}

/** Makes the project and puts 2.9.0 into production. @throws Error where that fails */
export async function startPhoenix(regions: string): Promise<Phoenix> {
  const project = phoenixProject()
  const left: ChildProcess[] = []
  writePeople(project)
  const phoenix: Phoenix = {
    project,
    release: args =>
      releaseWith(project, ['--param', 'pace=quick', '--param', `regions=${regions}`, ...args]),
    customers: async visits => startCustomers(project, await placesOf(project), { visits, left }),
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

async function releaseWith(project: TestProject, args: readonly string[]): Promise<Exit> {
  const running = project.start(['run', definition, '--yes', '--wait', '5m', ...args])
  let over = false
  const exit = running.exit.finally(() => {
    over = true
  })
  const run = await until('the run names itself', () =>
    over ? 'none' : /^run (\S+)$/m.exec(running.printed())?.[1],
  )
  const asked = await until('an approval is asked for, or the run is over', async () => {
    if (over) return 'over'
    if (!project.runs().includes(run)) return false
    return (await project.eventsOf(run, 'node-waiting')).length > 0 && 'asked'
  })
  if (asked === 'asked') await approve(project, run)
  return exit
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
function startCustomers(
  project: TestProject,
  places: readonly Place[],
  { visits, left }: { readonly visits: number; readonly left: ChildProcess[] },
): Customers {
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

/** `npm run phoenix`, with the command line from its sources. */
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
      PHOENIX_RELEASE: resolve(import.meta.dirname, '../../runner/release.ts'),
      RELEASE_LOCAL_HOME: project.home,
      TEST_PROJECT: project.root,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = Promise.all([text(child.stdout!), text(child.stderr!)])
  const [code] = (await once(child, 'exit')) as [number | null]
  return { code, printed: (await printed).join('\n') }
}
