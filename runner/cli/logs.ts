import { createReadStream, existsSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { InputError } from '../../src/errors.ts'
import { openedRun } from '../open-run.ts'
import { type Command, nearest, wrong } from './command.ts'
import { stateFolder } from './state.ts'

/** `release logs RUN [NODE]`: what was printed, in plan order, or by one node. */
export const logs: Command = {
  name: 'logs',
  usage: 'RUN [NODE]',
  summary: 'Prints what the nodes of a run printed, or one of them; secrets are scrubbed.',
  example: "release logs phoenix-3.0.0-20261121-101530-1a2b 'preflight/unit tests'",
  options: {},
  takes: [1, 2],
  run: async (invocation, io) => {
    const [run, node] = invocation.args
    const { folder, state } = await openedRun(stateFolder(invocation, io), run)
    const keys = [...state.works.keys()]
    const wanted = node === undefined ? keys : keys.filter(key => key === node || key.endsWith(`/${node}`))
    if (wanted.length === 0) {
      throw new InputError([wrong('unknown-node', `the run has no node ${node}`, nearest(node!, keys))])
    }
    for (const key of wanted) {
      const path = folder.logOf(key)
      if (!existsSync(path)) continue
      if (io.json) await printJson(path, key, io.stdout)
      else {
        if (wanted.length > 1) io.stdout.write(`── ${key}\n`)
        await pipeline(createReadStream(path), io.stdout, { end: false })
      }
    }
    return 0
  },
}

async function printJson(path: string, node: string, out: NodeJS.WriteStream): Promise<void> {
  for await (const chunk of createReadStream(path, 'utf8')) {
    out.write(`${JSON.stringify({ type: 'output', node, chunk })}\n`)
  }
}
