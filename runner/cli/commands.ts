/**
 * The table of commands. Each is loaded only when it is called.
 */
import type { Command } from './command.ts'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<Command>
}

export const COMMANDS = {
  init: {
    summary: 'write a first definition that runs as it is',
    load: async () => (await import('./init.ts')).init,
  },
  check: {
    summary: 'say everything that is wrong with a definition',
    load: async () => (await import('./check.ts')).check,
  },
  plan: {
    summary: 'show what would be done, or what changed',
    load: async () => (await import('./plan.ts')).plan,
  },
  simulate: {
    summary: 'prove that every failure ends as promised, or name the hole',
    load: async () => (await import('./simulate.ts')).simulate,
  },
  run: { summary: 'run a release', load: async () => (await import('./run.ts')).run },
  resume: {
    summary: 'go on with a run from its last checkpoint',
    load: async () => (await import('./resume.ts')).resume,
  },
  status: { summary: 'say where a run stands', load: async () => (await import('./status.ts')).status },
  list: { summary: 'list the runs', load: async () => (await import('./list.ts')).list },
  logs: {
    summary: 'print what a run, or one of its nodes, printed',
    load: async () => (await import('./logs.ts')).logs,
  },
  watch: {
    summary: 'follow a run that another terminal runs',
    load: async () => (await import('./watch.ts')).watch,
  },
  approve: { summary: 'give an approval', load: async () => (await import('./decide.ts')).approve },
  reject: { summary: 'refuse an approval', load: async () => (await import('./decide.ts')).reject },
  cancel: {
    summary: 'let a run end without starting anything more',
    load: async () => (await import('./cancel.ts')).cancel,
  },
  rollback: {
    summary: 'undo what a run did, newest first',
    load: async () => (await import('./rollback.ts')).rollback,
  },
  report: {
    summary: 'say what happened, when, by whom, measured how',
    load: async () => (await import('./report.ts')).report,
  },
  verify: {
    summary: 'check that a journal is whole and every approval is signed',
    load: async () => (await import('./verify.ts')).verify,
  },
  local: {
    summary: 'show or stop what runs on the local platform',
    load: async () => (await import('./local.ts')).local,
  },
} as const satisfies Record<string, Entry>

export type CommandName = keyof typeof COMMANDS
