/**
 * Keeps what `plan` or `check` answered, with all that it rests on, so that recall.ts may say it again.
 *
 * What a plan rests on, and how a change of each is noticed:
 *  1. The files that were bundled or type-checked, the tsconfigs, the package.jsons and the approvers: by their stamps.
 *  2. A file that would be found before one of these, as a new `x.ts` before `x/index.ts`: by the names of the modules in
 *     every folder that holds one of them or lies between it and the project's; a package's own folder, by its stamp. What
 *     is looked for by name on the way up, as a package.json is: by its stamp, or by its not being there.
 *  3. What is deployed: by the stamps of every folder and file of it, not by its content's hash, which takes reading all.
 *  4. What runs: by the stamps of what is written down about it, and by its processes. What is being started is not vouched for.
 *  5. This program and the compiler: by the stamps of their files.
 *  6. The words of the question, the variables and the screen: they are the question (answer.ts).
 * The stamps are taken after the answer was made, and only of what had not been touched since this process began: what they
 * say is therefore what was read. Without a plan nothing is kept.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import type { Plan } from '../../src/plan/plan.ts'
import { keepFile, pruneKept } from '../load/keep.ts'
import { isSourceTree, ownPackage } from '../load/own-package.ts'
import type { Project } from '../load/project.ts'
import type { Planned } from '../plan-release.ts'
import { openGrounds } from '../wire.ts'
import { type Answer, answerPath, answersFolder, type Running, writeAnswer } from './answer.ts'
import { takeNames, takeStamps } from './stamps.ts'

/** Answers kept for each person, and how many bytes and stamps one may have: what is larger is soon made, beside printing it. */
const MOST_KEPT = 50
const MOST_BYTES = 2 * 1024 * 1024
const MOST_STAMPS = 20_000

export interface Answered extends Pick<Answer, 'err' | 'out' | 'file' | 'code'> {
  /** As {@link thisQuestion} has it; null: nothing is to be kept. */
  readonly question: string | null
  /** The definition's file as it was named, absolute. */
  readonly named: string
  readonly project: Project
  readonly planned: Planned
  /** Before anything was read, in milliseconds since 1970. */
  readonly began: number
}

/** Keeps an answer where that can be vouched for. Never fails: where nothing can be kept, it is made anew each time. */
export async function remember(answered: Answered): Promise<void> {
  const { question, planned, project, began, named, err, out, file, code } = answered
  const { plan, loaded } = planned
  if (question === null || plan === null || loaded.files === null) return
  if (out.length + err.length + (file?.text.length ?? 0) > MOST_BYTES) return
  const world = await worldOf(plan, project)
  if (world === null) return
  const { paths: known, folders } = filesAndFolders(loaded.files, project)
  const paths = [...programFiles(), ...known, ...world.paths]
  if (typeof loaded.definition.approvers === 'string')
    paths.push(resolve(dirname(project.definition), loaded.definition.approvers))
  if (paths.length > MOST_STAMPS) return
  const stamps = takeStamps(paths, began)
  const names = takeNames(folders, began)
  if (stamps === null || names === null || !(await isStillSo(plan))) return
  const { definition } = project
  const { running } = world
  const answer: Answer = { named, definition, stamps, names, running, err, out, file, code }
  keep(answer, question)
}

function keep(answer: Answer, question: string): void {
  const { env } = process
  try {
    mkdirSync(answersFolder(env), { recursive: true, mode: 0o700 })
  } catch {
    return
  }
  if (keepFile(answerPath(env, question), writeAnswer(answer, question)))
    pruneKept(answersFolder(env), { extension: '.json', beside: [], most: MOST_KEPT })
}

interface WorldGrounds {
  readonly paths: readonly string[]
  readonly running: readonly Running[]
}

/** What the facts rest on; null where a platform cannot tell. */
async function worldOf(plan: Plan, project: Project): Promise<WorldGrounds | null> {
  const paths: string[] = []
  const running: Running[] = []
  for (const { name, platform } of plan.environments) {
    const grounds = await openGrounds(platform)
    for (const component of Object.keys(plan.facts.live[name] ?? {})) {
      const live = await grounds.live(name, component)
      if (live === null) return null
      paths.push(...live.paths)
      running.push(...live.running)
    }
  }
  const [environment] = plan.environments
  for (const { name, source } of plan.components) {
    if (environment === undefined || plan.facts.sources[name] === undefined) continue
    const { source: pathsOf } = await openGrounds(environment.platform)
    paths.push(...pathsOf(resolve(project.root, source)))
    if (paths.length > MOST_STAMPS) return null
  }
  return { paths, running }
}

/** What ended between the plan's reading and the stamps is in neither: it is asked for once more. */
async function isStillSo(plan: Plan): Promise<boolean> {
  for (const { name, platform } of plan.environments) {
    const { fact } = await openGrounds(platform)
    for (const [component, was] of Object.entries(plan.facts.live[name] ?? {}))
      if (JSON.stringify(await fact(name, component)) !== JSON.stringify(was)) return false
  }
  return true
}

/** Where a module, its settings or its types are looked for, on the way up from it. */
const LOOKED_FOR = ['package.json', 'tsconfig.json', 'node_modules', 'node_modules/@types']

interface Known {
  readonly paths: readonly string[]
  /** Whose names have a say. */
  readonly folders: ReadonlySet<string>
}

function filesAndFolders(files: readonly string[], { root }: Project): Known {
  const folders = new Set<string>()
  const installed = new Set<string>()
  const above = new Set<string>()
  for (const file of files) {
    let folder = dirname(file)
    if (file.split('/').includes('node_modules')) {
      installed.add(folder)
      continue
    }
    folders.add(folder)
    for (; folder.startsWith(`${root}/`); folder = dirname(folder)) folders.add(dirname(folder))
    for (let at = dirname(file); !above.has(at); at = dirname(at)) above.add(at)
  }
  const lookedFor = [...above].flatMap(at => LOOKED_FOR.map(name => join(at, name)))
  return { paths: [...files, ...installed, ...lookedFor], folders }
}

function programFiles(): readonly string[] {
  const { root } = ownPackage()
  const { resolve: find } = createRequire(import.meta.url)
  const own = isSourceTree()
    ? ['src', 'runner'].flatMap(name => sourcesIn(join(root, name)))
    : builtFiles(root)
  return [join(root, 'package.json'), ...own, find('typescript/package.json'), find('esbuild/package.json')]
}

const builtFiles = (root: string): readonly string[] =>
  ['release.js', 'recall.cjs', 'main.cjs', 'index.js'].map(name => join(root, 'dist', name))

const sourcesIn = (folder: string): readonly string[] => [
  folder,
  ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
]
